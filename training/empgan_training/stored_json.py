"""JSON that a file holds, read into the type that is wanted of it.

Whatever is wrong with the file is one kind of error, so that whoever reads it has one to translate.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

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
