"""What a checkpoint says of itself, as types: the only way to what is in its `info`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct

from .stored_json import Whole

_MAX_CHARACTERS = 16 * 2**20  # of the JSON; a run's is below 100,000
_INTEGERS = range(-(2**63), 2**64)


class Optimiser(Struct, frozen=True):
    """The field that is read of one stage of a recipe."""

    learning_rate: float


class Recipe(Struct, frozen=True):
    """The fields that are read of a recipe; `resume` compares all of it."""

    seed: int
    mle: Optimiser


class Data(Struct, frozen=True):
    """The prepared folder that a system was trained on: file -> SHA-256."""

    sha256: dict[str, str]


class Progress(Struct, frozen=True):
    """The progress of a stage: steps of the optimiser, and seconds of the wall clock."""

    step: Whole
    seconds: float = 0.0


class Facts(Struct, frozen=True):
    """The facts that every checkpoint states; `resume` reads more where a run can go on.

    Attributes:
        scores: stage -> what its latest validation logged.
        versions: package -> version that trained.
        stages: stage -> how far it has come; only in checkpoints that can be resumed from.
        sources: "recogniser" or "generator" -> SHA-256 of weights that came from elsewhere.
    """

    system: str
    recipe: Recipe
    scores: dict[str, dict[str, Any]]
    data: Data
    licence: str
    versions: dict[str, str]
    stages: dict[str, Progress] = {}
    sources: dict[str, str] = {}

    def score(self, stage: str, name: str) -> float | None:
        """Return a score of a stage's latest validation; None where it states none."""
        value = self.scores.get(stage, {}).get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        return None


FACTS = tuple(Facts.__struct_fields__[:6])  # those that none may lack


def read_info(text: str) -> dict[str, Any]:
    """Return the JSON object in a checkpoint's header; NaN is read, since runs may log it.

    Raises:
        ValueError: it is none, nested too deep, too long, or holds an integer that fits no 64 bits
            or half a character.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"info of {len(text)} characters, at most {_MAX_CHARACTERS} wanted")
    try:
        info = json.loads(text, parse_int=_integer)
        json.dumps(info, ensure_ascii=False).encode("utf-8")  # no lone surrogates
    except RecursionError:
        raise ValueError("info is nested too deep") from None
    if not isinstance(info, dict):
        raise ValueError(f"info is a {type(info).__name__}, not an object")
    return info


def facts_of(info: Mapping[str, Any]) -> Facts:
    """Return what a checkpoint's `info` states.

    Raises:
        ValueError: one of the facts is missing or of another type.
    """
    missing = [name for name in FACTS if name not in info]
    if missing:
        raise ValueError(f"it does not state its {', '.join(missing)}")
    return msgspec.convert(dict(info), Facts)


def _integer(digits: str) -> int:
    value = int(digits)
    if value not in _INTEGERS:
        raise ValueError(f"an integer of {len(digits)} digits")
    return value
