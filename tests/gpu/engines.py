"""The engines that are held against the CPU: what each needs, and how it is opened."""

from __future__ import annotations

from collections.abc import Mapping

from empgan_rt.backend import Backend
from empgan_rt.backends.loader import load_backend
from empgan_rt.bundle.bundle import Bundle

NEEDS_ON: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tensorrt": {"cuda": ("gpu", "tensorrt")},
    "onnxruntime": {"cuda": ("gpu", "onnxruntime on cuda"), "cpu": ("onnxruntime",)},
    "eager": {"cuda": ("gpu", "torch on cuda"), "cpu": ("torch",)},
}
"""Engine -> device -> keys of `needs.NEEDS`; the engine that should be fastest comes first."""


def precisions(engine: str, bundle: Bundle) -> list[str]:
    """Return what an engine offers of a bundle; eager PyTorch is the reference, in float32."""
    return ["fp32"] if engine == "eager" else sorted(bundle.manifest.variants)


def open_engine(engine: str, bundle: Bundle, device: str, precision: str) -> Backend:
    """Return an engine, open on a bundle.

    Raises:
        EmpganError: as `load_backend`.
    """
    if engine == "eager":
        return _eager(bundle, device)
    return load_backend(bundle, engine, device, precision)


def _eager(bundle: Bundle, device: str) -> Backend:
    from empgan_training.eager import EagerBackend

    if device == "cpu":
        return EagerBackend.from_bundle(bundle)
    from ..engines.cuda.torch import generator_on_gpu

    return EagerBackend(generator_on_gpu(bundle))
