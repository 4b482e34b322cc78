"""Device -> ONNX Runtime's execution providers, in the order in which they may take nodes.

"tensorrt" is ONNX Runtime's TensorRT provider, with CUDA for what it does not take. It builds an
engine when a session first runs, and again whenever a shape leaves the range of those before: the
ranges could be told beforehand only if every node were TensorRT's. Its cache of engines stays off,
because it would load what lies there unchecked; the cache of timings, which is no code, shortens
building.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from ...errors import DependencyError, InputError
from ...packages import import_module
from ..cache import EngineCache, cache_home
from . import cuda

TENSORRT = "TensorrtExecutionProvider"
_TENSORRT_OPTIONS: Mapping[str, str] = {
    "trt_op_types_to_exclude": "TopK",  # how many words are wanted is known at run time alone
    "trt_timing_cache_enable": "1",
}


@dataclass(frozen=True)
class Device:
    """One device that sessions compute on.

    Attributes:
        providers: names, the one that must be there first.
        memory: what ONNX Runtime calls its memory.
    """

    providers: tuple[str, ...]
    memory: str


DEVICES: Mapping[str, Device] = {
    "cpu": Device(("CPUExecutionProvider",), "cpu"),
    "cuda": Device((cuda.PROVIDER,), "cuda"),
    "tensorrt": Device((TENSORRT, cuda.PROVIDER), "cuda"),
}


def known(device: str) -> Device:
    """Return the entry of a device.

    Raises:
        InputError: there is none.
    """
    if device not in DEVICES:
        raise InputError(f"device {device!r}", hint=f"use one of {', '.join(DEVICES)}")
    return DEVICES[device]


def with_options(device: Device) -> list[tuple[str, dict[str, str]]]:
    """Return the device's providers as an InferenceSession takes them.

    Raises:
        StorageError: the folder of TensorRT's timings cannot be made, or is not private.
    """
    options = {
        "CPUExecutionProvider": {},
        cuda.PROVIDER: dict(cuda.OPTIONS),
    }
    if TENSORRT in device.providers:
        timings = EngineCache(cache_home(os.environ)).folder
        options[TENSORRT] = {**_TENSORRT_OPTIONS, "trt_timing_cache_path": str(timings)}
    return [(name, options[name]) for name in device.providers]


def preload_tensorrt() -> None:
    """Load TensorRT from NVIDIA's wheels, where they are installed.

    Otherwise the system's loader looks for it, which does not know `site-packages`.
    """
    with suppress(DependencyError):  # what is missing is said when the provider is
        import_module("tensorrt", "TensorRT is not installed", hint="")
