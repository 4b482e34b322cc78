"""DailyDialog (Li et al. 2017b) from its official distribution or from JSON lines.

Official: `dialogues_text.txt` with utterances ended by `__eou__`, and files of emotion and act
labels, whole or per split in folders or zips. JSON lines: one object a dialogue,
`{"dialogue": [str], "emotion": [int]}`, plain or gzipped, one file a split, or
one file for the whole corpus, without splits.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from msgspec import Struct

from empgan_rt.errors import DataError, InputError

from ...stored_json import decode_json
from .files import MAX_LINE_BYTES, lines_of, read_bytes, read_members

SPLITS = ("train", "validation", "test")
MAX_BAD_SHARE = 0.001
_END = "__eou__"
_MOST_BAD_LINES = 10_000  # after so many, the rest is not even read

log = logging.getLogger(__name__)


class _Line(Struct, frozen=True):
    """One line of JSON lines; what is wrong with its values is told by `_fault`."""

    dialogue: Any
    emotion: Any


@dataclass(frozen=True)
class LabelledDialogue:
    """One dialogue as it stands in a corpus; emotions are DailyDialog's integers, 0 to 6."""

    id: str
    utterances: tuple[str, ...]
    emotions: tuple[int, ...]


@dataclass
class Corpus:
    """What was read: dialogues by split ("all" if the source has no splits), and bad lines."""

    splits: dict[str, list[LabelledDialogue]] = field(default_factory=dict)
    bad_lines: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Lines read, good and bad."""
        return sum(map(len, self.splits.values())) + len(self.bad_lines)


def read_corpus(source: Path) -> Corpus:
    """Return the dialogues below a folder, or in one JSON-lines file, in any of the known forms.

    Raises:
        InputError: the source holds none of the forms.
        DataError: a file is missing or damaged, or more than 0.1 % of the lines are malformed;
            the first ones are named.
    """
    corpus = Corpus()
    try:
        _read_splits(corpus, source)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise DataError(f"{source} cannot be read: {error}", hint="name another folder") from error
    if not corpus.splits:
        raise InputError(
            f"no DailyDialog below {source}",
            hint="wanted train.jsonl(.gz), train/dialogues_train.txt, train.zip or "
            "dialogues_text.txt",
        )
    _check_share(corpus)
    for line in corpus.bad_lines:
        log.warning("malformed line left out: %s", line)
    return corpus


def _check_share(corpus: Corpus) -> None:
    if len(corpus.bad_lines) > MAX_BAD_SHARE * corpus.total:
        raise DataError(
            f"{len(corpus.bad_lines)} of {corpus.total} lines are malformed, at most "
            f"{MAX_BAD_SHARE:.1%} are accepted; first: {'; '.join(corpus.bad_lines[:3])}",
            hint="mend or fetch the corpus anew",
        )


_Row = tuple[str, object, object]  # where, utterances, emotions


def _read_splits(corpus: Corpus, source: Path) -> None:
    if source.is_file() and source.name.endswith((".jsonl", ".jsonl.gz")):
        _collect(corpus, "all", _json_rows(source))
        return
    for split in SPLITS:
        rows = _split_rows(source, split)
        if rows is not None:
            _collect(corpus, split, rows)
    if not corpus.splits and (source / "dialogues_text.txt").is_file():
        texts = read_bytes(source / "dialogues_text.txt")
        emotions = read_bytes(source / "dialogues_emotion.txt")
        _collect(corpus, "all", _official_rows("dialogues_text.txt", texts, emotions))


def _collect(corpus: Corpus, split: str, rows: Iterator[_Row]) -> None:
    dialogues = corpus.splits.setdefault(split, [])
    for number, (where, utterances, emotions) in enumerate(rows):
        fault = _fault(utterances, emotions)
        if fault:
            corpus.bad_lines.append(f"{where}: {fault}")
            if len(corpus.bad_lines) > _MOST_BAD_LINES:
                _check_share(corpus)
            continue
        texts, labels = cast("list[str]", utterances), cast("list[int]", emotions)  # see `_fault`
        row = LabelledDialogue(f"{split}-{number:05d}", tuple(texts), tuple(labels))
        dialogues.append(row)


def _fault(utterances: object, emotions: object) -> str:
    """Return what is wrong with one line, or an empty string."""
    if not isinstance(utterances, list) or not isinstance(emotions, list):
        return "wanted a list of utterances and a list of emotions"
    if not utterances:
        return "no utterance"
    if len(utterances) != len(emotions):
        return f"{len(utterances)} utterances but {len(emotions)} emotions"
    if not all(isinstance(text, str) and _is_readable(text) for text in utterances):
        return "an utterance is empty or no text"
    if not all(type(label) is int and 0 <= label <= 6 for label in emotions):
        return "an emotion is not an integer from 0 to 6"
    return ""


def _is_readable(text: str) -> bool:
    """Return whether the text can be written as UTF-8 and holds a character that shows."""
    surrogate = any("\ud800" <= c <= "\udfff" for c in text)
    return not surrogate and any(c.isprintable() and not c.isspace() for c in text)


def _split_rows(source: Path, split: str) -> Iterator[_Row] | None:
    """Return the rows of one split in the first form that is there, or None."""
    for name in (f"{split}.jsonl", f"{split}.jsonl.gz"):
        path = source / name
        if path.is_file():
            return _json_rows(path)
    texts, emotions = f"dialogues_{split}.txt", f"dialogues_emotion_{split}.txt"
    folder = source / split
    if (folder / texts).is_file():
        return _official_rows(
            f"{split}/{texts}", read_bytes(folder / texts), read_bytes(folder / emotions)
        )
    archive = source / f"{split}.zip"
    if archive.is_file():
        members = read_members(archive, (texts, emotions))
        return _official_rows(f"{archive.name}:{texts}", *members)
    return None


def _json_rows(path: Path) -> Iterator[_Row]:
    data = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    for number, line in enumerate(lines_of(data), start=1):
        where = f"{path.name}:{number}"
        try:
            if len(line) > MAX_LINE_BYTES:
                raise ValueError("too long")
            row = decode_json(line, _Line)
        except ValueError:
            yield where, None, None
        else:
            yield where, row.dialogue, row.emotion


def _official_rows(name: str, texts: bytes, emotions: bytes) -> Iterator[_Row]:
    # split as bytes: a str also breaks at U+0085 or U+2028, which may stand inside an utterance
    counts = [sum(1 for _ in lines_of(data)) for data in (texts, emotions)]
    if counts[0] != counts[1]:
        raise DataError(
            f"{name} has {counts[0]} lines, its emotion file {counts[1]}",
            hint="fetch the corpus anew",
        )
    for number, (line, labels) in enumerate(
        zip(lines_of(texts), lines_of(emotions), strict=True), start=1
    ):
        where = f"{name}:{number}"
        if max(len(line), len(labels)) > MAX_LINE_BYTES:
            yield where, None, None
            continue
        utterances = [part.strip() for part in line.decode("utf-8", errors="replace").split(_END)]
        if utterances and not utterances[-1]:
            utterances.pop()  # the mark ends an utterance, so the last piece is empty
        try:
            yield where, utterances, [int(label) for label in labels.split()]
        except ValueError:
            yield where, utterances, None
