"""Words back to readable text: spacing of punctuation and clitics, capitals at sentence starts.

Each word's spacing and capital depend on earlier words alone, so the text of a prefix is a
prefix of the text: a streamed reply never takes a character back.

>>> detokenise(["that", "'s", "great", ",", "is", "n't", "it", "?", "yes", "."])
"That's great, isn't it? Yes."
"""

from __future__ import annotations

from collections.abc import Sequence

_CLITICS = ("'s", "'m", "'d", "'re", "'ve", "'ll")
_JOINS_LEFT = frozenset((*".,!?;:)]}%°…", "...", "..", "n't", *_CLITICS, *map(str.upper, _CLITICS)))
_JOINS_RIGHT = frozenset("([{$£¥#")
_ENDS_SENTENCE = frozenset((".", "!", "?", "..."))
_TRANSPARENT = frozenset("\"'([{)]}")


def detokenise(words: Sequence[str]) -> str:
    """Return readable text for the words of a reply."""
    pieces: list[str] = []
    open_quotes: set[str] = set()
    glued = True  # nothing before the first word asks for a space
    starts_sentence = True
    for word in words:
        closes = word in open_quotes
        if not (glued or closes or word in _JOINS_LEFT):
            pieces.append(" ")
        glued = word in _JOINS_RIGHT
        if word in ('"', "'"):
            open_quotes.symmetric_difference_update({word})
            glued = not closes
        if word == "i":
            word = "I"
        if starts_sentence and word[0].isalpha():
            word = word[0].upper() + word[1:]
        pieces.append(word)
        if word in _ENDS_SENTENCE:
            starts_sentence = True
        elif word not in _TRANSPARENT:
            starts_sentence = False
    return "".join(pieces)
