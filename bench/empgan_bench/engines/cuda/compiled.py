"""Eager PyTorch whose whole step, from the gather of hidden states to the words, is compiled."""

from __future__ import annotations

import torch
import torch._dynamo.config as dynamo
import torch.fx.experimental._config as shapes
from torch import Tensor

from empgan_training.eager import EagerState, best_tokens, descended
from empgan_training.model.generator import Generator

from .fixed_shapes import FixedShapes

_MOST_VARIANTS = 64  # PyTorch's default is 8; one more is an error


class CompiledBackend(FixedShapes):
    """A `Backend` by `torch.compile`, for any shape.

    On a GPU its mode "reduce-overhead" captures a CUDA graph for each shape that is met. Variants
    are compiled for batch, beams and turns being 1, or more than that.
    """

    def __init__(self, generator: Generator) -> None:
        super().__init__(generator)
        dynamo.recompile_limit = _MOST_VARIANTS
        dynamo.allow_rnn = True  # or the step falls apart at every look at the GRU's weights
        # Or there is one more whenever two of the numbers happen to be equal.
        shapes.use_duck_shape = False
        self._compiled = torch.compile(
            self._step, mode="reduce-overhead", dynamic=True, fullgraph=True
        )

    def open(self, slots: int, beam_size: int) -> EagerState:
        """See `Backend.open`."""
        with torch.inference_mode():  # like all later states, or there is one more variant
            return super().open(slots, beam_size)

    def decode(
        self,
        state: EagerState,
        token_ids: Tensor,
        parents: Tensor,
        banned: Tensor,
        num_candidates: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """See `EagerBackend.decode`."""
        memory = (state.hidden, state.keys, state.values, state.mask)
        hidden, ids, best = self._compiled(*memory, token_ids, parents, banned, num_candidates)
        return hidden.clone(), ids, best  # the next replay writes over what this one returned

    def _step(
        self,
        hidden: Tensor,
        keys: Tensor,
        values: Tensor,
        mask: Tensor,
        token_ids: Tensor,
        parents: Tensor,
        banned: Tensor,
        num_candidates: int,
    ) -> tuple[Tensor, Tensor, Tensor]:
        moved = descended(hidden, parents)
        hidden, logits = self.generator.step(token_ids, moved, keys, values, mask)
        return hidden, *best_tokens(logits, banned, num_candidates)
