"""PyTorch on a bundle's weights: written well, in bfloat16, compiled, and as research code has it.

`eager` is the reference: batched, with a cached decoder state, packed turns, in inference mode.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.graph_spec import Candidates, IntArray
from empgan_training.eager import EagerBackend, EagerState, best_tokens, descended
from empgan_training.model.attention import Readable

from .base import Engine, versions


def open_eager(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch in float32."""
    return _engine(_backend(bundle, threads))


def open_eager_bf16(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch with weights and states in bfloat16."""
    return _engine(EagerBackend(_backend(bundle, threads).generator.bfloat16()))


def open_compiled(bundle: str, threads: int) -> Engine:
    """Return eager PyTorch whose decoder step went through `torch.compile`, any shape."""
    backend = _backend(bundle, threads)
    step = torch.compile(backend.generator.step, dynamic=True)
    backend.generator.step = step  # type: ignore[method-assign]  # of this one instance
    return _engine(backend)


def open_naive(bundle: str, threads: int) -> Engine:
    """Return PyTorch without a cached decoder state."""
    return _engine(NaiveBackend(_backend(bundle, threads).generator))


@dataclass
class NaiveState(EagerState):
    """Decoder memory with the tokens so far, (S, K, T), in place of a state that moves on."""

    token_ids: Tensor = field(default_factory=lambda: torch.empty(0))


class NaiveBackend(EagerBackend):
    """Reads every beam's whole prefix again at each step, and predicts every place of it again.

    That is how much research code decodes. It serves static batches alone.
    """

    def open(self, slots: int, beam_size: int) -> NaiveState:
        """See `Backend.open`."""
        empty = torch.empty(slots, beam_size, 0, dtype=torch.long, device=self.place)
        return NaiveState(super().open(slots, beam_size).hidden, token_ids=empty)

    def step(
        self,
        state: EagerState,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """See `Backend.step`."""
        assert isinstance(state, NaiveState)  # from `open`
        newest = torch.tensor(token_ids, dtype=torch.long).unsqueeze(-1)
        with torch.inference_mode():
            prefix = descended(state.token_ids, torch.tensor(parents))
            state.token_ids = torch.cat([prefix, newest], dim=-1)
            ids, best = best_tokens(self._logits(state), torch.tensor(banned), num_candidates)
        return Candidates(ids.numpy(), best.numpy())

    def _logits(self, state: NaiveState) -> Tensor:
        """Return (S, K, V) logits after the last token of each prefix."""
        slots, beams, length = state.token_ids.shape
        rows = slots * beams
        decoder = self.generator.decoder
        row_of = torch.arange(slots).repeat_interleave(beams)
        outputs = decoder(
            self.generator.word_embedding(state.token_ids.view(rows, length)),
            torch.full((rows,), length),
            state.hidden.view(rows, -1),
            Readable(state.keys, state.values, state.mask[row_of], row_of),
        )
        logits: Tensor = decoder.vocabulary(outputs)[:, -1]
        return logits.view(slots, beams, -1)


def _backend(bundle: str, threads: int) -> EagerBackend:
    torch.set_num_threads(threads)
    return EagerBackend.from_bundle(Bundle.open(bundle))


def _engine(backend: EagerBackend) -> Engine:
    return Engine(backend, backend.generator.config.vocabulary_size, versions("torch"))
