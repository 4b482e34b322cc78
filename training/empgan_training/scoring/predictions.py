"""Replies of several systems to the same samples, from `evaluate --save-predictions`."""

from __future__ import annotations

import hashlib
from codecs import BOM_UTF8
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from empgan_rt.errors import DataError, InputError

from ..stored_json import decode_json
from .evaluation import Prediction


@dataclass(frozen=True)
class Replies:
    """One system's hypotheses by sample id, and the sha256 of the file that they came from."""

    by_sample: Mapping[str, str]
    sha256: str


def read_predictions(path: Path) -> Replies:
    """Return one system's replies.

    Raises:
        InputError: the file cannot be read.
        DataError: a line is no prediction, or a sample is answered twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    return Replies(parse_predictions(data, path), hashlib.sha256(data).hexdigest())


def parse_predictions(data: bytes, path: Path) -> dict[str, str]:
    """Return the hypotheses in a file's content, by sample id.

    Args:
        path: where it comes from, for the error.

    Raises:
        DataError: a line is no prediction, or a sample is answered twice.
    """
    by_sample: dict[str, str] = {}
    for number, line in enumerate(data.removeprefix(BOM_UTF8).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            prediction = decode_json(line, Prediction)
        except ValueError as error:
            raise DataError(
                f'{path}:{number} is no {{"id": ..., "hypothesis": ...}}',
                hint="give a file that `evaluate --save-predictions` wrote",
            ) from error
        if prediction.id in by_sample:
            raise DataError(f"{path}:{number} answers {prediction.id[:40]!r} a second time")
        by_sample[prediction.id] = prediction.hypothesis
    return by_sample


def common_ids(systems: Mapping[str, Replies]) -> list[str]:
    """Return the sample ids that the systems answered, sorted.

    Raises:
        InputError: there is no system, or two answered different samples.
    """
    if not systems:
        raise InputError("0 systems, at least 1 wanted", hint="give --predictions NAME=FILE")
    (first, expected), *others = ((n, set(r.by_sample)) for n, r in systems.items())
    for name, ids in others:
        if ids != expected:
            raise InputError(
                f"{first} answered {len(expected)} samples, {name} {len(ids)}, of which "
                f"{len(ids & expected)} are the same ones; all wanted",
                hint="evaluate every system on the same samples",
            )
    return sorted(expected)
