"""EmpatheticDialogues' own CSV (Rashkin et al. 2019): a turn a line, commas written `_comma_`.

    conv_id,utterance_idx,context,prompt,speaker_idx,utterance,selfeval,tags

Quotes in it are what people typed, and often unbalanced, so that no field is a quoted one. The
speaker's turns, the first and every second one after it, have the emotion of the context; the
listener's are neutral.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from empgan_rt.errors import DataError

from .corpus import Line, bounded
from .files import MAX_LINE_BYTES, lines_of
from .json_rows import TurnLabels

COLUMNS = ("conv_id", "utterance_idx", "context", "utterance")  # those that are read


class _Turn(NamedTuple):
    where: str
    dialogue: str
    number: str
    context: str
    text: str
    fault: str = ""


def csv_lines(data: bytes, name: str, labels: TurnLabels) -> Iterator[Line]:
    """Yield the dialogues of one CSV file; lines of one dialogue follow each other.

    Raises:
        DataError: a column is missing, or labels of turns are wanted, which the CSV has not.
    """
    if labels == "turn":
        raise DataError(
            f"{name} has no label of each turn, only the dialogue's", hint="leave --labels out"
        )
    rows = bounded(lines_of(data), name)
    number, header = next(rows, (1, b""))
    names = [column.strip() for column in header.decode("utf-8", "replace").split(",")]
    missing = [column for column in COLUMNS if column not in names]
    if missing:
        raise DataError(
            f"{name}:{number}: columns {', '.join(map(repr, names))[:200]}, wanted "
            f"{', '.join(COLUMNS)}",
            hint="give the corpus's own train.csv, valid.csv and test.csv",
        )
    places = [names.index(column) for column in COLUMNS]
    for _, turns in groupby(
        (_turn(f"{name}:{number}", row, len(names), places) for number, row in rows),
        key=lambda turn: turn.dialogue,
    ):
        yield _line([*turns])


def _turn(where: str, row: bytes, columns: int, places: list[int]) -> _Turn:
    if len(row) > MAX_LINE_BYTES:
        return _Turn(where, "", "", "", "", f"longer than {MAX_LINE_BYTES:,} bytes")
    try:
        fields = row.decode("utf-8").split(",")
    except UnicodeDecodeError:
        return _Turn(where, "", "", "", "", "no UTF-8")
    if not max(places) < len(fields) <= columns:
        fault = f"{len(fields)} fields, wanted {columns}"
        return _Turn(where, fields[0], "", "", "", fault)
    dialogue, number, context, text = (fields[place].strip() for place in places)
    return _Turn(where, dialogue, number, context, text)


def _line(turns: list[_Turn]) -> Line:
    """Return the dialogue that some lines tell, or what is wrong with the first bad one."""
    for number, turn in enumerate(turns, start=1):
        if turn.fault:
            return Line(turn.where, fault=turn.fault)
        if turn.number != str(number):
            return Line(turn.where, fault=f"utterance_idx is not {number}, a turn is missing")
        if turn.context != turns[0].context:
            return Line(turn.where, fault="another context than the line before")
    emotions = [turn.context if i % 2 == 0 else 0 for i, turn in enumerate(turns)]
    texts = [turn.text for turn in turns]
    return Line(turns[0].where, texts, emotions, known="empatheticdialogues")
