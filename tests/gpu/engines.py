"""The engines that are held against the CPU: what each needs, and how it is opened."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from empgan_rt.backend import Backend
from empgan_rt.backends.loader import load_backend
from empgan_rt.bundle.bundle import Bundle
from gpu.needs import missing
from gpu.report import Figures

Tell = Callable[[Figures], None]
NEEDS_ON: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "tensorrt": {"cuda": ("gpu", "tensorrt")},
    "onnxruntime": {"cuda": ("gpu", "onnxruntime on cuda"), "cpu": ("onnxruntime",)},
    "eager": {"cuda": ("gpu", "torch on cuda"), "cpu": ("torch",)},
}
"""Engine -> device -> keys of `needs.NEEDS`."""
ENGINES = [
    pytest.param("tensorrt", marks=pytest.mark.timeout(1800)),  # it builds its engines first
    pytest.param("onnxruntime", marks=pytest.mark.timeout(180)),
    pytest.param("eager", marks=pytest.mark.timeout(180)),
]
PRECISIONS = ("fp32", "fp16", "int8")


def require(engine: str, device: str) -> None:
    """Skip the test that runs, unless an engine is there; the reason says what would bring it."""
    needs = NEEDS_ON[engine].get(device)
    if needs is None:
        pytest.skip("no GPU in a dry run")
    if said := missing(needs):
        pytest.skip(said)


def offered(engine: str, bundle: Bundle, precision: str) -> None:
    """Skip the test that runs, unless an engine has a bundle in this precision."""
    if engine == "eager" and precision != "fp32":
        pytest.skip("eager PyTorch is the reference, in fp32")
    if precision not in bundle.manifest.variants:
        pytest.skip(f"the bundle has no {precision}")


def open_engine(engine: str, bundle: Bundle, device: str, precision: str) -> Backend:
    """Return an engine, open on a bundle; errors as `load_backend`."""
    if engine != "eager":
        return load_backend(bundle, engine, device, precision)
    if device == "cpu":
        from empgan_training.eager import EagerBackend

        return EagerBackend.from_bundle(bundle)
    from empgan_bench.engines.cuda.torch import EagerBackend, generator_on_gpu

    return EagerBackend(generator_on_gpu(bundle))
