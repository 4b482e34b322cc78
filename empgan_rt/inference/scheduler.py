"""In-flight batching: requests enter and leave the decoder between any two steps.

One thread takes the steps; what they are for comes from an `Intake`. Requests that may not share a
step (`LaneKey`) have lanes of their own, stepped in rotation.

No exception may lose a request or cross two. So a lane that an exception left is never stepped
again: its requests are begun anew in two halves, which are halved again until the one at fault is
alone. An exception that cannot be laid to a lane ends every request with an error.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count

from ..backend import Backend
from ..errors import EmpganError, InputError, ProviderError
from ..text.featurizer import encoder_input
from .intake import Intake, closed
from .lane import Lane
from .ticket import LaneKey, Ticket, late


class Scheduler:
    """Decides what each step of the decoder computes, and takes it.

    Args:
        backend: computes; from now on the scheduler alone uses it.
        vocabulary_size: V of the backend's model.
        max_running: most requests in decoding; the others wait in the order of their coming.

    Attributes:
        intake: where any thread hands in requests.

    Raises:
        InputError: max_running is below 1.
    """

    def __init__(self, backend: Backend, vocabulary_size: int, max_running: int) -> None:
        if max_running < 1:
            raise InputError(f"max_running is {max_running}", hint="give at least 1")
        self._backend, self._vocabulary_size = backend, vocabulary_size
        self._max_running = max_running
        self.intake = Intake(max_running)
        self._lanes: dict[LaneKey, Lane[Ticket]] = {}  # the next one to be stepped first
        self._groups = count(1)

    def step(self) -> None:
        """Take one step for all.

        Whatever goes wrong is told to those whom it concerns; only what is a bug or a signal is
        also raised, after it was told to everybody.
        """
        try:
            self._expire()
            self.intake.refill()
            self._admit()
            self._advance()
        except BaseException as error:
            self.abandon(_broken_off(error))
            raise

    def abandon(self, error: EmpganError) -> None:
        """End every request with an error."""
        self._lanes = {}
        self.intake.abandon(error)

    def close(self) -> None:
        """Take no further step: end every request with an error and release the backend."""
        self.intake.stop()
        self.abandon(closed())
        self._backend.close()

    def _expire(self) -> None:
        """Let go of requests that are taken back or late."""
        now = time.perf_counter()
        over = self.intake.queue.expire(now)
        for lane in self._lanes.values():
            for ticket in lane.tenants:
                if ticket.is_over(now):
                    lane.leave(ticket)
                    over.append(ticket)
        for ticket in over:
            self.intake.end(ticket, error=late())

    def _admit(self) -> None:
        """Encode the oldest requests that there is room for, and give them slots."""
        running = {key: len(lane.tenants) for key, lane in self._lanes.items()}
        newcomers = self.intake.queue.next_batch(running, self._max_running)
        if not newcomers:
            return
        key = newcomers[0].lane_key
        lane = self._lanes.get(key)
        others = lane.tenants if lane else []
        try:
            self._enter(newcomers, key)
        except EmpganError as error:
            self._find_fault(newcomers, error)
        except MemoryError as error:
            self._lanes.pop(key, None)
            self._find_fault(newcomers, _broken_off(error))
            self._begin_again(others)

    def _enter(self, newcomers: list[Ticket], key: LaneKey) -> None:
        began = time.perf_counter()
        features = [ticket.request.features for ticket in newcomers]
        encoded = self._backend.encode(encoder_input(features))
        ended = time.perf_counter()
        for row, ticket in enumerate(newcomers):
            ticket.label_probs = encoded.label_probs[row]
            ticket.encoding, ticket.encoded = began, ended
        lane = self._lanes.get(key) or Lane(self._backend, key.rows, self._vocabulary_size)
        lane.enter(
            newcomers,
            encoded,
            [ticket.search for ticket in newcomers],
            [ticket.request.bans for ticket in newcomers],
        )
        self._lanes[key] = lane

    def _advance(self) -> None:
        """Step the lane whose turn it is."""
        kept = [(key, lane) for key, lane in self._lanes.items() if lane.tenants]
        self._lanes = dict([*kept[1:], *kept[:1]])  # the first one goes behind the others
        if not kept:
            return
        key, lane = kept[0]
        tenants = lane.tenants
        try:
            ended = dict(lane.step())
        except (EmpganError, MemoryError) as error:
            self._lanes.pop(key, None)
            known = error if isinstance(error, EmpganError) else _broken_off(error)
            self._find_fault(tenants, known)
            return
        now = time.perf_counter()
        for ticket in tenants:
            ticket.steps += 1
            ticket.stepped = ticket.stepped or now
            if ticket in ended:
                self.intake.end(ticket, ended[ticket])
            elif ticket.streams:
                prefix = lane.shared_prefix(ticket)
                if len(prefix) > len(ticket.prefix):  # it may have been begun again
                    ticket.prefix = prefix
                ticket.tell()

    def _find_fault(self, tickets: Sequence[Ticket], error: EmpganError) -> None:
        """End a request that failed alone; begin several again, in two halves."""
        if len(tickets) == 1:
            self.intake.end(tickets[0], error=error)
            return
        half = len(tickets) // 2
        self._begin_again(tickets[half:])
        self._begin_again(tickets[:half])

    def _begin_again(self, tickets: Sequence[Ticket]) -> None:
        """Let requests go first in the queue, in a group of their own."""
        group = next(self._groups)
        for ticket in tickets:
            ticket.group = group
        self.intake.queue.put_back(tickets)


def _broken_off(error: BaseException) -> ProviderError:
    told = ProviderError(
        f"a step was broken off by {type(error).__name__}", hint="ask for the reply again"
    )
    told.__cause__ = error
    return told
