"""How the rows of a step become the rows of the next: the best expansions, or drawn ones."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..graph_spec import EOS, IntArray
from .rules import SearchRules
from .sampling import Float64Array, draw


@dataclass
class Expansion:
    """The rows that go on, each (B, K), and those that ended.

    Attributes:
        parents: int64, the row that each one descends from, counted over all slots (slot K +
            beam); of no meaning in a dead row.
        token_ids: int32, the token each one takes; of no meaning in a dead row.
        scores: float64 sums of log-probabilities; -inf marks a dead row.
        ended: slot, row and log-probability of each row that took the end of sequence.
    """

    parents: npt.NDArray[np.int64]
    token_ids: IntArray
    scores: Float64Array
    ended: list[tuple[int, int, float]]


def expand_beams(
    scores: Float64Array, log_probs: Float64Array, token_ids: IntArray, rules: SearchRules
) -> Expansion:
    """Return the best expansions of all beams of each slot that searches.

    An end of sequence counts if it is among the best beam_size expansions, else it is dropped;
    the best beam_size others go on. Slots that sample come out dead.

    Args:
        scores: (B, K), -inf in dead rows.
        log_probs: (B, K, C) of the candidates, -inf if struck.
        token_ids: (B, K, C) of the candidates.
        rules: of the slots.
    """
    slots, width, count = log_probs.shape
    totals = (scores[:, :, None] + log_probs).reshape(slots, -1)  # (B, K C)
    # A row ends at most once, so 2 K expansions hold K that go on. A stable sort leaves equal
    # totals in the order of beam and rank.
    order = (-totals).argsort(axis=1, kind="stable")[:, : 2 * width]
    if slots > 1:
        order += np.arange(0, totals.size, width * count)[:, None]  # places in the flat arrays
    ids = token_ids.reshape(-1).take(order)
    ranked = totals.reshape(-1).take(order)
    is_eos = ids == EOS
    ended: list[tuple[int, int, float]] = []
    if np.count_nonzero(is_eos):
        good = is_eos[:, :width] & (ranked[:, :width] + rules.outside > -np.inf)
        for slot, place in np.argwhere(good).tolist():
            row = int(order[slot, place]) // count % width
            ended.append((slot, row, float(ranked[slot, place])))
        ranked[is_eos] = -np.inf
        going = is_eos.argsort(axis=1, kind="stable")  # the others first, still in order
        going += np.arange(0, is_eos.size, is_eos.shape[1])[:, None]
        order, ids, ranked = order.take(going), ids.take(going), ranked.take(going)
    best = ranked[:, :width]
    return Expansion(
        parents=order[:, :width] // count,
        token_ids=ids[:, :width],
        scores=best + rules.outside if rules.narrower else best,
        ended=ended,
    )


def extend_chains(
    expansion: Expansion,
    scores: Float64Array,
    log_probs: Float64Array,
    token_ids: IntArray,
    rules: SearchRules,
    uniform: Float64Array,
) -> None:
    """Draw the next token of each chain, in the S slots that sample, into `expansion`.

    Args:
        expansion: of the other slots; those that sample are filled in.
        scores, log_probs, token_ids, rules: as in `expand_beams`.
        uniform: (S, K) random numbers in [0, 1).
    """
    chains, width = rules.sampled, scores.shape[1]  # (S,) slots
    rows = chains[:, None] * width + np.arange(width)  # (S, K) counted over all slots
    own = log_probs[chains]
    knobs = (rules.temperature[chains], rules.top_k[chains], rules.top_p[chains])
    places = rows * own.shape[2] + draw(own, *knobs, uniform)  # in the flat arrays
    ids = token_ids.reshape(-1).take(places)
    totals = scores[chains] + log_probs.reshape(-1).take(places)
    ended = (ids == EOS) & (totals > -np.inf)
    if np.count_nonzero(ended):
        for place, row in np.argwhere(ended).tolist():
            expansion.ended.append((int(chains[place]), row, float(totals[place, row])))
        totals[ended] = -np.inf
    expansion.parents[chains] = rows
    expansion.token_ids[chains] = ids
    expansion.scores[chains] = totals
