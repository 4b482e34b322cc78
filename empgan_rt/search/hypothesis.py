"""Finished hypotheses of one request, and what a live one may still reach."""

from __future__ import annotations

from bisect import insort
from dataclasses import dataclass

from ..config import SearchConfig
from ..dialogue.reply import FinishReason


@dataclass(frozen=True)
class Hypothesis:
    """One finished token sequence.

    Attributes:
        token_ids: vocabulary ids, without start and end of sequence.
        log_prob: sum of the model's natural log-probabilities, that of the end of sequence
            included if it came. The repetition penalty is in it, the temperature is not.
        score: log_prob / length ** length_penalty; the length counts the end of sequence if
            it came, and is at least 1.
        finish_reason: "eos" if the model ended it; "length" if the length limit did, or if the
            rules left no token to go on with.
    """

    token_ids: tuple[int, ...]
    log_prob: float
    score: float
    finish_reason: FinishReason


class Pool:
    """The best finished hypotheses of one request, as many as it has rows, best first.

    Equal scores keep the order in which they came.
    """

    def __init__(self, config: SearchConfig) -> None:
        self.config = config
        self.hypotheses: list[Hypothesis] = []

    def add(self, token_ids: tuple[int, ...], log_prob: float, finish_reason: FinishReason) -> None:
        """Enter a finished sequence; the worst one leaves when there are too many."""
        length = len(token_ids) + (finish_reason == "eos")
        hypothesis = Hypothesis(token_ids, log_prob, self._score(log_prob, length), finish_reason)
        insort(self.hypotheses, hypothesis, key=lambda h: -h.score)
        del self.hypotheses[self.config.rows :]

    def attainable(self, log_prob: float, length: int) -> float:
        """Return a score that no end of a live hypothesis of `length` tokens can exceed.

        Log-probabilities only fall, and between the shortest and the longest possible end the
        score changes in one direction, whichever sign the length penalty has.
        """
        return max(self._score(log_prob, length), self._score(log_prob, self.config.max_length))

    def is_settled(self, log_prob: float, length: int) -> bool:
        """Return whether a beam search may end; its best live hypothesis is the one given."""
        if self.config.sample or len(self.hypotheses) < self.config.beam_size:
            return False
        if self.config.early_stopping:
            return True
        return self.attainable(log_prob, length) <= self.hypotheses[-1].score

    def _score(self, log_prob: float, length: int) -> float:
        return float(log_prob / max(length, 1) ** self.config.length_penalty)
