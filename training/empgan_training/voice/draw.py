"""The key: which candidates said what, under which letter. The reader never sees it.

Row ids carry a hash of the whole key (`human.key.row_ids`), so a sheet of another draw and a key
that was altered are noticed, and no rating is credited to the wrong candidate.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from string import ascii_uppercase
from typing import Any

import msgspec

from empgan_rt._version import __version__
from empgan_rt.config import check_seed
from empgan_rt.errors import DataError, InputError

from ..human.key import row_ids
from ..stored_json import decode_json
from .candidates import Answers
from .contexts import Context

PROTOCOL = 1  # goes up when sheets, instructions or rates change their meaning


class Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One reply to one context, and all candidates that gave it."""

    context: str
    letter: str
    reply: str
    candidates: tuple[str, ...]


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a candidate's replies come from.

    Attributes:
        bundle: id of its bundle.
        search: how it was searched.
        guard: whether a guard watched it.
        from_guard: ids of the contexts that the guard answered in the model's place.
    """

    bundle: str
    search: dict[str, Any]
    guard: bool = False
    from_guard: tuple[str, ...] = ()


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that a sheet follows from.

    Attributes:
        protocol: `PROTOCOL` of the script that drew.
        version: of empgan-rt.
        seed: of every shuffle.
        candidates: name -> where its replies come from.
        contexts: in the order of the sheet.
        rows: in the order of the sheet.
    """

    protocol: int
    version: str
    seed: int
    candidates: dict[str, Source]
    contexts: tuple[Context, ...]
    rows: tuple[Row, ...]

    def by_id(self) -> dict[str, Row]:
        """Return each row by its id."""
        return dict(zip(row_ids(self, len(self.rows)), self.rows, strict=True))


def draw_rows(contexts: Sequence[Context], answers: Mapping[str, Answers], seed: int) -> Draw:
    """Return a draw: contexts shuffled, and within each the different replies.

    Candidates whose replies are equal to the letter share a row, and so a rating.

    Raises:
        InputError: less than one candidate, more than there are letters, or a seed that is
            negative or too large.
    """
    check_seed(seed)
    if not 1 <= len(answers) <= len(ascii_uppercase):
        raise InputError(
            f"{len(answers)} candidates", hint=f"give from 1 to {len(ascii_uppercase)}"
        )
    shuffle = random.Random(seed)
    order = shuffle.sample(contexts, len(contexts))
    rows = []
    for context in order:
        said: dict[str, list[str]] = {}
        for name, answered in answers.items():
            said.setdefault(answered.replies[context.id], []).append(name)
        replies = shuffle.sample([*said], len(said))
        rows += [
            Row(context.id, letter, reply, tuple(said[reply]))
            for letter, reply in zip(ascii_uppercase, replies, strict=False)
        ]
    sources = {
        name: Source(a.bundle, asdict(a.search), a.guard, a.from_guard)
        for name, a in answers.items()
    }
    return Draw(PROTOCOL, __version__, seed, sources, tuple(order), tuple(rows))


def read_draw(path: Path) -> Draw:
    """Return the draw in a key.

    Raises:
        InputError: the file cannot be read.
        DataError: it is no key.
    """
    try:
        return decode_json(path.read_bytes(), Draw)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise DataError(
            f"{path} is no key: {error}", hint="give the file that `scripts/voice sheet` wrote"
        ) from error
