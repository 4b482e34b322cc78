"""Backend name and device -> class, a literal table; an engine is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, cast

from ..backend import Backend
from ..bundle.bundle import Bundle
from ..errors import InputError
from .heap import release_free_memory

BACKENDS: Mapping[str, Mapping[str, str]] = {
    "onnxruntime": {
        "cpu": "empgan_rt.backends.onnxruntime.backend:OrtBackend",
        "cuda": "empgan_rt.backends.onnxruntime.device_backend:DeviceBackend",
        "tensorrt": "empgan_rt.backends.onnxruntime.device_backend:DeviceBackend",
    },
    "tensorrt": {"cuda": "empgan_rt.backends.tensorrt.backend:TrtBackend"},
}


def load_backend(
    bundle: Bundle,
    name: str = "onnxruntime",
    device: str = "cpu",
    precision: str = "fp32",
    **options: Any,
) -> Backend:
    """Return the backend `name`, open on a bundle and a device.

    Args:
        bundle: an opened bundle.
        name: a key of `BACKENDS`.
        device: where it computes, a key of that entry.
        precision: one of the bundle's variants.
        options: what else that backend's class takes.

    Raises:
        InputError: no backend has that name or it has no such device, the bundle lacks the
            precision, or an option is not acceptable.
        DependencyError: its package is missing, too old or installed twice.
        ProviderError: the device cannot be used.
        BundleError: the graphs are not what the manifest promises.
        StorageError: what TensorRT has built or timed cannot be kept.
    """
    if name not in BACKENDS:
        raise InputError(f"backend {name!r}", hint=f"use one of {', '.join(BACKENDS)}")
    if device not in BACKENDS[name]:
        raise InputError(
            f"device {device!r} with the backend {name!r}",
            hint=f"use one of {', '.join(BACKENDS[name])}",
        )
    module, _, attribute = BACKENDS[name][device].partition(":")
    backend = getattr(import_module(module), attribute)
    opened = backend(bundle, device=device, precision=precision, **options)
    release_free_memory()
    return cast(Backend, opened)
