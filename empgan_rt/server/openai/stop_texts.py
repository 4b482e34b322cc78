"""Texts that end a reply: it is cut before the one that is complete first.

The search knows nothing of them. In a stream, what may be the beginning of one is held back until
more is known, so that no piece ever has to be taken back.
"""

from __future__ import annotations

from collections.abc import Sequence


def cut(text: str, stops: Sequence[str]) -> str:
    """Return a text up to the stop that is complete first; all of it if none is there.

    >>> cut("Yes. No. Yes.", ["No", "Y."])
    'Yes. '
    """
    places = ((text.find(stop), stop) for stop in stops)
    found = [(place + len(stop), place) for place, stop in places if place >= 0]
    return text[: min(found)[1]] if found else text


class StopTexts:
    """Lets the pieces of one text through, up to a stop.

    Args:
        stops: texts, none empty.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._held = ""
        self._is_over = False

    def piece(self, text: str) -> str:
        """Return what can be said after one more piece of the text."""
        if self._is_over:
            return ""
        text = self._held + text
        kept = cut(text, self._stops)
        if len(kept) < len(text):
            self._is_over, self._held = True, ""
            return kept
        said = text[: len(text) - self._doubtful(text)]
        self._held = text[len(said) :]
        return said

    def rest(self) -> str:
        """Return what was held back, after the last piece."""
        held, self._held = self._held, ""
        return held

    def _doubtful(self, text: str) -> int:
        """Return the length of the longest end of a text that a stop may begin with."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for size in range(min(longest, len(text)), 0, -1):
            if any(stop.startswith(text[-size:]) for stop in self._stops):
                return size
        return 0
