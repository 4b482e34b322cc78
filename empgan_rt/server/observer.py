"""What the application tells about each request: numbers and names, never a word of a dialogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from ..dialogue.reply import Timings

FinishedReason = Literal["stop", "length", "abort", "error"]


@dataclass(frozen=True)
class Finished:
    """How a request ended that was accepted.

    Attributes:
        endpoint: the path as the API's document writes it, such as "/v1/sessions/{key}".
        model: the model's own name.
        finished_reason: "stop" if the model or a guard ended the reply, "length" if the limit did,
            "abort" if the client went away, "error" for all others, the deadline's end among them.
        elapsed_s: from the request's head to the end of its answer.
        prompt_tokens: of the dialogue that were read; 0 without a reply.
        generation_tokens: of all replies that were given; 0 without one.
        timings: how long the model took for each part; None without a reply, or of a guard's.
    """

    endpoint: str
    model: str
    finished_reason: FinishedReason
    elapsed_s: float
    prompt_tokens: int = 0
    generation_tokens: int = 0
    timings: Timings | None = None


class Observer(Protocol):
    """Who is told. Its methods are called in the event loop: they are quick and raise nothing."""

    def accepted(self, endpoint: str, model: str) -> None:
        """A request for a reply passed all checks of its form; `finished` follows, once."""

    def first_token(self, model: str, elapsed_s: float) -> None:
        """The first token of a reply is there.

        Args:
            model: the model's own name.
            elapsed_s: from the request's head until it was sent, in a stream; else until the
                model's first step was done.
        """

    def tokens(self, model: str, count: int, elapsed_s: float) -> None:
        """So many more tokens of a stream came together, so long after those before them."""

    def finished(self, finished: Finished) -> None:
        """A request that was accepted is over."""

    def refused(self, endpoint: str, status: int, code: str) -> None:
        """A request was answered with an error.

        Args:
            endpoint: as in `Finished`; "" for a path that there is not.
            status: of HTTP, 400 to 599.
            code: of the error's body.
        """

    def render(self) -> tuple[str, bytes] | None:
        """Return the content type and body of `GET /metrics`; None if there is no such page."""


class Silent:
    """An observer that keeps nothing."""

    def accepted(self, endpoint: str, model: str) -> None:
        """Do nothing."""

    def first_token(self, model: str, elapsed_s: float) -> None:
        """Do nothing."""

    def tokens(self, model: str, count: int, elapsed_s: float) -> None:
        """Do nothing."""

    def finished(self, finished: Finished) -> None:
        """Do nothing."""

    def refused(self, endpoint: str, status: int, code: str) -> None:
        """Do nothing."""

    def render(self) -> tuple[str, bytes] | None:
        """Return that there is no page."""
        return None


SILENT = Silent()
