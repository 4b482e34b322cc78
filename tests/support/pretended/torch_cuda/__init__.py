"""A GPU in pretence, for training: tensors that say "cuda" and compute on the CPU, so that the way
over a GPU runs, with real numbers, where there is none.

It needs PyTorch without CUDA, a C++ compiler, and a process of its own (`child`): what autograd
asks of a device has to be there before torch is imported.
"""

from __future__ import annotations

import ctypes
import importlib.util
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_name("guard.cpp")


def missing() -> str:
    """Return why there can be no pretence; empty if there can."""
    import torch

    if torch.version.cuda is not None:
        return "this PyTorch is built with CUDA"
    return "" if shutil.which("c++") else "no C++ compiler (c++)"


def build(library: Path) -> None:
    """Compile what autograd asks of a device."""
    root = _torch()
    command = ["c++", "-std=c++20", "-shared", "-fPIC", f"-I{root / 'include'}", str(_SOURCE)]
    command += [f"-L{root / 'lib'}", "-lc10", "-ltorch_cpu", "-o", str(library)]
    subprocess.run(command, check=True)


def load(library: Path) -> None:
    """Load it into a process that has not imported torch."""
    ctypes.CDLL(str(_torch() / "lib" / "libtorch_cpu.so"), ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(library))


def _torch() -> Path:
    spec = importlib.util.find_spec("torch")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent
