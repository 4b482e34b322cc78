"""A dialogue that remembers its turns."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .config import SearchConfig
from .dialogue import Chunk, Emotion, Reply, Turn

if TYPE_CHECKING:
    from .responder import Responder


class History:
    """The turns of one dialogue; what `Session` and `AsyncSession` share.

    It grows by two turns with each reply. The model reads the newest of them and recognises the
    emotions of all that carry no label, its own turns among them.
    """

    def __init__(self) -> None:
        self._turns: list[Turn] = []

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Both speakers' turns so far, oldest first; a reply without words leaves none."""
        return tuple(self._turns)

    def reset(self) -> None:
        """Forget all turns, and those of a reply that is still to come."""
        self._turns = []  # whoever awaits that reply has hold of the old list


def remember(turns: list[Turn], asked: Turn, reply: Reply) -> None:
    """Add a user's turn and the reply to it."""
    # A turn without words would be refused when the next reply is asked for.
    turns += [asked, Turn(reply.text)] if reply.text else [asked]


class Session(History):
    """One dialogue between a user and the model; for one thread at a time.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
    """

    def __init__(self, responder: Responder, search: SearchConfig | None = None) -> None:
        super().__init__()
        self._responder = responder
        self._search = search

    def say(self, text: str, *, emotion: Emotion | None = None) -> Reply:
        """Return the reply to a user's turn and remember both; if it raises, neither.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.

        Raises:
            InputError: the text or the emotion is not acceptable.
            DivergenceError: the model computed NaN or infinity.
        """
        turns, asked = self._turns, Turn(text, emotion)
        reply = self._responder.reply([*turns, asked], self._search)
        remember(turns, asked, reply)
        return reply

    def stream(self, text: str, *, emotion: Emotion | None = None) -> Generator[Chunk, None, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was.

        Raises:
            InputError: as `say`, at once.
            DivergenceError: the model computed NaN or infinity.
        """
        turns, asked = self._turns, Turn(text, emotion)
        chunks = self._responder.stream([*turns, asked], self._search)

        def remembering() -> Generator[Chunk, None, None]:
            for chunk in chunks:
                if chunk.reply is not None:
                    remember(turns, asked, chunk.reply)
                yield chunk

        return remembering()
