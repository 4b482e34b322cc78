"""What ONNX Runtime's error texts mean; the texts themselves hold paths and the host's name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import ProviderError

NO_CUDNN = "no cuDNN"
NO_TENSORRT = "no TensorRT"
LEFT_TO_CPU = "nodes left to the CPU"

_CAUSE = re.compile(r"\b(?:CUDA|CUBLAS|CUDNN|CURAND) failure -?\d+: [^;\n]*[^;\n\s]")
_NO_CUDNN = re.compile(r"cuDNN is (?:not available|unavailable)")
_NO_TENSORRT = "Please install TensorRT libraries"
_TO_CPU = "assigned to the default CPU EP"
_NO_MEMORY = re.compile(
    r"out of memory|Failed to allocate|ALLOC(?:ATION)?_FAILED|than requested bytes|bad_alloc"
)


@contextmanager
def translated(which: str) -> Iterator[None]:
    """Turn whatever ONNX Runtime raises inside into a ProviderError; `which` says in what."""
    try:
        yield
    except Exception as error:  # ONNX Runtime's errors have no common base of their own
        raise _failure(which, error) from error


def device_fault(error: Exception) -> str:
    """Return what the device failed with, in ONNX Runtime's words, or one of the names above.

    Empty if it was not the device.
    """
    text = str(error)
    if _NO_CUDNN.search(text):
        return NO_CUDNN
    if _NO_TENSORRT in text:
        return NO_TENSORRT
    if _TO_CPU in text:
        return LEFT_TO_CPU
    found = _CAUSE.search(text)
    return found.group() if found else ""


def _failure(which: str, error: Exception) -> ProviderError:
    text, fault = str(error), device_fault(error)
    if _NO_MEMORY.search(text):
        return ProviderError(
            f"memory ran out in the {which}: {fault or type(error).__name__}",
            hint="use smaller batches (max_running, shorter dialogues, fewer beams), or free what "
            "other programs hold of it",
        )
    if fault == NO_CUDNN:
        return ProviderError(
            f"the {which} needs cuDNN, and ONNX Runtime found none",
            hint="pip install 'onnxruntime-gpu[cuda,cudnn]'\nthen run `empgan-rt doctor` again",
        )
    if fault:
        return ProviderError(
            f"the device failed in the {which}: {fault}",
            hint="it is lost to this process: start a new one\n"
            "`nvidia-smi` and the kernel's log (Xid) say what became of it",
        )
    return ProviderError(
        f"ONNX Runtime failed in the {which}: {type(error).__name__}",
        hint="run `empgan-rt inspect --verify` on the bundle",
    )
