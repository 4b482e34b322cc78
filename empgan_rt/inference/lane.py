"""Requests that are decoded side by side and come and go between steps.

Newcomers take seats that are free, and widen the lane where there are too few. It closes up before
a step of which a quarter would be for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np

from ..backend import Backend, Encoded
from ..config import SearchConfig
from ..search.beam_search import BeamSearch
from ..search.hypothesis import Hypothesis
from ..text.bans import Bans

Tenant = TypeVar("Tenant")


@dataclass(frozen=True)
class _Seats(Generic[Tenant]):
    """What must agree about who is in which slot, and so is exchanged as one."""

    state: Any  # the backend's
    search: BeamSearch
    tenants: list[Tenant | None]  # of each slot


class Lane(Generic[Tenant]):
    """Slots for tenants, who are whatever the caller knows its requests by.

    A lane that an exception leaves, `EmpganError`s of `enter` aside, may hold one request's search
    beside another's state: it must not be used again.

    Args:
        backend: computes the steps.
        beam_size: K, the rows of every request.
        vocabulary_size: V of the backend's model.
    """

    def __init__(self, backend: Backend, beam_size: int, vocabulary_size: int) -> None:
        self._backend = backend
        search = BeamSearch(1, beam_size, vocabulary_size)
        self._seats: _Seats[Tenant] = _Seats(backend.open(1, beam_size), search, [None])

    @property
    def tenants(self) -> list[Tenant]:
        """Those whose search goes on."""
        return [tenant for tenant in self._seats.tenants if tenant is not None]

    def enter(
        self,
        tenants: Sequence[Tenant],
        encoded: Encoded,
        configs: Sequence[SearchConfig],
        bans: Sequence[Bans],
    ) -> None:
        """Begin the search of tenant i for a reply to row i of `encoded`.

        Args:
            tenants: at least one.
            encoded: from the lane's backend.
            configs: how to search; none has more rows than the lane has beams.
            bans: what never comes.

        Raises:
            EmpganError: the backend or the search refused; those who were here go on.
        """
        if self._seats.tenants.count(None) < len(tenants):
            self._rearrange(len(tenants))
        seats = self._seats
        empty = np.flatnonzero([tenant is None for tenant in seats.tenants]).astype(np.int32)
        slots = empty[: len(tenants)]
        self._backend.admit(seats.state, slots, encoded)
        seats.search.start(slots.tolist(), configs, bans)
        for slot, tenant in zip(slots.tolist(), tenants, strict=True):
            seats.tenants[slot] = tenant

    def leave(self, tenant: Tenant) -> None:
        """End a tenant's search without a result."""
        slot = self._seats.tenants.index(tenant)
        self._seats.search.stop(slot)
        self._seats.tenants[slot] = None

    def step(self) -> list[tuple[Tenant, list[Hypothesis]]]:
        """Take one step for everybody; return whose search has ended, with what it found.

        Raises:
            DivergenceError: the model computed NaN or infinity.
        """
        empty = self._seats.tenants.count(None)
        if 4 * empty >= len(self._seats.tenants) > empty:
            self._rearrange(0)
        seats = self._seats
        search = seats.search
        candidates = self._backend.step(
            seats.state, search.token_ids, search.parents, search.banned(), search.num_candidates()
        )
        ended = []
        for slot in search.advance(candidates):
            tenant = seats.tenants[slot]
            if tenant is not None:
                ended.append((tenant, search.results(slot)))
                seats.tenants[slot] = None
        return ended

    def shared_prefix(self, tenant: Tenant) -> tuple[int, ...]:
        """Return the tokens that a tenant's best hypothesis is certain to begin with."""
        return self._seats.search.shared_prefix(self._seats.tenants.index(tenant))

    def _rearrange(self, room: int) -> None:
        """Close up, leaving `room` empty slots at the end; all of it or nothing."""
        seats = self._seats
        kept = [slot for slot, tenant in enumerate(seats.tenants) if tenant is not None]
        count = len(kept) + room
        self._seats = _Seats(
            self._backend.rearranged(seats.state, np.array(kept, np.int32), count),
            seats.search.rearranged(kept, count),
            [*(seats.tenants[slot] for slot in kept), *[None] * room],
        )
