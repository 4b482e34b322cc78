"""JSON in files: written for people, or a line each, and read into the type that is wanted.

Whatever is wrong with the file is one kind of error, so that whoever reads it has one to translate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

Kind = TypeVar("Kind")

# msgspec sets no bound of its own: a number of thousands of digits would pass for an int.
Whole = Annotated[int, Meta(ge=0, le=2**63 - 1)]


def decode_json(raw: bytes, kind: type[Kind]) -> Kind:
    """Return JSON as a `kind`; no type is coerced, and fields that a `kind` lacks are passed over.

    Raises:
        ValueError: it is no such JSON, not in UTF-8, or nested deeper than can be read.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except RecursionError:
        raise ValueError("nested too deep") from None


def json_file(value: Any) -> bytes:
    """Return a value as JSON that people can read, with a newline at its end."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def json_lines(rows: Iterable[Any]) -> bytes:
    """Return each row as JSON on a line of its own."""
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)
