"""The seam between search and computation: one bundle on one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from .graph_spec import Candidates, EncoderInput, FloatArray, IntArray


@dataclass(frozen=True)
class Encoded:
    """Encoded dialogues: what the caller may read, and what only the backend understands.

    Attributes:
        rows: B, dialogues in the batch.
        label_probs: (B, M, 7) distribution over emotions used for each turn.
        tensors: the backend's own; pass them back to `admit` untouched.
    """

    rows: int
    label_probs: FloatArray
    tensors: Any


class Backend(Protocol):
    """Encodes dialogues and runs decoder steps. One thread at a time may use a backend.

    A *state* holds decoder memory for a number of slots. It belongs to the backend that made it:
    the search may only name which beam each next row descends from.
    """

    device: str
    precision: str

    def encode(self, inputs: EncoderInput) -> Encoded:
        """Run the encoder graph once over a batch of at least one dialogue."""
        ...

    def open(self, slots: int, beam_size: int) -> Any:
        """Return an empty state with room for `slots` dialogues of `beam_size` beams each."""
        ...

    def admit(self, state: Any, slots: IntArray, encoded: Encoded) -> None:
        """Put row i of `encoded` into slot `slots[i]`, replacing what was there."""
        ...

    def rearranged(self, state: Any, slots: IntArray, count: int) -> Any:
        """Return a state of `count` slots: first these ones as they stand, then empty ones.

        The old state may not be used any more.
        """
        ...

    def step(
        self,
        state: Any,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """Advance every slot by one token and return the best next ones.

        Args:
            state: from `open`; updated in place.
            token_ids: (B, K) the token each beam took last; SOS at the start.
            parents: (B, K) the beam of the same slot that each row descends from.
            banned: (B, K, S) ids to strike, padded with PAD, which is always struck.
            num_candidates: C, at most the vocabulary size.
        """
        ...

    def close(self) -> None:
        """Release sessions and buffers; further calls are errors."""
        ...
