"""What becomes of a request: the record that its caller waits on and the scheduler writes."""

from __future__ import annotations

import copy
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from queue import SimpleQueue
from typing import NamedTuple

from ..config import SearchConfig
from ..errors import DeadlineError, EmpganError
from ..graph_spec import FloatArray
from ..search.hypothesis import Hypothesis
from .request import Request


class LaneKey(NamedTuple):
    """What requests must have in common to share the decoder's steps.

    Attributes:
        rows: hypotheses of each that are decoded side by side.
        candidates: next tokens of each row that its search sees. The int8 graph scores so many
            words again in float32, so a reply would depend on its company if they differed.
        group: 0, or the number of a group that is kept apart to find a fault.
    """

    rows: int
    candidates: int
    group: int


@dataclass(eq=False)
class Ticket:
    """The record of what became of a request so far; the thread that takes the steps writes it.

    Attributes:
        request: what is asked.
        deadline: of `time.perf_counter()`; None for no limit.
        on_step: called instead of filling `moved`, by the thread that takes the steps; it must be
            quick and raise nothing.
        streams: whether `prefix` is wanted, and to be told of each step.
        search: how to search; the request's, with a seed if it had none, so that a search that is
            begun again draws the same.
        group: see `LaneKey`.
        moved: gets an item after each step of one that streams, and at the end.
        submitted, encoding, encoded, stepped, ended: when it was handed in, its batch entered the
            encoder and left it, its first step and its last were done.
        steps: of its search.
        prefix: tokens that the best reply is certain to begin with.
        label_probs: (M, 7) of its turns, and of turns that pad them.
        hypotheses: what was found, best first; None while it goes on or if it failed.
        error: why it failed.
        cancelled: whether nobody wants the reply any more.
    """

    request: Request
    deadline: float | None = None
    on_step: Callable[[], None] | None = None
    streams: bool = False
    search: SearchConfig = field(init=False)
    group: int = 0
    moved: SimpleQueue[None] = field(default_factory=SimpleQueue)
    submitted: float = field(default_factory=time.perf_counter)
    encoding: float = 0.0
    encoded: float = 0.0
    stepped: float = 0.0
    ended: float = 0.0
    steps: int = 0
    prefix: tuple[int, ...] = ()
    label_probs: FloatArray | None = None
    hypotheses: list[Hypothesis] | None = None
    error: EmpganError | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        search = self.request.search
        if search.sample and search.seed is None:
            search = replace(search, seed=secrets.randbits(63))
        self.search = search

    @property
    def lane_key(self) -> LaneKey:
        """The key that it must share with those beside it."""
        return LaneKey(self.search.rows, self.search.candidates, self.group)

    @property
    def is_done(self) -> bool:
        """Whether there is a result or an error."""
        return self.hypotheses is not None or self.error is not None

    def is_over(self, now: float) -> bool:
        """Return whether nothing is left to do, or nobody waits, at a `time.perf_counter()`."""
        late = self.deadline is not None and self.deadline <= now
        return self.cancelled or late or self.is_done

    def check(self) -> None:
        """Raise what the request failed with, if it did; others may have failed with it too."""
        if self.error is not None:
            raise copy.copy(self.error) from self.error.__cause__

    def cancel(self) -> None:
        """Take the request back; its slot is free before the next step. Any thread may."""
        self.cancelled = True

    def finish(
        self, hypotheses: list[Hypothesis] | None = None, error: EmpganError | None = None
    ) -> None:
        """Enter a result or an error, the first one alone, and tell whoever waits."""
        if not self.is_done:
            self.ended = time.perf_counter()
            self.hypotheses, self.error = hypotheses, error
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for news of this request."""
        on_step = self.on_step  # read once: whoever waited may take it away meanwhile
        if on_step is not None:
            on_step()
        else:
            self.moved.put(None)


def late() -> DeadlineError:
    """Return the error of a request whose time is over."""
    return DeadlineError(
        "no reply within the time allowed",
        hint="allow more time, or choose a smaller beam_size or max_length",
    )
