"""Engine name -> how a worker opens it, a literal table; only workers import what it names.

A *yardstick* is timed beside the engines and answers nobody: the floor, which is bare matrix
products, and peers, other projects' decoders with random weights, in interpreters of their own.
"""

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
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError
from empgan_rt.graph_spec import EOS, EncoderInput

from .gate import Rescore
from .messages import Timing

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
    "floor": "empgan_bench.floor:open_floor",
    "floor-int8": "empgan_bench.floor:open_floor_int8",
}
PEERS: Mapping[str, str] = {
    "joeynmt": "empgan_bench.peers.joeynmt:open_joeynmt",
    "ctranslate2": "empgan_bench.peers.ctranslate2:open_ctranslate2",
    "ctranslate2-int8": "empgan_bench.peers.ctranslate2:open_ctranslate2_int8",
}
# Engine -> the floor of the same runtime and precision.
FLOORS: Mapping[str, str] = {"onnxruntime": "floor", "onnxruntime-int8": "floor-int8"}
YARDSTICKS = frozenset({*PEERS, *FLOORS.values()})
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


@dataclass(frozen=True)
class Prepared:
    """One batch, ready to be timed by a yardstick.

    Attributes:
        run: does the work once.
        settings: what was chosen for this batch by trying; empty if there was nothing to choose.
    """

    run: Callable[[], Timing]
    settings: str = ""


class Yardstick(Protocol):
    """Something that takes as many steps as it is told, and writes no replies."""

    versions: Mapping[str, str]

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        """Return a batch, ready to be decoded in `search.max_length` steps."""
        ...


Opener = Callable[[str, int], Engine | Yardstick]


def label(name: str) -> str:
    """Return the name of what was timed, as reports show it: a yardstick says that it is one."""
    if name in PEERS:
        return f"{name} (peer)"
    return f"{name} (products only)" if name in YARDSTICKS else name


class Named(Protocol):
    """Anything with the name of an engine."""

    name: str


AnyNamed = TypeVar("AnyNamed", bound=Named)


def in_order(found: Iterable[AnyNamed]) -> dict[str, AnyNamed]:
    """Return them by name, the reference first and yardsticks last.

    The gate compares with the first, and yardsticks take as many steps as it.
    """

    def rank(each: AnyNamed) -> tuple[bool, bool]:
        return each.name in YARDSTICKS, each.name != REFERENCE

    return {each.name: each for each in sorted(found, key=rank)}


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
