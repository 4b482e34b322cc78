"""A stand-in for CUDA, so that the real provider of a GPU build can be opened without a GPU.

ONNX Runtime's CUDA provider links to a few libraries by name. Here they are made of C: device
memory is host memory, copies copy, and every kernel does nothing. So the provider decides for
itself which nodes it takes, which copies it needs and what it says when something fails; what it
computes is nothing. Needs gcc, and an interpreter that has onnxruntime-gpu for CUDA 13.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

SOURCE = Path(__file__).with_name("stand_in.c")


def build(provider: Path, folder: Path) -> None:
    """Write the libraries that a provider's library needs into a folder.

    Raises:
        subprocess.CalledProcessError: they could not be built.
    """
    undefined = _output("nm", "-D", "--undefined-only", str(provider))
    wanted = set(re.findall(r"^\s+U (\w+)", undefined, re.MULTILINE))
    # It looks these up by name when it runs.
    dnn = set(re.findall(r"^(cudnn[A-Z]\w*)$", _output("strings", str(provider)), re.MULTILINE))
    dnn.add("cudnnCreate")
    _library(folder, "libcuda.so.1", "DRIVER", _of(wanted, r"cu[A-Z]"))
    _library(folder, "libcudart.so.13", "CUDART", _of(wanted, r"(__)?cuda[A-Z]"), versioned=True)
    _library(folder, "libcublas.so.13", "", _of(wanted, r"cublas[^L]"), versioned=True)
    _library(folder, "libcublasLt.so.13", "", _of(wanted, r"cublasLt"), versioned=True)
    _library(folder, "libcurand.so.10", "", _of(wanted, r"curand"))
    _library(folder, "libcudnn.so.9", "CUDNN", dnn)


def _of(names: Iterable[str], beginning: str) -> set[str]:
    return {name for name in names if re.match(beginning, name)}


def _library(
    folder: Path, name: str, part: str, wanted: set[str], *, versioned: bool = False
) -> None:
    """Write one library: a part of the C source, and functions that succeed for the rest."""
    own = set(re.findall(r"\b(\w+)\(", SOURCE.read_text("utf-8"))) if part else set()
    lines = ["#include <stdlib.h>"]
    for function in sorted(wanted - own):
        if "Create" in function:
            lines.append(f"int {function}(void **made) {{ *made = calloc(1, 256); return 0; }}")
        elif "Destroy" in function:
            lines.append(f"int {function}(void *made) {{ free(made); return 0; }}")
        elif "Status" in function:
            lines.append(f'const char *{function}(int status) {{ return "stand-in"; }}')
        else:
            lines.append(f"int {function}(void) {{ return 0; }}")
    rest = folder / f"{name}.c"
    rest.write_text("\n".join(lines), "utf-8")
    command = ["gcc", "-w", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", str(folder / name)]
    if versioned:
        versions = folder / f"{name}.map"
        versions.write_text(f"{name} {{ *; }};", "utf-8")
        command.append(f"-Wl,--version-script={versions}")
    sources = [str(SOURCE), f"-D{part}"] if part else []
    subprocess.run([*command, *sources, str(rest)], check=True, capture_output=True)


def _output(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
