"""The plainest decoding loop: one batch that starts together and is done when its last one is."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ..backend import Backend, Encoded
from ..config import SearchConfig
from ..text.bans import Bans
from .beam_search import BeamSearch
from .hypothesis import Hypothesis


def decode(
    backend: Backend,
    encoded: Encoded,
    configs: Sequence[SearchConfig],
    bans: Sequence[Bans],
    vocabulary_size: int,
    on_step: Callable[[BeamSearch], None] | None = None,
) -> list[list[Hypothesis]]:
    """Return the hypotheses of each encoded dialogue, best first.

    Args:
        backend: computes the steps; nobody else may use it meanwhile.
        encoded: from `backend.encode`; dialogue i is searched in slot i.
        configs: how to search, one for each dialogue.
        bans: what never comes, one for each dialogue.
        vocabulary_size: V of the backend's model.
        on_step: called after each step; what it raises ends the search.

    Raises:
        InputError: `configs` or `bans` do not match the dialogues in number.
        DivergenceError: the model returned NaN or infinity.
    """
    beam_size = max((config.rows for config in configs), default=1)
    search = BeamSearch(encoded.rows, beam_size, vocabulary_size)
    search.start(range(encoded.rows), configs, bans)
    state = backend.open(encoded.rows, beam_size)
    backend.admit(state, np.arange(encoded.rows, dtype=np.int32), encoded)
    while not search.is_finished:
        candidates = backend.step(
            state, search.token_ids, search.parents, search.banned(), search.num_candidates()
        )
        search.advance(candidates)
        if on_step is not None:
            on_step(search)
    return [search.results(slot) for slot in range(encoded.rows)]
