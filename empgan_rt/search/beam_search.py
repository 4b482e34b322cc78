"""Beam search and sampling as a NumPy state machine over slots; it knows no backend.

A slot holds one request of up to K rows: beams, or independent chains when sampling. Each step
the caller hands `token_ids`, `parents`, `banned()` and `num_candidates()` to `Backend.step`, and
what comes back to `advance`. `decode` is that loop for one static batch, `Lane` the one for
requests that come and go.

Every rule acts within its own slot, ties go to the lower beam and then to the better-ranked
candidate, and scores add up in float64: a reply is the same alone and in any company.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from ..bans import Bans
from ..config import SearchConfig
from ..errors import InputError
from ..graph_spec import PAD, SOS, Candidates, IntArray
from .expansion import Expansion, expand_beams, extend_chains
from .hypothesis import Hypothesis, Pool
from .progress import Progress
from .rules import SearchRules
from .sampling import Float64Array, uniform_numbers

Number = TypeVar("Number", np.int32, np.float64)


class BeamSearch:
    """Searches `slots` requests side by side, in `beam_size` rows (K) each.

    Args:
        slots: B, requests at the same time.
        beam_size: K, the most rows of a request; one with fewer leaves the rest dead.
        vocabulary_size: V, the most candidates that a step can return.
    """

    def __init__(self, slots: int, beam_size: int, vocabulary_size: int) -> None:
        shape = (slots, beam_size)
        self._vocabulary_size = vocabulary_size
        self._beams = np.broadcast_to(np.arange(beam_size), shape)
        self._rows = np.arange(slots * beam_size).reshape(shape)  # counted over all slots
        self._token_ids: IntArray = np.full(shape, PAD, np.int32)
        self._parents: IntArray = self._beams.astype(np.int32)
        self._sequences: IntArray = np.full((*shape, 1), PAD, np.int32)  # (B, K, T)
        self._uniform: Float64Array = np.zeros((*shape, 1))  # (B, K, T)
        self._scores: Float64Array = np.full(shape, -np.inf)  # -inf marks a dead row
        self._lengths = np.zeros(slots, np.int64)
        self._active = np.zeros(slots, np.int64)  # 1 while a slot is searched
        self._configs = [SearchConfig(beam_size=1)] * slots
        self._bans = [Bans()] * slots
        self._pools = [Pool(config) for config in self._configs]
        self._contested: set[int] = set()  # full pools that a live beam may still improve
        self._rules = SearchRules.of(self._configs, self._bans, beam_size)
        self._recount()

    @property
    def token_ids(self) -> IntArray:
        """(B, K) int32: the token each row took last; SOS at the start, PAD in dead rows."""
        return self._token_ids

    @property
    def parents(self) -> IntArray:
        """(B, K) int32: the row of the same slot that each row descends from."""
        return self._parents

    @property
    def is_finished(self) -> bool:
        """Whether no slot is being searched."""
        return not self._progress.running

    def start(
        self,
        slots: Sequence[int],
        configs: Sequence[SearchConfig],
        bans: Sequence[Bans],
    ) -> None:
        """Begin a request in each of `slots`, replacing what was there.

        Args:
            slots: where the requests go.
            configs: how to search, one for each request.
            bans: what never comes, one for each request.

        Raises:
            InputError: the arguments differ in number, or a request has more rows than K.
        """
        beam_size = self._rows.shape[1]
        if not len(slots) == len(configs) == len(bans):
            raise InputError(
                f"{len(slots)} slots, {len(configs)} configs and {len(bans)} bans",
                hint="give one of each for every request",
            )
        widest = max((config.rows for config in configs), default=0)
        if widest > beam_size:
            raise InputError(
                f"a request of {widest} rows in a search of {beam_size}",
                hint="open the search with the largest SearchConfig.rows",
            )
        longest = max((config.max_length for config in configs), default=0)
        if longest > self._sequences.shape[2]:
            self._sequences = _grown(self._sequences, longest)
            self._uniform = _grown(self._uniform, longest)
        for slot, config, own in zip(slots, configs, bans, strict=True):
            self._clear(slot)
            self._configs[slot], self._bans[slot] = config, own
            self._pools[slot] = Pool(config)
            self._token_ids[slot] = SOS
            self._active[slot] = 1
            # The beams of a search descend from one row: equal rows would stay equal.
            self._scores[slot, : config.rows if config.sample else 1] = 0.0
            if config.sample:
                self._uniform[slot, : config.rows, : config.max_length] = uniform_numbers(config)
        self._rules = SearchRules.of(self._configs, self._bans, beam_size)
        self._recount()

    def stop(self, slot: int) -> None:
        """End the search of a slot, whatever it has found; it is inert from now on."""
        self._clear(slot)
        self._recount()

    def rearranged(self, slots: Sequence[int], count: int) -> BeamSearch:
        """Return a search of `count` slots: first these ones as they stand, then inert ones."""
        beam_size, kept = self._rows.shape[1], list(slots)
        other = BeamSearch(count, beam_size, self._vocabulary_size)
        longest = self._sequences.shape[2]
        other._sequences = np.full((count, beam_size, longest), PAD, np.int32)
        other._uniform = np.zeros((count, beam_size, longest))
        for name in ("token_ids", "parents", "sequences", "uniform", "scores", "lengths", "active"):
            getattr(other, f"_{name}")[: len(kept)] = getattr(self, f"_{name}")[kept]
        for place, slot in enumerate(kept):
            other._configs[place] = self._configs[slot]
            other._bans[place] = self._bans[slot]
            other._pools[place] = self._pools[slot]
            if slot in self._contested:
                other._contested.add(place)
        other._rules = SearchRules.of(other._configs, other._bans, beam_size)
        other._recount()
        return other

    def banned(self) -> IntArray:
        """Return (B, K, S) int32: ids to strike in the next step, padded with PAD.

        They are SOS, UNK unless it is allowed, the request's own, the end of sequence before
        the minimum length, and whatever completes a banned phrase or an n-gram that its row
        already holds. They are to be read only.
        """
        return self._rules.banned(
            self._written(),
            self._lengths,
            may_end=self._progress.to_minimum <= 0,
            together=self._progress.together,
        )

    def num_candidates(self) -> int:
        """Return C: so many candidates of each row make the next step exact."""
        return self._needed

    def advance(self, candidates: Candidates) -> list[int]:
        """Take one step in every slot; return the slots whose search ended with it.

        Args:
            candidates: (B, K, C) of the last `Backend.step`; dead rows may hold anything.

        Raises:
            DivergenceError: a log-probability of a live row is NaN or positive infinity.
        """
        rules, scores = self._rules, self._scores
        log_probs, struck = rules.counted(candidates, self._written(), scores)
        expansion = expand_beams(scores, log_probs, candidates.token_ids, rules)
        if rules.sampled.size:
            uniform = self._uniform[rules.sampled, :, self._lengths[rules.sampled]]  # (S, K)
            extend_chains(expansion, scores, log_probs, candidates.token_ids, rules, uniform)
        for slot, row, log_prob in expansion.ended:
            self._pools[slot].add(self._tokens_of(slot, row), log_prob, "eos")
        touched = {slot for slot, *_ in expansion.ended} | self._contested
        if struck:  # of some rows it may be every candidate
            stuck = (log_probs[:, :, 0] == -np.inf) & (scores > -np.inf)
            for slot, row in np.argwhere(stuck).tolist():
                tokens, log_prob = self._tokens_of(slot, row), float(scores[slot, row])
                self._pools[slot].add(tokens, log_prob, "length")
                touched.add(slot)
        self._descend(expansion)
        if self._progress.to_limit == 0:
            touched.update(np.flatnonzero(self._lengths == rules.max_length).tolist())
        ended = [slot for slot in sorted(touched) if self._settle(slot)]
        if ended:
            self._recount()
        return ended

    def results(self, slot: int) -> list[Hypothesis]:
        """Return the finished hypotheses of a slot, best first, at most num_hypotheses.

        They are final once the slot has ended; then fewer come only if no more exist.
        """
        return self._pools[slot].hypotheses[: self._configs[slot].num_hypotheses]

    def shared_prefix(self, slot: int) -> tuple[int, ...]:
        """Return the tokens that the best hypothesis will begin with, whatever is still to come.

        They are what all possible winners share: the best finished hypothesis, and every live
        one that may still beat it. A later call never takes a token back.
        """
        pool, length = self._pools[slot], int(self._lengths[slot])
        winners = [hypothesis.token_ids for hypothesis in pool.hypotheses[:1]]
        to_beat = pool.hypotheses[0].score if pool.hypotheses else -np.inf
        for row in np.flatnonzero(self._scores[slot] > -np.inf).tolist():
            if pool.attainable(float(self._scores[slot, row]), length) > to_beat:
                winners.append(self._tokens_of(slot, row))
        for place, tokens in enumerate(zip(*winners, strict=False)):
            if len(set(tokens)) > 1:
                return winners[0][:place]
        return min(winners, key=len, default=())

    def _written(self) -> IntArray:
        """Return the part of the sequences that holds tokens, (B, K, greatest length)."""
        return self._sequences[:, :, : self._progress.longest]

    def _tokens_of(self, slot: int, row: int) -> tuple[int, ...]:
        return tuple(self._sequences[slot, row, : self._lengths[slot]].tolist())

    def _descend(self, expansion: Expansion) -> None:
        """Make every row the continuation of its parent by its token."""
        parents, token_ids = expansion.parents, expansion.token_ids
        dead = expansion.scores == -np.inf
        if np.count_nonzero(dead):
            token_ids[dead] = PAD
            parents[dead] = self._rows[dead]
        self._token_ids = token_ids
        self._scores = expansion.scores
        room = self._sequences.shape[2]
        if self._rows.shape[1] > 1:  # or each row descends from itself
            self._parents = (parents - self._rows[:, :1]).astype(np.int32)
            self._sequences = self._sequences.reshape(-1, room).take(parents, axis=0)
        if self._progress.together:  # the rows of empty slots take PAD
            self._sequences[:, :, self._progress.longest] = token_ids
        else:
            self._sequences.reshape(-1)[self._rows * room + self._lengths[:, None]] = token_ids
        self._lengths += self._active
        self._progress.step()

    def _recount(self) -> None:
        """Take stock of the slots, after a search has begun or ended."""
        self._progress = Progress.of(self._active, self._lengths, self._rules)
        needed = int((self._rules.num_candidates * self._active).max())
        self._needed = min(max(needed, 1), self._vocabulary_size)

    def _settle(self, slot: int) -> bool:
        """Return whether the search of a slot is over, and close the slot if it is."""
        pool, config, length = self._pools[slot], self._configs[slot], int(self._lengths[slot])
        live = np.flatnonzero(self._scores[slot] > -np.inf).tolist()
        if live and not pool.is_settled(float(self._scores[slot].max()), length):
            if length < config.max_length:
                if len(pool.hypotheses) == config.rows:
                    self._contested.add(slot)
                return False
            for row in live:
                pool.add(self._tokens_of(slot, row), float(self._scores[slot, row]), "length")
        self._clear(slot)
        return True

    def _clear(self, slot: int) -> None:
        """Make a slot inert: its rows are dead and feed PAD to themselves."""
        self._contested.discard(slot)
        self._active[slot] = self._lengths[slot] = 0
        self._scores[slot] = -np.inf
        self._sequences[slot] = self._token_ids[slot] = PAD
        self._parents[slot] = self._beams[slot]


def _grown(array: npt.NDArray[Number], room: int) -> npt.NDArray[Number]:
    """Return (B, K, `room`): an array (B, K, T), then zeros, which are PAD."""
    grown = np.zeros((*array.shape[:2], room), array.dtype)
    grown[:, :, : array.shape[2]] = array
    return grown
