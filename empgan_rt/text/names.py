"""Words that belong to one name: addresses, files, "e.g.", "C++", "R&B", ":)".

Each word is given a kind, a single letter, so that names are found by regular expressions over
the kinds. What a name is shows only at its end ("anna . berg @ ..."), so of words that more
follow, the last ones may be open: `open_name` says from where.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_MARKS = {mark: mark for mark in ".@+#&:-)"} | {";": ":", "=": ":", "(": ")"}
_WORDS = {
    word: kind
    for kind, words in {
        "t": "au biz ca cn com de edu eu fr gov io jp net org uk",
        "c": "ac co",  # "co.uk"
        "f": "csv docx exe html jpg json pdf png pptx py txt xlsx xml",
        "h": "http https",
        "p": "ph Ph PH",  # "Ph.D."
        "w": "www",
    }.items()
    for word in words.split()
}
# a word of letters: "a" of small ones, "A" of others, "s" a single small one, "U" one or two
# capitals; "y" has hyphens or digits behind its first letter
_LABEL = "[acfhpstwyAU]"
_PART = f"{_LABEL}[d_]*"  # "Tom861", "worker_1"
_END = r"(?:\.c)?\.t(?:\.t)?"  # ".org", ".co.uk"
_NAME = re.compile(
    "|".join(
        (
            rf"(?P<address>(?:{_PART}\.)?{_PART}@{_LABEL}(?:\.{_LABEL}){{0,2}}?{_END}"
            rf"|(?:w\.)?(?:{_LABEL}\.(?![AU]))?(?:{_LABEL}|d){_END}"
            rf"|w\.(?:{_LABEL}|d)|{_PART}\.f|h)",
            r"(?P<abbreviation>s\.(?:s\.)+|p\.[sU]\.?)",
            rf"(?P<signs>{_LABEL}\+\+|U#|U&U)",
            r"(?P<face>:-?\))",
        )
    )
)
_OPEN = re.compile(
    rf"(?:(?:{_PART}|d)(?:[.@](?:{_PART}|d))*[.@]?|{_LABEL}\+|U&|:-?)$",
)


def kinds_of(words: Sequence[str]) -> str:
    """Return a letter for each word, which says what it may be in a name."""
    return "".join(map(_kind, words))


def names(kinds: str) -> Iterator[tuple[int, int, str]]:
    """Yield where each name begins, where it ends, and what it is: the group that it matches."""
    for found in _NAME.finditer(kinds):
        yield found.start(), found.end(), found.lastgroup or ""


def open_name(kinds: str) -> int:
    """Return where those last words begin that may yet be of a name; how many there are if none."""
    found = _OPEN.search(kinds)
    return found.start() if found else len(kinds)


def _kind(word: str) -> str:
    known = _MARKS.get(word) or _WORDS.get(word)
    if known:
        return known
    if word[0] == "_":
        return "_"
    if word.isdigit():
        return "d"
    if word == "m":  # "a.m" is one word
        return " "
    if word.isalpha():
        if len(word) <= 2 and all(letter.isupper() for letter in word) and word != "I":
            return "U"
        if word[0].isupper():
            return "A"
        return "s" if len(word) == 1 else "a"
    return "y" if word[0].isalpha() and word.replace("-", "").isalnum() else " "
