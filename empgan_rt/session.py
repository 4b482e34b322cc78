"""A dialogue that remembers its turns."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from .config import SearchConfig
from .dialogue import Chunk, Emotion, Reply, Turn

if TYPE_CHECKING:
    from .responder import Responder


class Session:
    """One dialogue between a user and the model; for one thread at a time.

    History grows by two turns with each reply. The model reads the newest of them and recognises
    the emotions of all that carry no label, its own turns among them.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
    """

    def __init__(self, responder: Responder, search: SearchConfig | None = None) -> None:
        self._responder = responder
        self._search = search
        self._turns: tuple[Turn, ...] = ()

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Both speakers' turns so far, oldest first; a reply without words leaves none."""
        return self._turns

    def say(self, text: str, *, emotion: Emotion | None = None) -> Reply:
        """Return the reply to a user's turn and remember both; if it raises, neither.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.

        Raises:
            InputError: the text or the emotion is not acceptable.
            DivergenceError: the model computed NaN or infinity.
        """
        turns = (*self._turns, Turn(text, emotion))
        reply = self._responder.reply(turns, self._search)
        self._remember(turns, reply)
        return reply

    def stream(self, text: str, *, emotion: Emotion | None = None) -> Generator[Chunk, None, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was.

        Raises:
            InputError: as `say`, at once.
            DivergenceError: the model computed NaN or infinity.
        """
        turns = (*self._turns, Turn(text, emotion))
        chunks = self._responder.stream(turns, self._search)

        def remembering() -> Generator[Chunk, None, None]:
            for chunk in chunks:
                if chunk.reply is not None:
                    self._remember(turns, chunk.reply)
                yield chunk

        return remembering()

    def reset(self) -> None:
        """Forget all turns."""
        self._turns = ()

    def _remember(self, turns: tuple[Turn, ...], reply: Reply) -> None:
        # A turn without words would be refused when the next reply is asked for.
        self._turns = (*turns, Turn(reply.text)) if reply.text else turns
