"""Words back to readable text: spacing of punctuation and clitics, capitals at sentence starts.

Each word's spacing and capital depend on earlier words alone, so the text of a prefix is a
prefix of the text: a streamed reply never takes a character back. Read again, the text gives the
same words, but for their capitals.

>>> detokenise(["that", "'s", "great", ",", "is", "n't", "it", "?", "yes", "."])
"That's great, isn't it? Yes."
"""

from __future__ import annotations

from collections.abc import Sequence

_CLITICS = frozenset(
    form
    for clitic in ("'s", "'m", "'d", "'re", "'ve", "'ll", "n't")
    for form in (clitic, clitic.upper())
)
_JOINS_LEFT = frozenset(",!?;:)]}%°…/")
_JOINS_RIGHT = frozenset("([{$£¥#/")
_ENDS_SENTENCE = frozenset((".", "!", "?", "..."))
_TRANSPARENT = frozenset("\"'([{)]}")
_QUOTES = frozenset("\"'")
_DOMAINS = frozenset(("com", "edu", "gov", "net", "org"))
# What ends in "s" is a plural before an apostrophe ("my parents' house"), but for words that
# something quoted follows.
_NO_PLURALS = frozenset(("as", "is", "means", "says", "was", "yes"))


def detokenise(words: Sequence[str]) -> str:
    """Return readable text for the words of a reply."""
    pieces: list[str] = []
    open_quotes: set[str] = set()
    before, last = "", ""  # the word before the last one, and the last one
    opened = False  # whether the last word is an opening quote
    initials = 0  # of "U.S." so far
    starts_sentence = True
    for word in words:
        closes = word in open_quotes
        possesses = word == "'" and not closes and _is_plural(last)
        is_initial = len(word) == 1 and word.isupper() and word != "I"
        in_initials = initials > 0 and last == "." and is_initial
        glued = not last or opened or closes or possesses or in_initials
        if not (glued or _joins(before, last, word)):
            pieces.append(" ")
        opened = word in _QUOTES and not (closes or possesses)
        if opened or closes:
            open_quotes.symmetric_difference_update({word})
        if is_initial:
            initials = initials + 1 if in_initials else 1
        elif word != ".":
            initials = 0
        if word == "i":
            word = "I"
        if starts_sentence and word[0].isalpha() and not _ends_address(before, last, word):
            word = word[0].upper() + word[1:]
        pieces.append(word)
        if word in _ENDS_SENTENCE:
            starts_sentence = initials < 2
        elif word not in _TRANSPARENT:
            starts_sentence = False
        before, last = last, word
    return "".join(pieces)


def _joins(before: str, last: str, word: str) -> bool:
    """Return whether a word follows the last one without a space, quotes and initials aside."""
    if not word.strip("."):  # dots, one or many
        return bool(last.strip("."))  # "..." and "." behind it would be read as four dots
    if word in _CLITICS:
        return last[-1].isalnum()
    if word == "-" or last == "-":  # "3-4", "--"
        return last.isdigit() or before.isdigit() or word == last
    return (
        word in _JOINS_LEFT
        or last in _JOINS_RIGHT
        or (word in ("s", "k") and last.isdigit())  # "the 90s"
        or (last, word) == ("<", "3")
        or _ends_address(before, last, word)
    )


def _is_plural(word: str) -> bool:
    return word.isalpha() and word[-1] in "sS" and word.lower() not in _NO_PLURALS


def _ends_address(before: str, last: str, word: str) -> bool:
    """Return whether a word goes on after the full stop in "www.example.com"."""
    return last == "." and (before == "www" or (before.isalnum() and word in _DOMAINS))
