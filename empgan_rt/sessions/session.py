"""A dialogue that remembers its turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Protocol

from ..config import Limits, SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Dialogue, Emotion, Turn, Turns
from ..guard.protocol import Guard


class Responds(Protocol):
    """What a session asks of a responder."""

    @property
    def limits(self) -> Limits:
        """What the model reads at most."""

    def reply(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | None = None,
        deadline_s: float | None = None,
    ) -> Reply:
        """Return the next turn of a dialogue."""

    def stream(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | None = None,
        deadline_s: float | None = None,
    ) -> Generator[Chunk, None, None]:
        """Yield the next turn of a dialogue in pieces, the whole reply last."""


class Window:
    """The newest turns of one dialogue, and how many there were in all.

    Args:
        size: most turns that are kept.
        turns: that were said already, oldest first.
        dropped: older turns that are not among them.
    """

    def __init__(self, size: int, turns: Sequence[Turn] = (), dropped: int = 0) -> None:
        self.turns: deque[Turn] = deque(turns, maxlen=size)
        self._said = dropped + len(turns)

    @property
    def dropped(self) -> int:
        """How many older turns there were."""
        return self._said - len(self.turns)

    def extend(self, turns: Sequence[Turn], dropped: int = 0) -> None:
        """Add turns that were said, after others that are not kept."""
        self.turns += turns
        self._said += dropped + len(turns)

    def add(self, asked: Turn, reply: Reply) -> Reply:
        """Add a user's turn and the reply to it; return the reply, turns gone before counted.

        Of a message that a guard blocks neither is kept.
        """
        gone = self.dropped
        self.extend(said_in(asked, reply))
        return replace(reply, turns_dropped=reply.turns_dropped + gone)

    def add_last(self, asked: Turn, chunk: Chunk) -> Chunk:
        """Return a chunk; if it carries the reply, as `add`."""
        if chunk.reply is None:
            return chunk
        return replace(chunk, reply=self.add(asked, chunk.reply))


def said_in(asked: Turn, reply: Reply) -> list[Turn]:
    """Return what is remembered of a message and the reply to it; nothing of one that is blocked.

    A turn without words would be refused when the next reply is asked for.
    """
    if reply.verdict is not None and reply.verdict.action == "block":
        return []
    return [asked, Turn(reply.text)] if reply.text else [asked]


class History:
    """The turns of one dialogue; what `Session` and `AsyncSession` share.

    The model reads the newest turns and recognises the emotions of all that carry no label, its
    own among them. What it can no longer read is not kept, so that a dialogue may go on for ever.

    Args:
        max_turns: most turns that the model reads.
        turns: that were said already, oldest first, such as `turns` of a session that was saved.

    Raises:
        InputError: one of them is neither a string nor a Turn.
    """

    def __init__(self, max_turns: int, turns: Turns = ()) -> None:
        self._max_turns = max_turns
        said = () if isinstance(turns, tuple | list) and not turns else Dialogue.of(turns).turns
        self._window = Window(max_turns, said)

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
        turns: that were said already, as `History`.
    """

    def __init__(
        self,
        responder: Responds,
        search: SearchConfig | None = None,
        guard: Guard | None = None,
        *,
        turns: Turns = (),
    ) -> None:
        super().__init__(responder.limits.max_turns, turns)
        self._responder = responder
        self._search, self._guard = search, guard

    def say(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> Reply:
        """Return the reply to a user's turn and remember both; neither if it raises or is blocked.

        Args:
            text: what the user says.
            emotion: what the user is known to feel; None lets the model recognise it.
            deadline_s: seconds from now.

        Raises:
            InputError: the text or the emotion is not acceptable.
            DeadlineError: the reply was not there in time.
            DivergenceError: the model computed NaN or infinity.
        """
        window, asked = self._window, Turn(text, emotion)
        dialogue = [*window.turns, asked]
        reply = self._responder.reply(
            dialogue, self._search, guard=self._guard, deadline_s=deadline_s
        )
        return window.add(asked, reply)

    def stream(
        self, text: str, *, emotion: Emotion | None = None, deadline_s: float | None = None
    ) -> Generator[Chunk, None, None]:
        """Yield the reply to a user's turn in pieces; both are remembered with the last one.

        Closing the generator earlier cancels, and leaves the history as it was.

        Raises:
            InputError: as `say`, at once.
            DeadlineError, DivergenceError: as `say`.
        """
        window, asked = self._window, Turn(text, emotion)
        dialogue = [*window.turns, asked]
        chunks = self._responder.stream(
            dialogue, self._search, guard=self._guard, deadline_s=deadline_s
        )

        def remembering() -> Generator[Chunk, None, None]:
            for chunk in chunks:
                yield window.add_last(asked, chunk)

        return remembering()
