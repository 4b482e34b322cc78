"""What a bench process and its workers say to each other: one JSON object a line, no pickle."""

from __future__ import annotations

from collections.abc import Callable
from typing import IO

import msgspec
import numpy as np

from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput

from ..engines.base import Timing
from .requests import Arrival, RequestEvents

PROTOCOL = 1
"""Rises with every change after which an older build's worker would not be understood."""


class Batch(msgspec.Struct, frozen=True):
    """An `EncoderInput` as nested lists."""

    utterances: list[list[list[int]]]
    emotion_words: list[list[list[int]]]
    emotion_labels: list[list[int]]

    @classmethod
    def of(cls, inputs: EncoderInput) -> Batch:
        """Return the message that carries `inputs`."""
        return cls(**{name: array.tolist() for name, array in vars(inputs).items()})

    def inputs(self) -> EncoderInput:
        """Return the int32 arrays."""
        arrays = msgspec.structs.asdict(self).items()
        return EncoderInput(**{name: np.array(lists, np.int32) for name, lists in arrays})


class Open(msgspec.Struct, tag="open", frozen=True):
    """Open an engine: `opener` is "module:function", see `engines`."""

    opener: str
    bundle: str
    threads: int


class Load(msgspec.Struct, tag="load", frozen=True):
    """Keep these batches; they replace the ones before."""

    batches: list[Batch]


class Run(msgspec.Struct, tag="run", frozen=True):
    """Decode batches of the last `Load`, named by their places, one after the other."""

    items: list[int]
    search: SearchConfig


class Host(msgspec.Struct, tag="host", frozen=True):
    """Stand ready to answer these dialogues, each the texts of its turns.

    Attributes:
        max_batch: most dialogues in decoding at once.
        max_queue: most requests that wait for a slot.
    """

    dialogues: list[list[str]]
    max_batch: int
    max_queue: int


class Serve(msgspec.Struct, tag="serve", frozen=True):
    """Answer the dialogues of the last `Host` as they arrive, each within `deadline_s` if given."""

    arrivals: list[Arrival]
    search: SearchConfig
    deadline_s: float | None


class Opened(msgspec.Struct, tag="opened", frozen=True):
    """The engine is ready.

    Attributes:
        load_ms: time to open bundle and engine; imports are in it.
        versions: packages that the engine computes with.
        gc: "enabled" or "disabled": Python's cyclic garbage collector.
        allocator: the preloaded library, or "system".
    """

    load_ms: float
    versions: dict[str, str]
    gc: str
    allocator: str


class Done(msgspec.Struct, tag="done", frozen=True):
    """The batches are kept, or requests may arrive."""


class Sample(msgspec.Struct, frozen=True):
    """One decoded batch.

    Attributes:
        timing: where the time went.
        replies: each best reply, ending in EOS if the model ended it; a yardstick has none.
        settings: what a yardstick chose for this batch by trying.
    """

    timing: Timing
    replies: list[list[int]]
    settings: str = ""


class Ran(msgspec.Struct, tag="ran", frozen=True):
    """One sample for each item that was asked for."""

    samples: list[Sample]


class Served(msgspec.Struct, tag="served", frozen=True):
    """What became of each arrival, in their order; `replies` as in `Sample`, empty without one."""

    requests: list[RequestEvents]
    replies: list[list[int]]


class Failed(msgspec.Struct, tag="failed", frozen=True):
    """An error: its `code` in `empgan_rt.errors`, or "internal"."""

    code: str
    message: str
    hint: str


Request = Open | Load | Run | Host | Serve
Answer = Opened | Done | Ran | Served | Failed
decode_request: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode
decode_answer: Callable[[bytes], Answer] = msgspec.json.Decoder(Answer).decode
"""Return the message in a line."""


def send(pipe: IO[bytes], message: Request | Answer) -> None:
    """Write one message and flush it."""
    pipe.write(msgspec.json.encode(message) + b"\n")
    pipe.flush()
