"""Decoder steps of few different shapes, for what is compiled or captured for each of them.

Lists of banned ids grow with the reply, so they are widened to a multiple of 16, with PAD, which is
struck anyway. Candidates are offered by eights; those that were not asked for are left out.
"""

from __future__ import annotations

from empgan_rt.backends.tensorrt.backend import widened
from empgan_rt.graph_spec import Candidates, IntArray
from empgan_training.eager import EagerBackend, EagerState

_CANDIDATE_STEP = 8


class FixedShapes(EagerBackend):
    """Eager PyTorch whose steps come in few shapes."""

    def step(
        self,
        state: EagerState,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """See `Backend.step`."""
        words = self.generator.config.vocabulary_size
        offered = min(-(-num_candidates // _CANDIDATE_STEP) * _CANDIDATE_STEP, words)
        found = self.fixed_step(state, token_ids, parents, widened(banned), offered)
        return Candidates(
            found.token_ids[:, :, :num_candidates], found.log_probs[:, :, :num_candidates]
        )

    def fixed_step(
        self,
        state: EagerState,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """Take a step as `step` does, of a shape that comes again."""
        return super().step(state, token_ids, parents, banned, num_candidates)
