"""Whatever a corpus holds, `data prepare` writes a whole folder, or ends in an error of ours.

Damage is drawn from a fixed seed, over every form. A plain run takes the first draws of each, a
slow one more than a thousand mutated files.
"""

from __future__ import annotations

import logging
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt.errors import DataError, InputError
from empgan_training.data import prepare as module
from empgan_training.data.prepare import prepare
from empgan_training.data.protocol import PrepareOptions
from empgan_training.data.sources import Source
from support.corpora import (
    JSON_FORMS,
    write_convokit,
    write_csv,
    write_empathetic,
    write_json,
    write_official,
)
from support.damage import damaged_bytes, damaged_lines

FORMS: dict[str, Callable[[Path], Path]] = {
    **{form: lambda folder, form=form: write_json(folder, form) for form in JSON_FORMS},
    "empathetic": write_empathetic,
    "csv": write_csv,
    "convokit": lambda folder: write_convokit(folder, with_splits=True),
    "official": write_official,
}


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Leave the tagging of adjectives out, which is of no form and takes most of the time."""
    monkeypatch.setattr("empgan_training.data.vocabulary.adjectives", lambda sentences: frozenset())
    caplog.set_level(logging.ERROR, "empgan_training")


def mutated(draw: random.Random, folder: Path) -> Path:
    """Damage one file of a corpus and return it."""
    path = draw.choice(sorted(p for p in folder.rglob("*") if p.is_file()))
    data = path.read_bytes()
    by_line = path.suffix == ".jsonl" and draw.random() < 0.7
    path.write_bytes(damaged_lines(draw, data) if by_line else damaged_bytes(draw, data))
    return path


def outcomes(form: str, folder: Path, draws: range) -> Counter[str]:
    """Return how often `data prepare` read a mutated corpus, refused it, or did worse."""
    whole = FORMS[form](folder / "whole")
    found: Counter[str] = Counter()
    for number in draws:
        place = folder / str(number)
        shutil.copytree(whole, place / "c")
        path = mutated(random.Random(f"{form}/{number}"), place / "c")
        out = place / "out"
        try:
            prepare([Source(place / "c", licence="MIT")], out, PrepareOptions())
        except (DataError, InputError) as error:
            kind = type(error).__name__
            told = str(error)
            if out.exists() or {p.name for p in place.iterdir()} != {"c"}:
                kind = f"HALF A FOLDER {path.name}"
            elif len(told) > 2000 or not told.isprintable():
                kind = f"NO CLEAR MESSAGE {told[:200]!r}"
        except BaseException as error:
            kind = f"FOREIGN {path.name}: {type(error).__name__}: {str(error)[:80]}"
        else:
            kind = "read" if (out / "report.json").is_file() else "HALF A FOLDER"
        found[kind] += 1
        shutil.rmtree(place)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_mutated_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    found = outcomes(form, tmp_path, range(4))
    assert set(found) <= {"read", "DataError", "InputError"}


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_mutated_files_are_read_or_refused(form: str, tmp_path: Path) -> None:
    draws = range(100)
    found = outcomes(form, tmp_path, draws)
    assert set(found) <= {"read", "DataError", "InputError"}
    assert found["read"] > 0
    assert found["DataError"] > 0
    assert len(FORMS) * len(draws) >= 1000


def test_a_folder_that_appears_half_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check of the tests above can fail."""

    def broken(out: Path, files: object) -> None:
        out.mkdir()
        raise DataError("too late")

    monkeypatch.setattr(module, "write_folder", broken)
    assert any("HALF A FOLDER" in kind for kind in outcomes("ours", tmp_path, range(3)))
