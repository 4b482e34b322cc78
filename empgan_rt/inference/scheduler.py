"""In-flight batching: requests enter and leave the decoder between any two steps.

Any thread may hand in requests; one thread takes the steps. Requests that may not share a step
(`LaneKey`) have lanes of their own, stepped in rotation.

No exception may lose a request or cross two. So what is accepted stays in one table until its
caller was told, and a lane that an exception left is never stepped again: its requests are begun
anew in two halves, which are halved again until the one at fault is alone. An exception that cannot
be laid to a lane ends every request with an error. Nothing here has a lock: threads meet in single
operations of dicts, deques and queues, which no exception can interrupt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import count
from queue import SimpleQueue

from ..backend import Backend
from ..errors import EmpganError, InputError, ProviderError, QueueFullError
from ..search.hypothesis import Hypothesis
from ..text.featurizer import encoder_input
from .batch import Batch
from .lane import Lane
from .request_queue import RequestQueue
from .ticket import LaneKey, Ticket, late


class Scheduler:
    """Decides what each step of the decoder computes, and takes it.

    Args:
        backend: computes; from now on the scheduler alone uses it.
        vocabulary_size: V of the backend's model.
        max_running: most requests in decoding; the others wait in the order of their coming.

    Raises:
        InputError: max_running is below 1.
    """

    def __init__(self, backend: Backend, vocabulary_size: int, max_running: int) -> None:
        if max_running < 1:
            raise InputError(f"max_running is {max_running}", hint="give at least 1")
        self._backend, self._vocabulary_size = backend, vocabulary_size
        self._max_running = max_running
        self._accepted: dict[Ticket, None] = {}  # whose callers were not told of their end yet
        self._batches: dict[Batch, None] = {}  # of which requests are still to come
        self._queue = RequestQueue()
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._lanes: dict[LaneKey, Lane[Ticket]] = {}  # the next one to be stepped first
        self._groups = count(1)
        self._draining = self._stopped = False

    # For any thread, at any time, signal handlers included

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._accepted or self._batches)

    @property
    def is_over(self) -> bool:
        """Whether no further step is to be taken."""
        return self._stopped or (self._draining and self.is_idle)

    def submit(self, ticket: Ticket, most_waiting: int | None = None) -> Ticket:
        """Accept a request, and return it; this waits for no step.

        Raises:
            QueueFullError: `most_waiting` others wait already that there is no room for.
            InputError: the scheduler is closed.
        """
        try:
            # In this order: what is in the table when the last step is over will be told so.
            self._accepted[ticket] = None
            self._refuse_if_closed()
            if most_waiting is not None:
                self._refuse_if_full(most_waiting)
            self._queue.add(ticket)
            self._wake_up()
        except BaseException:
            ticket.cancel()
            self._accepted.pop(ticket, None)
            raise
        return ticket

    def submit_batch(self, batch: Batch) -> Batch:
        """Accept requests that enter one after the other, and return them.

        Raises:
            InputError: the scheduler is closed.
        """
        try:
            self._batches[batch] = None
            self._refuse_if_closed()
            self._wake_up()
        except BaseException:
            batch.cancel()
            self._batches.pop(batch, None)
            raise
        return batch

    def drain(self) -> None:
        """Accept nothing more; end when what was accepted is answered."""
        self._draining = True
        self._wake_up()

    def stop(self) -> None:
        """Accept nothing more; end before the next step."""
        self._stopped = True
        self._wake_up()

    # For the thread that takes the steps

    def wait(self) -> None:
        """Return when there may be something to do."""
        if self.is_idle and not self.is_over:
            self._wake.get()

    def step(self) -> None:
        """Take one step for all.

        Whatever goes wrong is told to those whom it concerns; only what is a bug or a signal is
        also raised, after it was told to everybody.
        """
        try:
            self._expire()
            self._refill()
            self._admit()
            self._advance()
        except BaseException as error:
            self.abandon(_broken_off(error))
            raise

    def abandon(self, error: EmpganError) -> None:
        """End every request with an error."""
        self._lanes = {}
        self._queue.clear()
        batches = list(self._batches)
        for batch in batches:
            batch.fail(error)
            self._batches.pop(batch, None)
        for ticket in list(self._accepted):
            self._end(ticket, error=error)

    def close(self) -> None:
        """Take no further step: end every request with an error and release the backend."""
        self._stopped = True
        self.abandon(closed())
        self._backend.close()

    def _refuse_if_closed(self) -> None:
        if self._draining or self._stopped:
            raise closed()

    def _refuse_if_full(self, most_waiting: int) -> None:
        most = most_waiting + self._max_running
        if len(self._accepted) <= most:
            return
        # Some may be over whose callers are just being told.
        if sum(not ticket.is_done for ticket in list(self._accepted)) > most:
            raise QueueFullError(
                f"{most_waiting} requests are waiting already, as many as may",
                hint="ask again later, or raise max_queue",
            )

    def _wake_up(self) -> None:
        if self._wake.empty():
            self._wake.put(None)

    def _expire(self) -> None:
        """Let go of requests that are taken back or late."""
        now = time.perf_counter()
        over = self._queue.expire(now)
        for lane in self._lanes.values():
            for ticket in lane.tenants:
                if ticket.is_over(now):
                    lane.leave(ticket)
                    over.append(ticket)
        for ticket in over:
            self._end(ticket, error=late())

    def _refill(self) -> None:
        """Let the requests of batches wait whose turn has come."""
        for batch in list(self._batches):
            for ticket in batch.due():
                self._accepted[ticket] = None
                self._queue.add(ticket)
            if batch.is_handed_in:
                self._batches.pop(batch, None)

    def _admit(self) -> None:
        """Encode the oldest requests that there is room for, and give them slots."""
        running = {key: len(lane.tenants) for key, lane in self._lanes.items()}
        newcomers = self._queue.next_batch(running, self._max_running)
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
                self._end(ticket, ended[ticket])
            elif ticket.streams:
                prefix = lane.shared_prefix(ticket)
                if len(prefix) > len(ticket.prefix):  # it may have been begun again
                    ticket.prefix = prefix
                ticket.tell()

    def _find_fault(self, tickets: Sequence[Ticket], error: EmpganError) -> None:
        """End a request that failed alone; begin several again, in two halves."""
        if len(tickets) == 1:
            self._end(tickets[0], error=error)
            return
        half = len(tickets) // 2
        self._begin_again(tickets[half:])
        self._begin_again(tickets[:half])

    def _begin_again(self, tickets: Sequence[Ticket]) -> None:
        """Let requests go first in the queue, in a group of their own."""
        group = next(self._groups)
        for ticket in tickets:
            ticket.group = group
        self._queue.put_back(tickets)

    def _end(
        self,
        ticket: Ticket,
        hypotheses: list[Hypothesis] | None = None,
        error: EmpganError | None = None,
    ) -> None:
        """Enter how a request ended, tell its caller, and forget it."""
        ticket.finish(hypotheses, error)
        self._accepted.pop(ticket, None)


def _broken_off(error: BaseException) -> ProviderError:
    told = ProviderError(
        f"a step was broken off by {type(error).__name__}", hint="ask for the reply again"
    )
    told.__cause__ = error
    return told


def closed() -> InputError:
    """Return the error of a model that answers no more."""
    return InputError("the model is closed", hint="load it again")
