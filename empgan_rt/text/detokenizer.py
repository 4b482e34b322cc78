"""Words back to readable text: spacing of punctuation and clitics, capitals at sentence starts.

A word's spacing and capital depend on earlier words and, in a name ("a.b@c.org"), on later ones.
Of a reply that goes on only so much becomes text as these cannot change: a streamed reply never
takes a character back. Read again, the text gives the same words, but for their capitals.

>>> detokenise(["that", "'s", "great", ",", "is", "n't", "it", "?", "yes", "."])
"That's great, isn't it? Yes."
"""

from __future__ import annotations

from collections.abc import Sequence

from .names import kinds_of, names, open_name

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
_AS_WRITTEN = frozenset(("a.m", "a.m.", "p.m", "p.m."))  # "A.m." is read as other words
# What ends in "s" is a plural before an apostrophe ("my parents' house"), but for words that
# something quoted follows.
_NO_PLURALS = frozenset(("as", "is", "means", "says", "was", "yes"))


def detokenise(words: Sequence[str], *, whole: bool = True) -> str:
    """Return readable text for the words of a reply.

    Args:
        words: of the reply, or of its beginning.
        whole: whether no more words follow. Otherwise the last words may be missing from the
            text: those whose spacing or capitals the next ones settle.
    """
    kinds = kinds_of(words)
    certain = len(words) if whole else open_name(kinds)
    named = {i: (i > begin, kind) for begin, end, kind in names(kinds) for i in range(begin, end)}
    pieces: list[str] = []
    open_quotes: set[str] = set()
    before, last = "", ""  # the word before the last one, and the last one
    opened = False  # whether the last word is an opening quote
    initials = 0  # of "U.S." so far
    starts_sentence = True
    for i, word in enumerate(words):
        inside, kind = named.get(i, (False, ""))
        # Of what may be a name yet, the first word waits only if its capital or the space before it
        # hangs on the rest; of the others a full stop does not wait, which joins in any case.
        if i == certain and (word == "i" or kinds[i] == ":" or starts_sentence):
            if not word[0].isupper():
                break
        elif i > certain and word != ".":
            break
        closes = word in open_quotes
        possesses = word == "'" and not closes and _is_plural(last)
        is_initial = len(word) == 1 and word.isupper() and word != "I"
        in_initials = initials > 0 and last == "." and is_initial
        glued = not last or opened or closes or possesses or in_initials or inside
        if not (glued or (kind != "face" and _joins(before, last, word))):
            pieces.append(" ")
        opened = word in _QUOTES and not (closes or possesses)
        if opened or closes:
            open_quotes.symmetric_difference_update({word})
        if is_initial:
            initials = initials + 1 if in_initials else 1
        elif word != ".":
            initials = 0
        if word == "i" and not kind:
            word = "I"
        if starts_sentence and word[0].isalpha() and not kind and word not in _AS_WRITTEN:
            word = word[0].upper() + word[1:]
        pieces.append(word)
        if kind == "abbreviation":
            starts_sentence = False
        elif word in _ENDS_SENTENCE:
            starts_sentence = initials < 2 and last.lower() != "vs"
        elif word not in _TRANSPARENT and kind != "face":
            starts_sentence = False
        # "#" of "C#" and "(" of ":(" hold nothing on their right
        is_end = kind in ("signs", "face") and not word.isalnum()
        before, last = last, ")" if is_end else word
    return "".join(pieces)


def _joins(before: str, last: str, word: str) -> bool:
    """Return whether a word follows the last one without a space, quotes and initials aside."""
    if not word.strip("."):  # dots, one or many
        return bool(last.strip("."))  # "..." and "." behind it would be read as four dots
    if word in _CLITICS:
        return last[-1].isalnum()
    if word == "-" or last == "-":  # "3-4", "--"
        return last.isdigit() or before.isdigit() or word == last
    if last in ("+", "~", "€") and word[0].isdigit():  # "+49", "€5", but "x + 5" and "5 € 3"
        return last == "~" or not (before[:1].isdigit() or (len(before) == 1 and before.isalpha()))
    return (
        word in _JOINS_LEFT
        or last in _JOINS_RIGHT
        or (last == "@" and word[0].isalpha())  # "@anna"
        or (word[0] == "_" and last.isalpha())  # "snake_case"
        or (word in ("s", "k", "€") and last.isdigit())  # "the 90s"
        or (last, word) in (("<", "3"), ("°", "C"), ("°", "F"))
    )


def _is_plural(word: str) -> bool:
    return word.isalpha() and word[-1] in "sS" and word.lower() not in _NO_PLURALS
