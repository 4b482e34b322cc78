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

import numpy as np

from ..config import SearchConfig
from ..errors import InputError
from ..graph_spec import Candidates, IntArray
from ..text.bans import Bans
from .expansion import expand_beams, extend_chains
from .hypothesis import Hypothesis, Pool
from .progress import Progress
from .rows import Rows
from .rules import SearchRules


class BeamSearch:
    """Searches `slots` requests side by side, in `beam_size` rows (K) each.

    Args:
        slots: B, requests at the same time.
        beam_size: K, the most rows of a request; one with fewer leaves the rest dead.
        vocabulary_size: V, the most candidates that a step can return.
    """

    def __init__(self, slots: int, beam_size: int, vocabulary_size: int) -> None:
        self._vocabulary_size = vocabulary_size
        self._rows = Rows(slots, beam_size)
        self._configs = [SearchConfig(beam_size=1)] * slots
        self._bans = [Bans()] * slots
        self._pools = [Pool(config) for config in self._configs]
        self._contested: set[int] = set()  # full pools that a live beam may still improve
        # Found when a step asks for them: between two steps slots change several times.
        self._known_rules: SearchRules | None = None
        self._known_progress: Progress | None = None

    @property
    def token_ids(self) -> IntArray:
        """(B, K) int32: the token each row took last; SOS at the start, PAD in dead rows."""
        return self._rows.token_ids

    @property
    def parents(self) -> IntArray:
        """(B, K) int32: the row of the same slot that each row descends from."""
        return self._rows.parents

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
        beam_size = self._rows.beam_size
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
        self._rows.make_room(max((config.max_length for config in configs), default=0))
        self._known_rules = self._known_progress = None
        for slot, config, own in zip(slots, configs, bans, strict=True):
            self._contested.discard(slot)
            self._configs[slot], self._bans[slot] = config, own
            self._pools[slot] = Pool(config)
            self._rows.begin(slot, config)

    def stop(self, slot: int) -> None:
        """End the search of a slot, whatever it has found; it is inert from now on."""
        self._clear(slot)

    def rearranged(self, slots: Sequence[int], count: int) -> BeamSearch:
        """Return a search of `count` slots: first these ones as they stand, then inert ones."""
        beam_size, kept = self._rows.beam_size, list(slots)
        other = BeamSearch(count, beam_size, self._vocabulary_size)
        other._rows = self._rows.rearranged(kept, count)
        for place, slot in enumerate(kept):
            other._configs[place] = self._configs[slot]
            other._bans[place] = self._bans[slot]
            other._pools[place] = self._pools[slot]
            if slot in self._contested:
                other._contested.add(place)
        return other

    def banned(self) -> IntArray:
        """Return (B, K, S) int32: ids to strike in the next step, padded with PAD.

        They are SOS, UNK unless it is allowed, the request's own, the end of sequence before
        the minimum length, and whatever completes a banned phrase or an n-gram that its row
        already holds. They are to be read only.
        """
        return self._rules.banned(
            self._written(),
            self._rows.lengths,
            may_end=self._progress.to_minimum <= 0,
            together=self._progress.together,
        )

    def num_candidates(self) -> int:
        """Return C: so many candidates of each row make the next step exact."""
        return min(max(self._progress.candidates, 1), self._vocabulary_size)

    def advance(self, candidates: Candidates) -> list[int]:
        """Take one step in every slot; return the slots whose search ended with it.

        Args:
            candidates: (B, K, C) of the last `Backend.step`; dead rows may hold anything.

        Raises:
            DivergenceError: a log-probability of a live row is NaN or positive infinity.
        """
        rules, rows, scores = self._rules, self._rows, self._rows.scores
        log_probs, struck = rules.counted(candidates, self._written(), scores)
        expansion = expand_beams(scores, log_probs, candidates.token_ids, rules)
        if rules.sampled.size:
            uniform = rows.uniform[rules.sampled, :, rows.lengths[rules.sampled]]  # (S, K)
            extend_chains(expansion, scores, log_probs, candidates.token_ids, rules, uniform)
        for slot, row, log_prob in expansion.ended:
            self._pools[slot].add(rows.tokens_of(slot, row), log_prob, "eos")
        touched = {slot for slot, *_ in expansion.ended} | self._contested
        if struck:  # of some rows it may be every candidate
            stuck = (log_probs[:, :, 0] == -np.inf) & (scores > -np.inf)
            for slot, row in np.argwhere(stuck).tolist():
                tokens, log_prob = rows.tokens_of(slot, row), float(scores[slot, row])
                self._pools[slot].add(tokens, log_prob, "length")
                touched.add(slot)
        rows.descend(expansion, self._progress)
        self._progress.step()
        if self._progress.to_limit == 0:
            touched.update(np.flatnonzero(rows.lengths == rules.max_length).tolist())
        return [slot for slot in sorted(touched) if self._settle(slot)]

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
        pool, rows, length = self._pools[slot], self._rows, int(self._rows.lengths[slot])
        winners = [hypothesis.token_ids for hypothesis in pool.hypotheses[:1]]
        to_beat = pool.hypotheses[0].score if pool.hypotheses else -np.inf
        for row in rows.live(slot):
            if pool.attainable(float(rows.scores[slot, row]), length) > to_beat:
                winners.append(rows.tokens_of(slot, row))
        for place, tokens in enumerate(zip(*winners, strict=False)):
            if len(set(tokens)) > 1:
                return winners[0][:place]
        return min(winners, key=len, default=())

    @property
    def _rules(self) -> SearchRules:
        """What the requests in all slots allow."""
        if self._known_rules is None:
            self._known_rules = SearchRules.of(self._configs, self._bans, self._rows.beam_size)
        return self._known_rules

    @property
    def _progress(self) -> Progress:
        """How far the searches are, counted on by each step."""
        if self._known_progress is None:
            rows = self._rows
            self._known_progress = Progress.of(rows.active, rows.lengths, self._rules)
        return self._known_progress

    def _written(self) -> IntArray:
        """Return the part of the sequences that holds tokens, (B, K, greatest length)."""
        return self._rows.sequences[:, :, : self._progress.longest]

    def _settle(self, slot: int) -> bool:
        """Return whether the search of a slot is over, and close the slot if it is."""
        pool, config, rows = self._pools[slot], self._configs[slot], self._rows
        length, live = int(rows.lengths[slot]), rows.live(slot)
        if live and not pool.is_settled(float(rows.scores[slot].max()), length):
            if length < config.max_length:
                if len(pool.hypotheses) == config.rows:
                    self._contested.add(slot)
                return False
            for row in live:
                pool.add(rows.tokens_of(slot, row), float(rows.scores[slot, row]), "length")
        self._clear(slot)
        return True

    def _clear(self, slot: int) -> None:
        """Make a slot inert."""
        self._contested.discard(slot)
        self._rows.clear(slot)
        self._known_progress = None
