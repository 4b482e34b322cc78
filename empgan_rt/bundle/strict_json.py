"""The JSON of a bundle's files, taken at its word: nothing twice, unknown or coerced."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from ..errors import BundleError

Record = TypeVar("Record")

MAX_DEPTH = 32
_MAX_DIGITS = 20


def load_json(raw: bytes, name: str) -> dict[str, Any]:
    """Return the JSON object in `raw`; `name` says in messages which file it is.

    Raises:
        BundleError: it is not one JSON object in UTF-8, a key comes twice, values are nested too
            deep, or a number is beyond 64 bits.
    """
    try:
        text = raw.decode("utf-8")
        document = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_refuse,
            parse_int=_whole_number,
            parse_float=_finite_number,
        )
        _check_depth(document)
        json.dumps(document, ensure_ascii=False).encode("utf-8")  # no lone surrogates
    except (ValueError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise BundleError(f"{name} is not usable JSON: {reason[:120]}") from None
    if not isinstance(document, dict):
        raise BundleError(f"{name} holds a {type(document).__name__}, not an object")
    return document


def strict_convert(
    document: Mapping[str, Any], kind: type[Record], name: str, *, ignore_unknown: bool = False
) -> Record:
    """Return `document` as a `kind` (a struct or a dataclass), without coercing any type.

    Raises:
        BundleError: a field is missing or of the wrong type or value, or unknown, unless
            `ignore_unknown`; `name` says which file it is.
    """
    try:
        made = msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        raise BundleError(f"{name}: {error}") from None
    unknown = [] if ignore_unknown else sorted(_unknown_keys(document, made))
    if unknown:
        raise BundleError(f"{name} has unknown fields: {', '.join(map(repr, unknown))[:200]}")
    return made


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key comes twice")
    return made


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _whole_number(text: str) -> int:
    """Return a number that every JSON reader and writer can hold."""
    if len(text) <= _MAX_DIGITS and -(1 << 63) <= (number := int(text)) < 1 << 64:
        return number
    raise ValueError(f"a number of {len(text)} digits")


def _finite_number(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError("a number beyond the range of float64")
    return number


def _check_depth(document: Any) -> None:
    """Raise RecursionError if arrays and objects lie deeper in each other than `MAX_DEPTH`."""
    layer = [document]
    for _ in range(MAX_DEPTH):
        layer = [
            value
            for outer in layer
            if isinstance(outer, dict | list)
            for value in (outer.values() if isinstance(outer, dict) else outer)
        ]
    if layer:
        raise RecursionError


def _unknown_keys(document: Any, made: Any) -> Iterator[str]:
    """Yield the keys of `document`, at any depth, that `made` was not built from."""
    if isinstance(made, msgspec.Struct):
        known = {name: getattr(made, name) for name in made.__struct_fields__}
    elif dataclasses.is_dataclass(made):
        known = {f.name: getattr(made, f.name) for f in dataclasses.fields(made)}
    elif isinstance(made, dict):
        known = made
    else:
        return
    for key, value in document.items():
        if key in known:
            yield from _unknown_keys(value, known[key])
        else:
            yield key
