"""DailyDialog (Li et al. 2017b) from its official distribution or from JSON lines.

Official: `dialogues_text.txt` with utterances ended by `__eou__`, and files of emotion and act
labels, whole or per split in folders or zips. JSON lines: one object a dialogue,
`{"dialogue": [str], "emotion": [int]}`, plain or gzipped, one file a split, or
one file for the whole corpus, without splits.
"""

from __future__ import annotations

import gzip
import json
import logging
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from empgan_rt.errors import DataError, InputError

SPLITS = ("train", "validation", "test")
MAX_BAD_SHARE = 0.001
_END = "__eou__"
_MAX_MEMBER_BYTES = 256 * 2**20

log = logging.getLogger(__name__)


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
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"the corpus below {source} cannot be read: {error}", hint="fetch the corpus anew"
        ) from error
    if not corpus.splits:
        raise InputError(
            f"no DailyDialog below {source}",
            hint="wanted train.jsonl(.gz), train/dialogues_train.txt, train.zip or "
            "dialogues_text.txt",
        )
    for line in corpus.bad_lines:
        log.warning("malformed line left out: %s", line)
    if len(corpus.bad_lines) > MAX_BAD_SHARE * corpus.total:
        raise DataError(
            f"{len(corpus.bad_lines)} of {corpus.total} lines are malformed, at most "
            f"{MAX_BAD_SHARE:.1%} are accepted; first: {'; '.join(corpus.bad_lines[:3])}",
            hint="mend or fetch the corpus anew",
        )
    return corpus


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
        texts = (source / "dialogues_text.txt").read_bytes()
        emotions = (source / "dialogues_emotion.txt").read_bytes()
        _collect(corpus, "all", _official_rows("dialogues_text.txt", texts, emotions))


def _collect(corpus: Corpus, split: str, rows: Iterator[_Row]) -> None:
    dialogues = corpus.splits.setdefault(split, [])
    for number, (where, utterances, emotions) in enumerate(rows):
        fault = _fault(utterances, emotions)
        if fault:
            corpus.bad_lines.append(f"{where}: {fault}")
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
            f"{split}/{texts}", (folder / texts).read_bytes(), (folder / emotions).read_bytes()
        )
    archive = source / f"{split}.zip"
    if archive.is_file():
        with zipfile.ZipFile(archive) as members:
            return _official_rows(
                f"{archive.name}:{texts}", _member(members, texts), _member(members, emotions)
            )
    return None


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return one member by its base name, whatever folder it lies in inside the archive."""
    for info in archive.infolist():
        if info.filename.rsplit("/", 1)[-1] == name and info.file_size <= _MAX_MEMBER_BYTES:
            return archive.read(info)
    raise DataError(f"{archive.filename} has no {name}", hint="fetch the corpus anew")


def _json_rows(path: Path) -> Iterator[_Row]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines()
    for number, line in enumerate(lines, start=1):
        where = f"{path.name}:{number}"
        try:
            row = json.loads(line)
            yield where, row["dialogue"], row["emotion"]
        except (ValueError, KeyError, TypeError, RecursionError):
            yield where, None, None


def _official_rows(name: str, texts: bytes, emotions: bytes) -> Iterator[_Row]:
    # split as bytes: a str also breaks at U+0085 or U+2028, which may stand inside an utterance
    text_lines = [line.decode("utf-8", errors="replace") for line in texts.splitlines()]
    label_lines = [line.decode("ascii", errors="replace") for line in emotions.splitlines()]
    if len(text_lines) != len(label_lines):
        raise DataError(
            f"{name} has {len(text_lines)} lines, its emotion file {len(label_lines)}",
            hint="fetch the corpus anew",
        )
    for number, (line, labels) in enumerate(zip(text_lines, label_lines, strict=True), start=1):
        utterances = [part.strip() for part in line.split(_END)]
        if utterances and not utterances[-1]:
            utterances.pop()  # the mark ends an utterance, so the last piece is empty
        try:
            yield f"{name}:{number}", utterances, [int(label) for label in labels.split()]
        except ValueError:
            yield f"{name}:{number}", utterances, None
