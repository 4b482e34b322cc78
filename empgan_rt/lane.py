"""Requests of one beam width that are decoded side by side and come and go between steps.

A lane is as wide as the requests in it: newcomers widen it, and it closes up before a step of which
a quarter would be for nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Generic, TypeVar

import numpy as np

from .backend import Backend, Encoded
from .beam_search import BeamSearch
from .config import SearchConfig
from .hypothesis import Hypothesis

Tenant = TypeVar("Tenant")


class Lane(Generic[Tenant]):
    """Slots for tenants, who are whatever the caller knows its requests by.

    Args:
        backend: computes the steps.
        beam_size: K, the rows of every request.
        vocabulary_size: V of the backend's model.
    """

    def __init__(self, backend: Backend, beam_size: int, vocabulary_size: int) -> None:
        self._backend = backend
        self._search = BeamSearch(1, beam_size, vocabulary_size)
        self._state = backend.open(1, beam_size)
        self._tenants: list[Tenant | None] = [None]  # of each slot

    @property
    def tenants(self) -> list[Tenant]:
        """Those whose search goes on."""
        return [tenant for tenant in self._tenants if tenant is not None]

    def enter(
        self,
        tenants: Sequence[Tenant],
        encoded: Encoded,
        configs: Sequence[SearchConfig],
        banned: Sequence[Sequence[int]],
    ) -> None:
        """Begin the search of tenant i for a reply to row i of `encoded`.

        Args:
            tenants: at least one.
            encoded: from the lane's backend.
            configs: how to search; none has more rows than the lane has beams.
            banned: token ids that never come.
        """
        if self._tenants.count(None) != len(tenants):
            self._rearrange(len(tenants))
        slots = np.flatnonzero([tenant is None for tenant in self._tenants]).astype(np.int32)
        self._search.start(slots.tolist(), configs, banned)
        self._backend.admit(self._state, slots, encoded)
        for slot, tenant in zip(slots.tolist(), tenants, strict=True):
            self._tenants[slot] = tenant

    def leave(self, tenant: Tenant) -> None:
        """End a tenant's search without a result."""
        slot = self._tenants.index(tenant)
        self._search.stop(slot)
        self._tenants[slot] = None

    def step(self) -> list[tuple[Tenant, list[Hypothesis]]]:
        """Take one step for everybody; return whose search has ended, with what it found.

        Raises:
            DivergenceError: the model computed NaN or infinity.
        """
        empty = self._tenants.count(None)
        if 4 * empty >= len(self._tenants) > empty:
            self._rearrange(0)
        search = self._search
        candidates = self._backend.step(
            self._state, search.token_ids, search.parents, search.banned(), search.num_candidates()
        )
        ended = []
        for slot in search.advance(candidates):
            tenant = self._tenants[slot]
            if tenant is not None:
                ended.append((tenant, search.results(slot)))
                self._tenants[slot] = None
        return ended

    def shared_prefix(self, tenant: Tenant) -> tuple[int, ...]:
        """Return the tokens that a tenant's best hypothesis is certain to begin with."""
        return self._search.shared_prefix(self._tenants.index(tenant))

    def _rearrange(self, room: int) -> None:
        """Close up, leaving `room` empty slots at the end."""
        kept = [slot for slot, tenant in enumerate(self._tenants) if tenant is not None]
        count = len(kept) + room
        # First what may fail for want of memory: until then nothing has changed.
        self._state = self._backend.rearranged(self._state, np.array(kept, np.int32), count)
        self._search = self._search.rearranged(kept, count)
        self._tenants = [*(self._tenants[slot] for slot in kept), *[None] * room]
