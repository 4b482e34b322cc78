"""What a worker holds, how it is opened and what it tells; our own engine on the CPU."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import Any, Protocol, cast

import msgspec

from empgan_rt import threads as runtime_threads
from empgan_rt.backend import Backend
from empgan_rt.backends.loader import load_backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.reply import FinishReason
from empgan_rt.errors import DependencyError
from empgan_rt.graph_spec import EOS, EncoderInput


class Timing(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the time of one batch went.

    Attributes:
        encode_ms: the encoder.
        step_ms: all decoder steps.
        search_ms: the rest of decoding: beam search on the host.
        total_ms: from the encoder's inputs to the hypotheses.
        first_token_ms: from the start to the end of the first decoder step.
        steps: decoder steps.
        dialogues: B.
        tokens: tokens of the best replies, ends of sequence not counted.
        device_encode_ms, device_step_ms: of the encoder and of all steps, by the device's own
            clock; None if the engine has none.
    """

    encode_ms: float
    step_ms: float
    search_ms: float
    total_ms: float
    first_token_ms: float
    steps: int
    dialogues: int
    tokens: int
    device_encode_ms: float | None = None
    device_step_ms: float | None = None

    @property
    def per_token_ms(self) -> float:
        """Time of a decoder step, search included, without the first one."""
        return (self.total_ms - self.first_token_ms) / max(self.steps - 1, 1)


Rescore = Callable[[EncoderInput, Sequence[int]], float]
"""(one dialogue, token ids with EOS where the reply ended) -> log-probability in float64."""


def written(token_ids: Sequence[int], finish_reason: FinishReason) -> list[int]:
    """Return a reply as the gate compares it: with EOS if the model ended it."""
    return [*token_ids, *([EOS] if finish_reason == "eos" else [])]


class DeviceClock(Protocol):
    """Measures work where it is done, which may be later than it is asked for."""

    def start(self) -> None:
        """Measure what is asked for from here on."""
        ...

    def stop(self) -> None:
        """Measure up to here."""
        ...

    def read(self) -> list[float]:
        """Wait for the device; return the ms between each start and its stop, and forget them."""
        ...


class NoClock:
    """For engines whose time is the host's, or that tell of no other."""

    def start(self) -> None:
        """See `DeviceClock.start`."""

    def stop(self) -> None:
        """See `DeviceClock.stop`."""

    def read(self) -> list[float]:
        """Return nothing."""
        return []


@dataclass(frozen=True)
class Engine:
    """An open engine.

    Attributes:
        backend: what is measured.
        vocabulary_size: V of its model.
        versions: packages that it computes with.
        clock: of its device.
    """

    backend: Backend
    vocabulary_size: int
    versions: Mapping[str, str]
    clock: DeviceClock = field(default_factory=NoClock)


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


def open_onnxruntime(bundle: str, threads: int, precision: str = "fp32") -> Engine:
    """Return the ONNX Runtime backend, each of its graphs on `threads` threads.

    Raises:
        InputError: the bundle has no variant of that precision.
    """
    runtime_threads.set_num_threads(threads)
    opened = Bundle.open(bundle)
    backend = load_backend(opened, "onnxruntime", precision=precision)
    found = versions("onnxruntime", "onnxruntime-gpu")
    return Engine(backend, opened.model.vocabulary_size, found)


open_onnxruntime_fp16 = functools.partial(open_onnxruntime, precision="fp16")
open_onnxruntime_int8 = functools.partial(open_onnxruntime, precision="int8")


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


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of NumPy and of those packages that are installed."""
    return installed(*packages, "numpy")


def installed(*packages: str) -> dict[str, str]:
    """Return the versions of those packages that are installed."""
    found = {}
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found
