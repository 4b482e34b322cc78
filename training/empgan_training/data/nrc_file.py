"""Emotion words of a file in one of the layouts of the NRC lexicons.

Read are the word-level list (`word<TAB>category<TAB>0|1`), the intensity list, whose third column
is a score from 0 to 1, and the table with a column for each category. A word counts if it is
associated with anything. The lists of valence, arousal and dominance hold a score for every word,
and so no choice of emotional ones: they are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from empgan_rt.errors import DataError

_CATEGORIES = frozenset(
    (
        *("anger", "anticipation", "disgust", "fear", "joy", "sadness", "surprise", "trust"),
        *("negative", "positive"),
    )
)
_ROW = "wanted word<TAB>category<TAB>0|1"
_HINT = "give NRC's word-level list, as a TSV"


def associated_words(path: Path) -> frozenset[str]:
    """Return the words that a file associates with at least one category.

    Raises:
        DataError: the file cannot be read, or is in no layout that is known; the message has the
            line.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path with a NUL
        raise DataError(f"lexicon {path} cannot be read", hint=_HINT) from error
    rows = [(n, line.split("\t")) for n, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise DataError(f"{path}:1: {_ROW}", hint=_HINT)
    first, head = rows[0][0], [cell.strip().lower() for cell in rows[0][1]]
    if {"valence", "arousal", "dominance"} & {*head} or _are_scores(head[1:]):
        raise DataError(
            f"{path}:{first}: a list of valence, arousal and dominance says not which words are "
            "emotional",
            hint=_HINT,
        )
    columns = [place for place, name in enumerate(head) if name in _CATEGORIES]
    if len(columns) > 1:
        found = _of_table(path, rows[1:], columns, len(head))
    else:
        has_head = len(head) == 3 and _score(head[2]) is None and head[0] in ("term", "word")
        found = _of_pairs(path, rows[has_head:])
    words = frozenset(found)
    if not words:
        raise DataError(f"{path} associates no word with anything", hint=_HINT)
    return words


def _of_pairs(path: Path, rows: Iterable[tuple[int, list[str]]]) -> Iterable[str]:
    for number, row in rows:
        if len(row) != 3:
            raise DataError(f"{path}:{number}: {_ROW}", hint=_HINT)
        score = _score(row[2])
        if score is None:
            raise DataError(f"{path}:{number}: {row[2][:40]!r}, wanted 0 or 1", hint=_HINT)
        if score > 0:
            yield row[0].strip()


def _of_table(
    path: Path, rows: Iterable[tuple[int, list[str]]], columns: list[int], width: int
) -> Iterable[str]:
    for number, row in rows:
        if len(row) != width:
            raise DataError(f"{path}:{number}: {len(row)} columns, wanted {width}", hint=_HINT)
        scores = [_score(row[place]) for place in columns]
        if None in scores:
            raise DataError(f"{path}:{number}: wanted 0 or 1 for each category", hint=_HINT)
        if any(scores):
            yield row[0].strip()


def _are_scores(cells: list[str]) -> bool:
    """Return whether these are three scores, as the oldest list of dimensions begins, headless."""
    return len(cells) == 3 and None not in map(_score, cells)


def _score(cell: str) -> float | None:
    """Return a number from 0 to 1, or None."""
    try:
        score = float(cell)
    except ValueError:
        return None
    return score if 0 <= score <= 1 else None
