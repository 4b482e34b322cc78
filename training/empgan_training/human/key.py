"""What a rating sheet is: its columns, its row ids, and the key that tells whose reply a row is.

Row ids are a tag and a number. The tag is a hash of the whole draw, so that a sheet of another
draw, or a key altered by hand, is noticed and no rating is credited to the wrong system.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from empgan_rt.errors import DataError, InputError
from empgan_rt.storage.replacing import restored

from ..stored_json import decode_json, json_file

KEY_NAME = "key.json"
CRITERIA = ("content", "empathy")
ROW_ID = re.compile(r"s[0-9a-f]{8}-[0-9]{4,}")
COLUMNS = ("row", "context", "emotions", "reply", *CRITERIA)


class Reply(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of one row: the sample, such as "test-00017#3", and the system that replied."""

    sample: str
    system: str


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that the rows follow from.

    Attributes:
        seed: of every shuffle.
        raters: sheets written.
        data: sha256 of the prepared folder's test split.
        predictions: system -> sha256 of the file that its replies were read from.
        replies: what each row shows, in the order of the rows' numbers.
    """

    seed: int
    raters: int
    data: str
    predictions: dict[str, str]
    replies: tuple[Reply, ...]

    def row_ids(self) -> list[str]:
        """Return the id of each reply's row."""
        return row_ids(self, len(self.replies))


class Key(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file that is kept from the raters.

    Attributes:
        draw: what was drawn.
        rows: row id -> what the row shows.
        sheets: file name of each rater's sheet -> its sha256 as it was handed out.
    """

    draw: Draw
    rows: dict[str, Reply]
    sheets: dict[str, str]

    def to_json(self) -> bytes:
        """Return the bytes of `key.json`."""
        return json_file(self)


def row_ids(draw: msgspec.Struct, rows: int) -> list[str]:
    """Return the ids of a draw's rows, such as "s3f9a01c2-0001".

    The letter in front keeps spreadsheets from reading an id as a number or a date.
    """
    tag = hashlib.sha256(msgspec.json.encode(draw)).hexdigest()[:8]
    return [f"s{tag}-{number:04d}" for number in range(1, rows + 1)]


def make_key(draw: Draw, sheets: Mapping[str, bytes]) -> Key:
    """Return the key of a draw and of the sheets written from it."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sheets.items()}
    return Key(draw, dict(zip(draw.row_ids(), draw.replies, strict=True)), hashes)


def read_key(folder: Path) -> Key:
    """Return the key of a folder of sheets.

    Raises:
        InputError: the folder holds no key.
        DataError: the key cannot be read, or was altered: its row ids do not follow from its draw.
    """
    path = folder / KEY_NAME
    restored(folder)
    try:
        key = decode_json(path.read_bytes(), Key)
    except FileNotFoundError:
        raise InputError(
            f"{folder} holds no {KEY_NAME}", hint="give the folder that `human sheet` wrote"
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(f"{path} is damaged: {error}", hint="put the original back") from error
    draw = key.draw
    unknown = {reply.system for reply in draw.replies} - draw.predictions.keys()
    if unknown or key.rows != dict(zip(draw.row_ids(), draw.replies, strict=True)):
        raise DataError(
            f"{path} was altered: its rows do not follow from its seed {draw.seed}, predictions "
            f"and replies",
            hint="put the original back; `human sheet` with the same arguments writes it again",
        )
    if len(key.sheets) != draw.raters or [*key.sheets] != sheet_names(draw.raters):
        raise DataError(
            f"{path} names {len(key.sheets)} sheets, wanted those of {draw.raters} raters",
            hint="put the original back",
        )
    return key


def sheet_names(raters: int) -> list[str]:
    """Return the file name of each rater's sheet."""
    return [f"rater-{number}.csv" for number in range(1, raters + 1)]


def changed_sheets(folder: Path, key: Key) -> Sequence[str]:
    """Return the sheets that are no longer as they were written: filled in, or gone."""
    return [
        name
        for name, digest in key.sheets.items()
        if not (folder / name).is_file()
        or hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest
    ]
