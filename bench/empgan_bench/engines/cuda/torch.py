"""PyTorch on a GPU: eager, compiled and as CUDA graphs, and the floor.

Float32 products are float32: TF32, which cuDNN's recurrences use by default, is off, so that
replies can be held against each other. `eager` is the reference.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

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


def stream_clock() -> EventClock:
    """Return the clock of PyTorch's current stream."""
    return EventClock(
        made=partial(torch.cuda.Event, enable_timing=True),
        record=torch.cuda.Event.record,
        wait=torch.cuda.synchronize,
        between=torch.cuda.Event.elapsed_time,
    )


def _open(backend: Callable[[Generator], EagerBackend], bundle: str, threads: int) -> Engine:
    """Return what `backend` makes of a bundle's model; errors as `generator_on_gpu`."""
    opened = backend(_generator(bundle, threads))
    words = opened.generator.config.vocabulary_size
    return Engine(opened, words, _versions(), stream_clock())


def _open_floor(cast: Callable[[Generator], Generator], bundle: str, threads: int) -> CudaFloor:
    """Return the floor in the type that `cast` gives the model; errors as `generator_on_gpu`."""
    generator = cast(_generator(bundle, threads))
    return CudaFloor(EagerBackend(generator), stream_clock(), _versions())


open_eager = partial(_open, EagerBackend)
# Weights and states are bfloat16.
open_eager_bf16 = partial(_open, lambda generator: EagerBackend(generator.bfloat16()))
# It has the types of a bundle's fp16 variant: float16 up to its logits.
open_eager_fp16 = partial(_open, lambda generator: EagerBackend(halved(generator)))
# Its decoder step went through `torch.compile(mode="reduce-overhead")`.
open_compiled = partial(_open, CompiledBackend)
# Its decoder step is captured for each shape, and replayed.
open_cuda_graphs = partial(_open, GraphBackend)
open_floor = partial(_open_floor, Generator.float)
open_floor_fp16 = partial(_open_floor, Generator.half)


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


def _versions() -> dict[str, str]:
    """Return the versions of PyTorch and of the libraries that it was built with."""
    cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]  # PyTorch's
    libraries = {"CUDA": str(torch.version.cuda), "cuDNN": str(cudnn)}
    return versions("torch", "triton") | libraries
