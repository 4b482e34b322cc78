"""From marks to rates: figures by hand, intervals, and what is kept of a reading."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from empgan_rt.errors import InputError
from empgan_training.voice.sheet import SHEET_NAME, make_sheet
from empgan_training.voice.text import scores_text
from empgan_training.voice.unblind import unblind
from support.voices import CONTEXTS, answers, rate

RATER = "one reader, blind; a rule of a test"
SAID = {
    "kind": answers(lambda turn: f"Tell me of this: {turn}", "aaaa"),
    "dull": answers(lambda turn: "I see.", "bbbb", beam_size=1),
    "cruel": answers(lambda turn: "Ha ha!" if "dog" in turn else "I see.", "cccc"),
}


def marks(reply: str) -> tuple[str, str, str, str]:
    if reply == "I see.":
        return "1", "1", "no", "yes"
    if reply == "Ha ha!":
        return "2", "0", "yes", "no"
    return "2", "1", "no", "no"


@pytest.fixture
def read(tmp_path: Path) -> tuple[Path, Path]:
    folder, key = tmp_path / "reader", tmp_path / "key.json"
    make_sheet(CONTEXTS, SAID, folder, key, seed=1)
    rate(folder / SHEET_NAME, marks)
    return folder / SHEET_NAME, key


def test_rates_by_hand_leave_crises_apart(read: tuple[Path, Path]) -> None:
    scores = unblind(*read, RATER)
    overall = {r.candidate: (r.n, r.good, r.harmful, r.generic) for r in scores.overall}
    assert overall == {
        "kind": (3, 100, 0, 0),
        "dull": (3, 0, 0, 100),
        "cruel": (3, 0, pytest.approx(100 / 3), pytest.approx(200 / 3)),
    }
    assert list(dict.fromkeys(r.kind for r in scores.by_kind)) == ["grief", "joy", "crisis"]
    by_kind = {(r.kind, r.candidate): (r.n, r.good, r.harmful, r.generic) for r in scores.by_kind}
    assert by_kind["grief", "cruel"] == (1, 0, 100, 0)
    assert by_kind["joy", "cruel"] == (2, 0, 0, 100)
    assert by_kind["crisis", "kind"] == (1, 100, 0, 0)


def test_differences_are_paired(read: tuple[Path, Path]) -> None:
    scores = unblind(*read, RATER)
    pairs = {(d.candidate, d.baseline): d.intervals for d in scores.differences}
    assert set(pairs) == {("dull", "kind"), ("cruel", "kind"), ("cruel", "dull")}
    good, harmful, generic = pairs["dull", "kind"]
    assert (good.value, good.low, good.high) == (-100, -100, -100)  # in every context alike
    assert (generic.value, generic.low, generic.high) == (100, 100, 100)
    assert (harmful.value, harmful.low, harmful.high) == (0, 0, 0)
    _, harmful, _ = pairs["cruel", "dull"]
    assert (harmful.value, harmful.low, harmful.high) == (pytest.approx(100 / 3), 0, 100)


def test_the_text_shows_every_table(read: tuple[Path, Path]) -> None:
    lines = [line.split() for line in scores_text(unblind(*read, RATER)).splitlines()]
    assert ["dull", "3", "0.0", "0.0", "100.0"] in lines
    assert ["crisis", "kind", "1", "100.0", "0.0", "0.0"] in lines
    row = "dull - kind  -100.0 [-100.0, -100.0]  +0.0 [+0.0, +0.0]  +100.0 [+100.0, +100.0]"
    assert row.split() in lines


def test_what_is_kept_says_who_read_and_who_spoke(read: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "first-reading"
    scores = unblind(*read, RATER, out)
    assert {path.name for path in out.iterdir()} == {"README.md", "ratings.jsonl", "key.json"}
    page = (out / "README.md").read_text("utf-8")
    assert page.startswith("# Replies read blind: first-reading\n\n4 contexts that we wrote, 9 ")
    assert f"Rater: {RATER}." in page
    assert "protocol 1" in page
    assert "- `kind`: bundle aaaa, beam_size 5\n- `dull`: bundle bbbb, beam_size 1\n" in page
    assert scores_text(scores) in page
    assert (out / "key.json").read_bytes() == read[1].read_bytes()
    rows = [json.loads(line) for line in (out / "ratings.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 9
    (cruel,) = [row for row in rows if row["candidates"] == ["cruel"]]
    del cruel["row"], cruel["letter"]
    assert cruel == {
        "context": "dog",
        "kind": "grief",
        "candidates": ["cruel"],
        "reply": "Ha ha!",
        "content": 2,
        "empathy": 0,
        "harmful": True,
        "generic": False,
    }


def test_one_reading_does_not_replace_another(read: tuple[Path, Path], tmp_path: Path) -> None:
    unblind(*read, RATER, tmp_path / "out")
    with pytest.raises(InputError, match="out exists"):
        unblind(*read, RATER, tmp_path / "out")
    with pytest.raises(InputError, match="the rater is blank"):
        unblind(*read, " ")
