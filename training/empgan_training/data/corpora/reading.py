"""A corpus in whatever form it has: one table of forms, tried in their order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from empgan_rt.errors import DataError, InputError

from .convokit import convokit_splits
from .corpus import SPLITS, WHOLE, Corpus, Line
from .empathetic_csv import csv_lines
from .files import read_text
from .json_rows import TurnLabels, json_lines
from .official import official_split, official_whole
from .parquet import parquet_lines

NAMES_OF_SPLITS = {
    "train": ("train",),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
_JSON = (".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".json", ".json.gz")
_CSV = (".csv", ".csv.gz")
_PARQUET = ".parquet"


def read_corpus(source: Path, labels: TurnLabels = "dialogue") -> Corpus:
    """Return the dialogues below a folder, or in one file, in any of the known forms.

    Args:
        labels: which ones of EmpatheticDialogues are read.

    Raises:
        InputError: the source holds none of the forms.
        DataError: a file is missing or damaged, or too many lines are malformed, see
            `corpora.corpus`; the first ones are named.
    """
    corpus = Corpus()
    try:
        _read_splits(corpus, source, labels)
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        raise DataError(f"{source} cannot be read: {error}", hint="name another folder") from error
    if not corpus.splits:
        raise InputError(
            f"no corpus below {source}",
            hint="wanted train.jsonl (or .json, .ndjson, .csv, .parquet), train.zip, "
            "train/dialogues_train.txt, dialogues_text.txt or utterances.jsonl in a folder, or one "
            "file; docs/data.md shows each",
        )
    corpus.check()
    return corpus


def missing_splits(corpus: Corpus) -> list[str]:
    """Return the splits that a corpus with splits lacks."""
    return [] if WHOLE in corpus.splits else [name for name in SPLITS if name not in corpus.splits]


def _read_splits(corpus: Corpus, source: Path, labels: TurnLabels) -> None:
    if source.is_file():
        lines = _file_lines(source, labels)
        if lines is not None:
            corpus.collect(WHOLE, lines)
        return
    for split in SPLITS:
        lines = _split_file(source, split, labels) or official_split(source, split)
        if lines is not None:
            corpus.collect(split, lines)
    if not corpus.splits:
        whole = official_whole(source)
        found = convokit_splits(source) if whole is None else {WHOLE: whole}
        for split, lines in (found or {}).items():
            corpus.collect(split, lines)


def _split_file(source: Path, split: str, labels: TurnLabels) -> Iterator[Line] | None:
    """Return the dialogues of the first file there is of a split, or None."""
    for name in NAMES_OF_SPLITS[split]:
        for ending in (*_JSON, *_CSV, _PARQUET):
            path = source / f"{name}{ending}"
            if path.is_file():
                return _file_lines(path, labels)
        shards = sorted(source.glob(f"{name}-*{_PARQUET}"))  # as the hub names them
        if shards:
            return parquet_lines(shards, labels)
    return None


def _file_lines(path: Path, labels: TurnLabels) -> Iterator[Line] | None:
    """Return the dialogues of one file, or None if its name ends as none of ours does."""
    if path.name.endswith(_JSON):
        return json_lines(read_text(path), path.name, labels)
    if path.name.endswith(_CSV):
        return csv_lines(read_text(path), path.name, labels)
    if path.name.endswith(_PARQUET):
        return parquet_lines([path], labels)
    return None
