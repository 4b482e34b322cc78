"""A request on its way through an engine."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from .errors import EmpganError
from .graph_spec import FloatArray
from .hypothesis import Hypothesis
from .request import Request


@dataclass(eq=False)
class Ticket:
    """What became of a request so far; an engine writes it, under its lock.

    Attributes:
        request: what is asked.
        deadline: of `time.perf_counter()`; None for no limit.
        on_step: called after each of its steps and at its end, by whichever thread took the step;
            it must be quick and raise nothing.
        streams: whether `prefix` is wanted.
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

    @property
    def is_done(self) -> bool:
        """Whether there is a result or an error."""
        return self.hypotheses is not None or self.error is not None

    def is_over(self, now: float) -> bool:
        """Return whether the request is taken back, or late at a `time.perf_counter()`."""
        return self.cancelled or (self.deadline is not None and self.deadline <= now)

    def check(self) -> None:
        """Raise what the request failed with, if it did; others may have failed with it too."""
        if self.error is not None:
            raise copy.copy(self.error)

    def cancel(self) -> None:
        """Take the request back; its slot is free before the next step. Any thread may."""
        self.cancelled = True

    def finish(
        self, hypotheses: list[Hypothesis] | None = None, error: EmpganError | None = None
    ) -> None:
        """Enter a result or an error and tell whoever waits."""
        self.ended = time.perf_counter()
        self.hypotheses, self.error = hypotheses, error
        if self.on_step is not None:
            self.on_step()
