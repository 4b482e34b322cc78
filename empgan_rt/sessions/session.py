"""A dialogue that remembers its turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import replace
from typing import Protocol

from ..config import Limits, SearchConfig
from ..dialogue import Chunk, Emotion, Reply, Turn, Turns
from ..guard.protocol import Guard


class Responds(Protocol):
    """What a session asks of a responder."""

    @property
    def limits(self) -> Limits:
        """What the model reads at most."""

    def reply(
        self, turns: Turns, search: SearchConfig | None = None, *, guard: Guard | None = None
    ) -> Reply:
        """Return the next turn of a dialogue."""

    def stream(
        self, turns: Turns, search: SearchConfig | None = None, *, guard: Guard | None = None
    ) -> Generator[Chunk, None, None]:
        """Yield the next turn of a dialogue in pieces, the whole reply last."""


class Window:
    """The newest turns of one dialogue, and how many there were in all.

    Args:
        size: most turns that are kept.
    """

    def __init__(self, size: int) -> None:
        self.turns: deque[Turn] = deque(maxlen=size)
        self._said = 0

    def add(self, asked: Turn, reply: Reply) -> Reply:
        """Add a user's turn and the reply to it; return the reply, turns gone before counted.

        Of a message that a guard blocks neither is kept.
        """
        gone = self._said - len(self.turns)
        is_blocked = reply.verdict is not None and reply.verdict.action == "block"
        # A turn without words would be refused when the next reply is asked for.
        said = [] if is_blocked else [asked, Turn(reply.text)] if reply.text else [asked]
        self.turns += said
        self._said += len(said)
        return replace(reply, turns_dropped=reply.turns_dropped + gone)

    def add_last(self, asked: Turn, chunk: Chunk) -> Chunk:
        """Return a chunk; if it carries the reply, as `add`."""
        if chunk.reply is None:
            return chunk
        return replace(chunk, reply=self.add(asked, chunk.reply))


class History:
    """The turns of one dialogue; what `Session` and `AsyncSession` share.

    The model reads the newest turns and recognises the emotions of all that carry no label, its
    own among them. What it can no longer read is not kept, so that a dialogue may go on for ever.

    Args:
        max_turns: most turns that the model reads.
    """

    def __init__(self, max_turns: int) -> None:
        self._max_turns = max_turns
        self._window = Window(max_turns)

    @property
    def turns(self) -> tuple[Turn, ...]:
        """Both speakers' newest turns, oldest first, at most as many as the model reads.

        A reply without words leaves none.
        """
        return tuple(self._window.turns)

    def reset(self) -> None:
        """Forget all turns, and those of a reply that is still to come."""
        # Whoever awaits that reply has hold of the old window.
        self._window = Window(self._max_turns)


class Session(History):
    """One dialogue between a user and the model; for one thread at a time.

    Args:
        responder: answers; it may serve other sessions too.
        search: how to search; None for the responder's own.
        guard: who watches; None for the responder's own.
    """

    def __init__(
        self, responder: Responds, search: SearchConfig | None = None, guard: Guard | None = None
    ) -> None:
        super().__init__(responder.limits.max_turns)
        self._responder = responder
        self._search, self._guard = search, guard

    def say(self, text: str, *, emotion: Emotion | None = None) -> Reply:
        """Return the reply to a user's turn and remember both; neither if it raises or is blocked.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.

        Raises:
            InputError: the text or the emotion is not acceptable.
            DivergenceError: the model computed NaN or infinity.
        """
        window, asked = self._window, Turn(text, emotion)
        dialogue = [*window.turns, asked]
        return window.add(asked, self._responder.reply(dialogue, self._search, guard=self._guard))

    def stream(self, text: str, *, emotion: Emotion | None = None) -> Generator[Chunk, None, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was.

        Raises:
            InputError: as `say`, at once.
            DivergenceError: the model computed NaN or infinity.
        """
        window, asked = self._window, Turn(text, emotion)
        dialogue = [*window.turns, asked]
        chunks = self._responder.stream(dialogue, self._search, guard=self._guard)

        def remembering() -> Generator[Chunk, None, None]:
            for chunk in chunks:
                yield window.add_last(asked, chunk)

        return remembering()
