"""PyTorch on a GPU: eager, compiled and as CUDA graphs, and the floor.

Float32 products are float32: TF32, which cuDNN's recurrences use by default, is off, so that
replies can be held against each other. `eager` is the reference.
"""

from __future__ import annotations

from typing import Any

import torch

from empgan_export.half_precision import halved
from empgan_rt.backends.onnxruntime.cuda_diagnosis import driver_problem
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ProviderError
from empgan_training.eager import EagerBackend
from empgan_training.model.generator import Generator

from ..base import Engine, versions
from .clock import EventClock
from .compiled import CompiledBackend
from .floor import CudaFloor
from .graphs import GraphBackend

_OR_CPU = "or use --device cpu"


class TorchClock(EventClock):
    """Of PyTorch's current stream."""

    def made(self) -> Any:
        """See `EventClock.made`."""
        return torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # PyTorch's

    def record(self, event: Any) -> None:
        """See `EventClock.record`."""
        event.record()

    def wait(self) -> None:
        """See `EventClock.wait`."""
        torch.cuda.synchronize()

    def between(self, start: Any, stop: Any) -> float:
        """See `EventClock.between`."""
        return float(start.elapsed_time(stop))


def open_eager(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch in float32; errors as `Bundle.open` and `generator_on_gpu`."""
    return _engine(EagerBackend(_generator(bundle, threads)))


def open_eager_bf16(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch with weights and states in bfloat16."""
    return _engine(EagerBackend(_generator(bundle, threads).bfloat16()))


def open_eager_fp16(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch with the types of a bundle's fp16 variant: float16 up to its logits."""
    return _engine(EagerBackend(halved(_generator(bundle, threads))))


def open_compiled(bundle: str, threads: int) -> Engine:
    """Return PyTorch whose decoder step went through `torch.compile(mode="reduce-overhead")`."""
    return _engine(CompiledBackend(_generator(bundle, threads)))


def open_cuda_graphs(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch whose decoder step is captured for each shape, and replayed."""
    return _engine(GraphBackend(_generator(bundle, threads)))


def open_floor(bundle: str, threads: int) -> CudaFloor:
    """Return the floor in float32."""
    return _floor(_generator(bundle, threads))


def open_floor_fp16(bundle: str, threads: int) -> CudaFloor:
    """Return the floor in float16."""
    return _floor(_generator(bundle, threads).half())


def generator_on_gpu(bundle: Bundle) -> Generator:
    """Return a bundle's model on the current GPU, in float32.

    Raises:
        ProviderError: there is no GPU, or PyTorch cannot use it.
    """
    require_gpu()
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    return EagerBackend.from_bundle(bundle).generator.cuda()


def require_gpu() -> None:
    """Do nothing if PyTorch can use a GPU.

    Raises:
        ProviderError: it cannot; the hint says in two lines what mends it.
    """
    cuda, name = torch.version.cuda, f"PyTorch {torch.__version__}"
    if cuda is None:
        raise ProviderError(
            f"{name} is built without CUDA",
            hint=f"pip install --force-reinstall torch  # PyPI's build for Linux\n{_OR_CPU}",
        )
    if torch.cuda.is_available():
        return
    raise driver_problem(name, int(cuda.split(".")[0])) or ProviderError(
        f"{name} finds no GPU that its CUDA {cuda} can use",
        hint=f"see that PyTorch supports this GPU and its driver\n{_OR_CPU}",
    )


def _generator(bundle: str, threads: int) -> Generator:
    """Return that of a folder or name; `threads` are PyTorch's on the host."""
    torch.set_num_threads(threads)
    return generator_on_gpu(Bundle.open(bundle))


def _engine(backend: EagerBackend) -> Engine:
    words = backend.generator.config.vocabulary_size
    return Engine(backend, words, _versions(), TorchClock())


def _floor(generator: Generator) -> CudaFloor:
    return CudaFloor(EagerBackend(generator), TorchClock(), _versions())


def _versions() -> dict[str, str]:
    """Return the versions of PyTorch and of the libraries that it was built with."""
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]  # PyTorch's
    libraries = {"CUDA": str(torch.version.cuda), "cuDNN": str(cudnn)}
    return versions("torch", "triton") | libraries
