"""Engine name -> how a worker opens it, a literal table; only workers import what it names."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata
from typing import Any, Protocol, TypeVar, cast

from empgan_rt import threads as runtime_threads
from empgan_rt.backend import Backend
from empgan_rt.backends.loader import load_backend
from empgan_rt.bundle import Bundle
from empgan_rt.errors import DependencyError
from empgan_rt.graph_spec import EOS, EncoderInput

from .gate import Rescore

REFERENCE = "eager"
ENGINES: Mapping[str, str] = {
    "onnxruntime": "empgan_bench.engines:open_onnxruntime",
    "onnxruntime-int8": "empgan_bench.engines:open_onnxruntime_int8",
    "openvino": "empgan_bench.openvino:open_openvino",
    "openvino-bf16": "empgan_bench.openvino:open_openvino_bf16",
    "eager": "empgan_bench.torch_engines:open_eager",
    "eager-bf16": "empgan_bench.torch_engines:open_eager_bf16",
    "compile": "empgan_bench.torch_engines:open_compiled",
    "naive": "empgan_bench.torch_engines:open_naive",
}
# These may write other replies than the reference.
APPROXIMATE = frozenset({"onnxruntime-int8", "openvino-bf16", "eager-bf16"})

# In these, requests may enter and leave the decoder between any two steps.
IN_FLIGHT = frozenset(
    {
        *("onnxruntime", "onnxruntime-int8", "openvino", "openvino-bf16"),
        *("eager", "eager-bf16", "compile"),
    }
)


@dataclass(frozen=True)
class Engine:
    """An open engine.

    Attributes:
        backend: what is measured.
        vocabulary_size: V of its model.
        versions: packages that it computes with.
    """

    backend: Backend
    vocabulary_size: int
    versions: Mapping[str, str]


Opener = Callable[[str, int], Engine]


class Named(Protocol):
    """Anything with the name of an engine."""

    name: str


AnyNamed = TypeVar("AnyNamed", bound=Named)


def in_order(found: Iterable[AnyNamed]) -> dict[str, AnyNamed]:
    """Return them by name, the reference first: the gate compares with the first."""
    return {each.name: each for each in sorted(found, key=lambda each: each.name != REFERENCE)}


def resolve(opener: str) -> Opener:
    """Return the function named by "module:function".

    Raises:
        DependencyError: PyTorch is not installed, and the engine needs it.
    """
    module, _, function = opener.partition(":")
    try:
        return cast(Opener, getattr(import_module(module), function))
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "empgan_training"):
            raise
        raise DependencyError(
            f"{error.name} is not installed", hint="pip install 'empgan-rt[train]'"
        ) from None


def open_onnxruntime(bundle: str, threads: int) -> Engine:
    """Return the ONNX Runtime backend, its graphs on one pool of `threads` threads."""
    return _onnxruntime(bundle, threads, "fp32")


def open_onnxruntime_int8(bundle: str, threads: int) -> Engine:
    """Return the same in int8.

    Raises:
        InputError: the bundle has no such variant.
    """
    return _onnxruntime(bundle, threads, "int8")


def _onnxruntime(bundle: str, threads: int, precision: str) -> Engine:
    runtime_threads.set_num_threads(threads)
    opened = Bundle.open(bundle)
    backend = load_backend(opened, "onnxruntime", precision=precision)
    return Engine(backend, opened.model.vocabulary_size, versions("onnxruntime"))


def eager_rescore(bundle: Bundle) -> Rescore:
    """Return scoring by eager PyTorch in float64, which is loaded when it is first needed."""

    @functools.cache
    def reference() -> tuple[Any, Any]:
        eager = import_module("empgan_training.eager")
        return eager, eager.EagerBackend.from_bundle(bundle).generator.double()

    def rescore(inputs: EncoderInput, token_ids: Sequence[int]) -> float:
        eager, generator = reference()
        ended = bool(token_ids) and token_ids[-1] == EOS
        reply = token_ids[:-1] if ended else token_ids
        return float(eager.log_prob(generator, inputs, reply, ended=ended))

    return rescore


def versions(package: str) -> dict[str, str]:
    """Return the versions of a package and of NumPy."""
    return {name: metadata.version(name) for name in (package, "numpy")}
