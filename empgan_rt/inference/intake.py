"""Where any thread hands in requests, and where they are remembered until their callers were told.

No exception may lose a request, so what is accepted stays in one table until its caller was told
of its end. Nothing here has a lock: threads meet in single operations of dicts, deques and queues,
which no exception can interrupt.
"""

from __future__ import annotations

from queue import SimpleQueue
from typing import TypeVar

from ..errors import EmpganError, InputError, QueueFullError
from ..search.hypothesis import Hypothesis
from .batch import Batch
from .request_queue import RequestQueue
from .ticket import Ticket

Asked = TypeVar("Asked", Ticket, Batch)


class Intake:
    """Requests that were accepted: those that wait, those in decoding, and batches of such.

    Args:
        max_running: most requests in decoding; the others wait in the order of their coming.

    Attributes:
        queue: those that wait; the thread that takes the steps takes from it.
    """

    def __init__(self, max_running: int) -> None:
        self._max_running = max_running
        self.queue = RequestQueue()
        self._accepted: dict[Ticket, None] = {}  # whose callers were not told of their end yet
        self._batches: dict[Batch, None] = {}  # of which requests are still to come
        self._wake: SimpleQueue[None] = SimpleQueue()
        self._draining = self._stopped = False

    # For any thread, at any time, signal handlers included

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to do."""
        return not (self._accepted or self._batches)

    @property
    def is_closed(self) -> bool:
        """Whether nothing more is accepted."""
        return self._draining or self._stopped

    @property
    def is_over(self) -> bool:
        """Whether no further step is to be taken."""
        return self._stopped or (self._draining and self.is_idle)

    @property
    def num_waiting(self) -> int:
        """How many requests wait for a slot."""
        return len(self.queue)

    @property
    def num_running(self) -> int:
        """How many requests are in decoding."""
        return max(0, len(self._accepted) - len(self.queue))  # it may move on between the two

    def submit(self, ticket: Ticket, most_waiting: int | None = None) -> Ticket:
        """Accept a request, and return it; this waits for no step.

        Raises:
            QueueFullError: `most_waiting` others wait already that there is no room for.
            InputError: nothing more is accepted.
        """
        return self._accept(ticket, self._accepted, most_waiting)

    def submit_batch(self, batch: Batch) -> Batch:
        """Accept requests that enter one after the other, and return them.

        Raises:
            InputError: nothing more is accepted.
        """
        return self._accept(batch, self._batches)

    def drain(self) -> None:
        """Accept nothing more; it is over when what was accepted is answered."""
        self._draining = True
        self._wake_up()

    def stop(self) -> None:
        """Accept nothing more; it is over before the next step."""
        self._stopped = True
        self._wake_up()

    # For the thread that takes the steps

    def wait(self) -> None:
        """Return when there may be something to do."""
        if self.is_idle and not self.is_over:
            self._wake.get()

    def refill(self) -> None:
        """Let the requests of batches wait whose turn has come."""
        for batch in list(self._batches):
            for ticket in batch.due():
                self._accepted[ticket] = None
                self.queue.add(ticket)
            if batch.is_handed_in:
                self._batches.pop(batch, None)

    def end(
        self,
        ticket: Ticket,
        hypotheses: list[Hypothesis] | None = None,
        error: EmpganError | None = None,
    ) -> None:
        """Enter how a request ended, tell its caller, and forget it."""
        ticket.finish(hypotheses, error)
        self._accepted.pop(ticket, None)

    def abandon(self, error: EmpganError) -> None:
        """End every request with an error."""
        self.queue.clear()
        batches = list(self._batches)
        for batch in batches:
            batch.fail(error)
            self._batches.pop(batch, None)
        for ticket in list(self._accepted):
            self.end(ticket, error=error)

    def _accept(
        self, asked: Asked, table: dict[Asked, None], most_waiting: int | None = None
    ) -> Asked:
        """Enter a request or a batch into its table and return it; or take it back and raise."""
        try:
            # In this order: what is in the table when the last step is over will be told so.
            table[asked] = None
            if self.is_closed:
                raise closed()
            if most_waiting is not None:
                self._refuse_if_full(most_waiting)
            if isinstance(asked, Ticket):
                self.queue.add(asked)
            self._wake_up()
        except BaseException:
            asked.cancel()
            table.pop(asked, None)
            raise
        return asked

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


def closed() -> InputError:
    """Return the error of a model that answers no more."""
    return InputError("the model is closed", hint="load it again")
