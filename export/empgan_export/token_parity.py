"""Do two backends write the same replies? Greedy and beam search over many contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from empgan_rt.backend import Backend
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import UNK
from empgan_rt.search.decode import decode
from empgan_rt.search.hypothesis import Hypothesis
from empgan_rt.text.bans import Bans
from empgan_rt.text.featurizer import DialogueFeatures, encoder_input
from empgan_rt.verification.ties import TIE, tie_gap

_BATCH = 8


@dataclass(frozen=True)
class TokenParity:
    """The contexts that got the same best reply from both backends, counted, and the others.

    Attributes:
        contexts: how many were compared.
        ties: replies that differ, but that float64 eager rates as a tie.
        mismatches: replies that differ otherwise; their positions.
    """

    contexts: int
    ties: int
    mismatches: tuple[int, ...]


def best_replies(
    backend: Backend,
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
    vocabulary_size: int,
) -> list[Hypothesis]:
    """Return a backend's best reply to each context, decoded in batches of unequal lengths."""
    replies = []
    for start in range(0, len(contexts), _BATCH):
        part = contexts[start : start + _BATCH]
        encoded = backend.encode(encoder_input(part))
        settings = [search] * len(part), [Bans((UNK,))] * len(part)
        replies += [found[0] for found in decode(backend, encoded, *settings, vocabulary_size)]
    return replies


def compare_replies(
    wanted: Sequence[Hypothesis],
    found: Sequence[Hypothesis],
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
    rate: Callable[[DialogueFeatures, Sequence[int], bool], float],
) -> TokenParity:
    """Return how two backends' replies to the same contexts compare.

    Args:
        wanted, found: from `best_replies`.
        contexts: featurised dialogues.
        search: settings of both.
        rate: float64 log-probability of a reply; the flag tells whether it ended.
    """
    ties = 0
    mismatches = []
    for place, (a, b) in enumerate(zip(wanted, found, strict=True)):
        if (a.token_ids, a.finish_reason) == (b.token_ids, b.finish_reason):
            continue
        ended = a.finish_reason == "eos", b.finish_reason == "eos"
        log_probs = (
            rate(contexts[place], a.token_ids, ended[0]),
            rate(contexts[place], b.token_ids, ended[1]),
        )
        lengths = len(a.token_ids) + ended[0], len(b.token_ids) + ended[1]
        if tie_gap(log_probs, lengths, search.length_penalty) < TIE:
            ties += 1
        else:
            mismatches.append(place)
    return TokenParity(len(contexts), ties, tuple(mismatches))
