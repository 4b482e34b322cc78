"""In-flight batching: requests enter and leave the decoder between any two steps.

Threads share an engine by taking turns: whoever waits for a reply takes the next step for all, if
nobody is at it. So a request needs no thread but its caller's, those of other callers join its
batch, and one that ends or is taken back leaves at once. Requests of unlike beam widths have lanes
of their own, stepped in rotation.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from .backend import Backend
from .errors import DeadlineError, EmpganError, InputError, ProviderError
from .lane import Lane
from .text.featurizer import encoder_input
from .ticket import Ticket
from .waiting_room import WaitingRoom


class Engine:
    """Decodes what is submitted to it; any number of threads may submit and wait.

    Args:
        backend: computes; from now on the engine alone uses it.
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
        self._lanes: dict[int, Lane[Ticket]] = {}  # by beam width, the next to be stepped first
        self._turn = threading.Condition(threading.Lock())  # guards what follows
        self._waiting = WaitingRoom()
        self._stepping = False
        self._running = 0  # requests in decoding or on their way there
        self._process = os.getpid()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        with self._turn:
            return not (self._waiting or self._running)

    def submit(self, ticket: Ticket, most_waiting: int | None = None) -> Ticket:
        """Hand in a request, and return it; this waits for no step.

        Raises:
            QueueFullError: `most_waiting` others wait already that there is no room for.
            ProviderError: this process was forked after the model was loaded.
        """
        self._check_process()
        with self._turn:
            room = self._max_running - self._running
            self._waiting.add(ticket, None if most_waiting is None else most_waiting + room)
        return ticket

    def progress(self, ticket: Ticket) -> Iterator[None]:
        """Yield whenever a ticket has made steps; it ends with the request.

        Raises:
            DeadlineError: the ticket's deadline is over; it is taken back.
            EmpganError: what the request failed with.
            ProviderError: this process was forked after the model was loaded.
        """
        steps = 0
        try:
            while True:
                self._wait(ticket, steps)
                ticket.check()
                if ticket.is_done:
                    return
                steps = ticket.steps
                yield
        finally:
            ticket.cancel()  # of no consequence to one that is done

    def wait(self, ticket: Ticket) -> None:
        """Return when a request is done; errors as `progress`."""
        for _ in self.progress(ticket):
            pass

    def step(self) -> None:
        """Take one step for all, unless another thread is at it; then wait until it is done.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self._check_process()
        with self._turn:
            if self._stepping:
                self._turn.wait()
            else:
                self._take_turn()

    def close(self) -> None:
        """Release the backend once no step is under way; requests in it fail.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self._check_process()
        with self._turn:
            self._turn.wait_for(lambda: not self._stepping)
            self._backend.close()

    def _wait(self, ticket: Ticket, steps: int) -> None:
        """Return when a ticket is done or has made more than so many steps."""
        while True:
            self._check_process()
            left = None if ticket.deadline is None else ticket.deadline - time.perf_counter()
            if left is not None and left <= 0 and not ticket.is_done:
                raise _late()
            if not self._turn.acquire(timeout=-1 if left is None else max(left, 0)):
                continue
            try:
                if ticket.is_done or ticket.steps > steps:
                    return
                if self._stepping:
                    self._turn.wait(left)
                else:
                    self._take_turn()
            finally:
                self._turn.release()

    def _take_turn(self) -> None:
        """Take one step, with the lock open to others meanwhile."""
        self._stepping = True
        self._turn.release()
        try:
            self._step()
        finally:
            self._turn.acquire()
            self._stepping = False
            self._running = sum(len(lane.tenants) for lane in self._lanes.values())
            self._turn.notify_all()

    def _step(self) -> None:
        self._turn_out()
        self._let_in()
        kept = [(width, lane) for width, lane in self._lanes.items() if lane.tenants]
        self._lanes = dict([*kept[1:], *kept[:1]])  # the first one goes behind the others
        for width, lane in kept[:1]:
            with self._failing(lane.tenants, width):
                self._step_lane(lane)

    def _step_lane(self, lane: Lane[Ticket]) -> None:
        ended = dict(lane.step())
        now = time.perf_counter()
        for ticket in (*lane.tenants, *ended):
            ticket.steps += 1
            ticket.stepped = ticket.stepped or now
        for ticket in lane.tenants:
            if ticket.streams:
                ticket.prefix = lane.shared_prefix(ticket)
            if ticket.on_step is not None:
                ticket.on_step()
        for ticket, hypotheses in ended.items():
            ticket.finish(hypotheses)

    def _turn_out(self) -> None:
        """Let go of requests that are taken back or late."""
        now = time.perf_counter()
        with self._turn:
            over = self._waiting.turn_out(now)
        for lane in self._lanes.values():
            for ticket in lane.tenants:
                if ticket.is_over(now):
                    lane.leave(ticket)
                    over.append(ticket)
        if over:
            _fail(over, _late())

    def _let_in(self) -> None:
        """Encode the oldest requests that there is room for, and give them slots."""
        running = {width: len(lane.tenants) for width, lane in self._lanes.items()}
        with self._turn:
            batch = self._waiting.next_batch(running, self._max_running)
            self._running = sum(running.values()) + len(batch)
        if batch:
            with self._failing(batch):
                self._encode(batch)

    def _encode(self, batch: list[Ticket]) -> None:
        began = time.perf_counter()
        requests = [ticket.request for ticket in batch]
        encoded = self._backend.encode(encoder_input([request.features for request in requests]))
        ended = time.perf_counter()
        for row, ticket in enumerate(batch):
            ticket.label_probs = encoded.label_probs[row]
            ticket.encoding, ticket.encoded = began, ended
        width = requests[0].search.rows
        if width not in self._lanes:
            self._lanes[width] = Lane(self._backend, width, self._vocabulary_size)
        lane = self._lanes[width]
        lane.enter(batch, encoded, [r.search for r in requests], [r.banned for r in requests])

    @contextmanager
    def _failing(self, tickets: list[Ticket], width: int | None = None) -> Iterator[None]:
        """Give what goes wrong in the block to these requests, and give up the lane of `width`.

        Only bugs and signals go on to the caller.
        """
        try:
            yield
        except BaseException as error:
            if width is not None:
                del self._lanes[width]
            if isinstance(error, EmpganError):
                _fail(tickets, error)
            else:
                _fail(tickets, _broken_off(error))
                raise

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise ProviderError(
                "the model was loaded before this process was forked",
                hint="load it in the child, or start the child with the spawn method",
            )


def _fail(tickets: list[Ticket], error: EmpganError) -> None:
    for ticket in tickets:
        if not ticket.is_done:
            ticket.finish(error=error)


def _broken_off(error: BaseException) -> ProviderError:
    return ProviderError(
        f"a step was broken off by {type(error).__name__}", hint="ask for the reply again"
    )


def _late() -> DeadlineError:
    return DeadlineError(
        "no reply within the time allowed",
        hint="allow more time, or choose a smaller beam_size or max_length",
    )
