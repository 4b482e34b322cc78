"""The thread that takes the steps of one model, from the first load to the interpreter's end.

Callers only hand in requests and wait, so an interrupt that meets a caller meets no search. The
thread does not keep its executor alive: one that nobody refers to ends. Before the interpreter
ends, all end, because a thread that computes then would take the process with it.
"""

from __future__ import annotations

import atexit
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TypeVar

from ..backend import Backend
from ..errors import ProviderError
from ..threads import ProcessGuard
from .batch import Batch
from .intake import closed
from .scheduler import Scheduler
from .ticket import Ticket, late

Item = TypeVar("Item")

_log = logging.getLogger(__name__)
_LOOK_S = 0.2  # how often a waiting caller looks whether the thread is still there


class Executor:
    """Decodes what is submitted to it; any number of threads may submit and wait.

    Args:
        backend: computes; from now on the executor alone uses it.
        vocabulary_size: V of the backend's model.
        max_running: most requests in decoding; the others wait in the order of their coming.

    Raises:
        InputError: max_running is below 1.
        ProviderError: no thread can be started.
    """

    def __init__(self, backend: Backend, vocabulary_size: int, max_running: int) -> None:
        self._guard = ProcessGuard()
        scheduler = Scheduler(backend, vocabulary_size, max_running)
        self._intake = scheduler.intake
        self._thread = _Thread(scheduler)
        weakref.finalize(self, self._intake.stop).atexit = False
        _threads[self._thread] = None
        try:
            self._thread.start()
        except RuntimeError as error:  # Python has no type for it
            _threads.pop(self._thread, None)
            raise ProviderError(f"no thread for the model: {error}", hint="end others") from None

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return self._intake.is_idle

    @property
    def num_waiting(self) -> int:
        """How many requests wait for a slot."""
        return self._intake.num_waiting

    @property
    def num_running(self) -> int:
        """How many requests are in decoding."""
        return self._intake.num_running

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is accepted."""
        return self._intake.is_closed

    def submit(self, ticket: Ticket, most_waiting: int | None = None) -> Ticket:
        """Hand in a request, and return it; this waits for no step.

        Raises:
            QueueFullError: `most_waiting` others wait already that there is no room for.
            InputError: the executor is closed.
            ProviderError: this process was forked after the model was loaded.
        """
        self._guard.check()
        return self._intake.submit(ticket, most_waiting)

    def progress(self, ticket: Ticket) -> Iterator[None]:
        """Yield when a ticket that streams has made steps; it ends with the request.

        Raises:
            DeadlineError: the ticket's deadline is over; it is taken back.
            EmpganError: what the request failed with.
            ProviderError: this process was forked after the model was loaded.
        """
        try:
            while True:
                self._guard.check()
                if ticket.is_done:
                    break
                self._next(ticket.moved, ticket.deadline)
                if not ticket.is_done:
                    yield
            ticket.check()
        finally:
            ticket.cancel()  # of no consequence to one that is done

    def wait(self, ticket: Ticket) -> None:
        """Return when a request is done; errors as `progress`."""
        for _ in self.progress(ticket):
            pass

    def completed(self, batch: Batch) -> Iterator[int]:
        """Hand in requests; yield the place of each when it is done, with a result or an error.

        Raises:
            InputError: the executor is closed.
            ProviderError: this process was forked after the model was loaded.
        """
        missing = set(range(len(batch.tickets)))
        try:
            self._guard.check()
            self._intake.submit_batch(batch)
            while missing:
                place = self._next(batch.ended)
                if place in missing:
                    missing.remove(place)
                    yield place
        finally:
            batch.cancel()  # of no consequence to those that are done

    def drain(self) -> None:
        """Accept nothing more; end when what was accepted is answered."""
        self._intake.drain()

    def join(self) -> None:
        """Return when the last step was taken and the backend is released.

        In the thread that takes the steps this returns at once.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self._guard.check()
        if threading.current_thread() is not self._thread:
            self._thread.wait_for_end()

    def close(self) -> None:
        """Release the backend once no step is under way; requests in it fail.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self._intake.stop()
        self.join()

    def _next(self, news: SimpleQueue[Item], deadline: float | None = None) -> Item:
        """Return the next item of a queue that the thread fills."""
        while True:
            self._guard.check()
            is_there = self._thread.is_there
            left = _LOOK_S if deadline is None else max(0.0, deadline - time.perf_counter())
            with suppress(Empty):
                return news.get(timeout=min(left, _LOOK_S))
            if not left:
                raise late()
            if not is_there:
                raise ProviderError("the model's thread has ended", hint="load the model again")


class _Thread(threading.Thread):
    """Takes steps until the scheduler is over, then releases the backend.

    Whoever waits for its end does not `join`: in Python 3.11, an interrupt in there marks a thread
    as ended that is not.
    """

    def __init__(self, scheduler: Scheduler) -> None:
        super().__init__(name="empgan-rt", daemon=True)
        self._scheduler = scheduler
        self._has_ended = False
        self._end: SimpleQueue[None] = SimpleQueue()

    @property
    def is_there(self) -> bool:
        """Whether it may still take a step, and has not released the backend."""
        return self.is_alive() and not self._has_ended

    def run(self) -> None:
        """Take steps; called by `start`."""
        scheduler, intake = self._scheduler, self._scheduler.intake
        try:
            while not intake.is_over:
                try:
                    intake.wait()
                    scheduler.step()
                except Exception:  # its requests were told; the next ones may do better
                    _log.exception("a step was broken off")
        finally:
            try:
                scheduler.close()
            finally:
                intake.stop()
                scheduler.abandon(closed())  # once more: the end may have been broken off
                self._has_ended = True
                _threads.pop(self, None)
                self._end.put(None)

    def end(self) -> None:
        """Take no further step."""
        self._scheduler.intake.stop()

    def wait_for_end(self) -> None:
        """Return when the backend is released."""
        while self.is_there:
            with suppress(Empty):
                self._end.get(timeout=_LOOK_S)
                self._end.put(None)  # for others who wait


_threads: dict[_Thread, None] = {}  # that may still take steps


@atexit.register
def _end_all() -> None:
    """End all threads, however often the user loses patience meanwhile: it takes one step."""
    for thread in list(_threads):
        thread.end()
    for thread in list(_threads):
        while thread.is_there:
            with suppress(KeyboardInterrupt):
                thread.wait_for_end()
