"""Do two backends write the same replies? Greedy and beam search over many contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from empgan_rt.backend import Backend
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import UNK
from empgan_rt.static_batch import decode
from empgan_rt.text.featurizer import DialogueFeatures, encoder_input
from empgan_rt.ties import TIE, tie_gap

_BATCH = 8


@dataclass(frozen=True)
class TokenParity:
    """How many contexts got the same best reply from both backends.

    Attributes:
        contexts: how many were compared.
        ties: replies that differ, but that float64 eager rates as a tie.
        mismatches: replies that differ otherwise; their positions.
    """

    contexts: int
    ties: int
    mismatches: tuple[int, ...]


def compare_replies(
    reference: Backend,
    candidate: Backend,
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
    vocabulary_size: int,
    rate: Callable[[DialogueFeatures, Sequence[int], bool], float],
) -> TokenParity:
    """Return how the best replies of two backends compare.

    Args:
        reference, candidate: what is compared.
        contexts: featurised dialogues; they are decoded in batches of unequal lengths.
        search: settings of both.
        vocabulary_size: V.
        rate: float64 log-probability of a reply; the flag tells whether it ended.
    """
    ties = 0
    mismatches = []
    for start in range(0, len(contexts), _BATCH):
        part = contexts[start : start + _BATCH]
        inputs = encoder_input(part)
        configs = [search] * len(part)
        banned = [[UNK]] * len(part)
        results = [
            decode(backend, backend.encode(inputs), configs, banned, vocabulary_size)
            for backend in (reference, candidate)
        ]
        for row, (wanted, found) in enumerate(zip(*results, strict=True)):
            a, b = wanted[0], found[0]
            if (a.token_ids, a.finish_reason) == (b.token_ids, b.finish_reason):
                continue
            ended = a.finish_reason == "eos", b.finish_reason == "eos"
            log_probs = (
                rate(part[row], a.token_ids, ended[0]),
                rate(part[row], b.token_ids, ended[1]),
            )
            lengths = len(a.token_ids) + ended[0], len(b.token_ids) + ended[1]
            if tie_gap(log_probs, lengths, search.length_penalty) < TIE:
                ties += 1
            else:
                mismatches.append(start + row)
    return TokenParity(len(contexts), ties, tuple(mismatches))
