"""Dialogues as JSON lines, one object each, whatever their keys are called.

The keys, by corpus and project:

    dialogue, emotion                  DailyDialog and EmpatheticDialogues as we store them
    dialog, act, emotion               DailyDialog on the Hugging Face hub
    utterances, acts, emotions         the same, as others uploaded it
    dialogue: [{text, emotion, act}]   ParlAI's DailyDialog
    dialog: [[{id, text}]]             ParlAI's saved conversations
    turns: [str or {text, emotion}]    what `empgan-rt reply` reads

A file may also be one JSON array of such objects.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import msgspec
from msgspec import UNSET, Struct

from ...stored_json import decode_json
from .corpus import Line, bounded
from .files import MAX_LINE_BYTES, lines_of

UTTERANCE_KEYS = ("dialogue", "dialog", "utterances", "turns")
EMOTION_KEYS = ("emotion", "emotions")
TEXT_KEYS = ("text", "utterance")  # of a turn that is an object
_MOST_KEYS = 6  # shown

TurnLabels = Literal["dialogue", "turn"]
"""Which labels of EmpatheticDialogues are read: its gold ones, the dialogue's context for each
turn of the speaker, or those that a classifier gave each turn."""


class _Row(Struct, frozen=True):
    """One line; what is wrong with its values is told by whoever checks it."""

    dialogue: Any = UNSET
    dialog: Any = UNSET
    utterances: Any = UNSET
    turns: Any = UNSET
    emotion: Any = UNSET
    emotions: Any = UNSET
    label: Any = UNSET
    context: Any = UNSET
    situation: Any = UNSET
    act: Any = UNSET
    acts: Any = UNSET


def json_lines(data: bytes, name: str, labels: TurnLabels) -> Iterator[Line]:
    """Yield the dialogues of a file of JSON lines, or of one JSON array."""
    if data.lstrip()[:1] == b"[" and (rows := _array(data)) is not None:
        for number, value in enumerate(rows):
            yield row_line(f"{name}[{number}]", value, labels)
        return
    for number, line in bounded(lines_of(data), name):
        where = f"{name}:{number}"
        if len(line) > MAX_LINE_BYTES:
            yield Line(where, fault=f"longer than {MAX_LINE_BYTES:,} bytes")
            continue
        try:
            yield _line(where, decode_json(line, _Row), line, labels)
        except ValueError as error:
            yield Line(where, fault=f"no JSON object: {error}"[:200])


def row_line(where: str, value: object, labels: TurnLabels) -> Line:
    """Return the dialogue that a decoded JSON object tells."""
    try:
        raw = msgspec.json.encode(value)
        return _line(where, decode_json(raw, _Row), raw, labels)
    except ValueError as error:
        return Line(where, fault=f"no JSON object: {error}"[:200])


def _array(data: bytes) -> list[Any] | None:
    """Return the JSON array that a file is, or None; a broken one is told of line by line."""
    try:
        return decode_json(data, list[Any])
    except ValueError:
        return None


def _line(where: str, row: _Row, raw: bytes, labels: TurnLabels) -> Line:
    utterances = _first(row, UTTERANCE_KEYS)
    if utterances is UNSET:
        return Line(where, fault=_keys_fault(raw, UTTERANCE_KEYS))
    texts, emotions, acts = _turns(utterances)
    given = _first(row, EMOTION_KEYS)
    known = ""
    if row.context is not UNSET and row.situation is not UNSET:
        known = "empatheticdialogues"
        if labels == "turn":
            given = row.label
            if given is UNSET:
                return Line(where, fault=_keys_fault(raw, ("label",)))
    elif acts or row.act is not UNSET or row.acts is not UNSET:
        known = "dailydialog"
    return Line(where, texts, emotions if given is UNSET else given, known=known)


def _first(row: _Row, keys: tuple[str, ...]) -> Any:
    values = (getattr(row, key) for key in keys)
    return next((value for value in values if value is not UNSET), UNSET)


def _keys_fault(raw: bytes, wanted: tuple[str, ...]) -> str:
    seen = [repr(key[:30]) for key in decode_json(raw, dict[str, Any])]
    more = ", ..." if len(seen) > _MOST_KEYS else ""
    return f"keys {', '.join(seen[:_MOST_KEYS]) or '(none)'}{more}, wanted {' or '.join(wanted)}"


def _turns(value: Any) -> tuple[Any, list[Any] | None, bool]:
    """Return texts and labels of turns that may be objects or pairs of such, and if acts are given.

    The labels are None where no turn has any.
    """
    if not isinstance(value, list):
        return value, None, False
    flat = [turn for item in value for turn in (item if isinstance(item, list) else [item])]
    objects = [turn for turn in flat if isinstance(turn, dict)]
    if not objects:
        return value, None, False
    texts = [_text(turn) if isinstance(turn, dict) else turn for turn in flat]
    emotions = [turn.get("emotion") if isinstance(turn, dict) else None for turn in flat]
    labelled = any("emotion" in turn for turn in objects)
    return texts, emotions if labelled else None, any("act" in turn for turn in objects)


def _text(turn: dict[str, Any]) -> Any:
    return next((turn[key] for key in TEXT_KEYS if key in turn), None)
