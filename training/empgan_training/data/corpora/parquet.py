"""Dialogues in Parquet, as the Hugging Face hub stores them; the keys are those of `json_rows`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from empgan_rt.errors import DataError
from empgan_rt.packages import import_module

from .corpus import Line
from .files import MAX_UNPACKED_BYTES
from .json_rows import EMOTION_KEYS, UTTERANCE_KEYS, TurnLabels, row_line

_KEYS = (*UTTERANCE_KEYS, *EMOTION_KEYS, "label", "context", "situation", "act", "acts")
_ROWS_AT_ONCE = 1000


def parquet_lines(paths: list[Path], labels: TurnLabels) -> Iterator[Line]:
    """Yield the dialogues of some files, one after the other.

    Raises:
        DependencyError: the extra `parquet` is not installed.
        DataError: a file is damaged, holds no column of utterances, or more than memory should.
    """
    parquet = import_module(
        "pyarrow.parquet", "pyarrow is missing", "pip install 'empgan-rt[parquet]'"
    )
    for path in paths:
        try:
            with parquet.ParquetFile(path) as file:
                yield from _lines(file, path.name, labels)
        except DataError:
            raise
        except Exception as error:  # of damaged bytes pyarrow raises whatever it meets
            raise DataError(
                f"{path} cannot be read: {type(error).__name__}", hint="fetch the corpus anew"
            ) from error


def _lines(file: Any, name: str, labels: TurnLabels) -> Iterator[Line]:
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    size = sum(group.total_byte_size for group in groups)
    if size > MAX_UNPACKED_BYTES:
        raise DataError(
            f"{name} unpacks to {size:,} bytes, at most {MAX_UNPACKED_BYTES:,} are read",
            hint="fetch the corpus anew",
        )
    columns = file.schema_arrow.names
    if not set(UTTERANCE_KEYS).intersection(columns):
        raise DataError(
            f"{name}: columns {', '.join(map(repr, columns))[:200]}, wanted "
            f"{' or '.join(UTTERANCE_KEYS)}",
            hint="docs/data.md shows every form",
        )
    wanted = [column for column in columns if column in _KEYS]
    number = 0
    for rows in file.iter_batches(_ROWS_AT_ONCE, columns=wanted):
        for row in rows.to_pylist():
            yield row_line(f"{name}[{number}]", row, labels)
            number += 1
