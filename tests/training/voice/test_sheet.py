"""Blind sheets: what they hide, that they come back as they went, and what is refused."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt.config import SearchConfig
from empgan_rt.errors import DataError, InputError
from empgan_training.voice.candidates import Answers
from empgan_training.voice.contexts import Context
from empgan_training.voice.draw import Draw, draw_rows, read_draw
from empgan_training.voice.sheet import SHEET_NAME, make_sheet, read_ratings
from support.human_sheets import read_csv, write_csv
from support.voices import CONTEXTS, MARKS, answers, rate

Edit = Callable[[list[dict[str, str]]], object]

SAID = {
    "Zebra": answers(lambda turn: f"I heard: {turn[:6]}", length_penalty=0.5),
    "Yak": answers(lambda turn: "I see.", "beef"),
    "Xerus": answers(lambda turn: "I see." if "dog" in turn else "-1 is my answer!"),
}


@pytest.fixture
def drawn(tmp_path: Path) -> tuple[Path, Draw]:
    make_sheet(CONTEXTS, SAID, tmp_path / "reader", tmp_path / "kept" / "key.json", seed=3)
    return tmp_path / "reader" / SHEET_NAME, read_draw(tmp_path / "kept" / "key.json")


def filled(sheet: Path) -> list[dict[str, str]]:
    rate(sheet, lambda reply: ("2", "1", "no", "yes" if reply == "I see." else "No"))
    return read_csv(sheet)


def test_what_the_reader_gets_names_no_candidate(drawn: tuple[Path, Draw]) -> None:
    sheet, draw = drawn
    files = {path.name: path.read_text("utf-8-sig") for path in sheet.parent.iterdir()}
    assert set(files) == {SHEET_NAME, "INSTRUCTIONS.md"}
    sources = [source.bundle for source in draw.candidates.values()]
    for hidden in (*SAID, *sources, "length_penalty", "seed"):
        assert not any(hidden in text for text in files.values()), hidden
    assert draw.candidates["Zebra"].search["length_penalty"] == 0.5
    assert draw.candidates["Yak"].bundle == "beef"


def test_every_candidate_has_one_row_of_each_context(drawn: tuple[Path, Draw]) -> None:
    _, draw = drawn
    for context in CONTEXTS:
        rows = [row for row in draw.rows if row.context == context.id]
        assert sorted(name for row in rows for name in row.candidates) == sorted(SAID)
        assert [row.letter for row in rows] == ["A", "B", "C"][: len(rows)]
        for row in rows:
            assert {SAID[name].replies[context.id] for name in row.candidates} == {row.reply}


def test_equal_replies_share_a_row_and_a_rating(drawn: tuple[Path, Draw]) -> None:
    sheet, draw = drawn
    assert len(draw.rows) == 3 * len(CONTEXTS) - 1
    filled(sheet)
    (shared,) = [r for r in read_ratings(sheet, draw) if len(r.candidates) > 1]
    assert (shared.context, shared.reply, shared.generic) == ("dog", "I see.", True)
    assert shared.candidates == ("Yak", "Xerus")


def test_letters_and_contexts_are_drawn_by_the_seed() -> None:
    many = [Context(f"c{n}", "joy", "happiness", (f"turn {n}",)) for n in range(60)]
    said = {
        name: Answers("f00d", SearchConfig(), {c.id: f"{name} {c.id}" for c in many}, False, ())
        for name in ("one", "two")
    }
    draw = draw_rows(many, said, seed=1)
    assert draw == draw_rows(many, said, seed=1)
    assert draw.contexts != draw_rows(many, said, seed=2).contexts
    assert [c.id for c in draw.contexts] != [c.id for c in many]
    under_a = sum(row.letter == "A" for row in draw.rows if row.candidates == ("one",))
    assert 15 <= under_a <= 45


def test_marks_come_back_whatever_a_spreadsheet_does(drawn: tuple[Path, Draw]) -> None:
    sheet, draw = drawn
    rows = filled(sheet)
    rated = read_ratings(sheet, draw)
    assert [r.row for r in rated] == [*draw.by_id()]
    assert {(r.content, r.empathy, r.harmful, r.good) for r in rated} == {(2, 1, False, True)}
    assert {r.kind for r in rated} == {"joy", "grief", "crisis"}
    write_csv(sheet, rows[::-1], ";")
    assert read_ratings(sheet, draw) == rated


@pytest.mark.parametrize(
    ("column", "cell", "wanted"),
    [
        ("content", "3", "content is '3', wanted 0 or 1 or 2"),
        ("empathy", "-1", "empathy is '-1', wanted 0 or 1 or 2"),
        ("harmful", "1", "harmful is '1', wanted no or yes"),
        ("generic", "rather not", "generic is a text of 10 characters, wanted no or yes"),
    ],
)
def test_a_mark_off_its_scale_is_named(
    drawn: tuple[Path, Draw], column: str, cell: str, wanted: str
) -> None:
    sheet, draw = drawn
    rows = filled(sheet)
    rows[4][column] = cell
    write_csv(sheet, rows)
    with pytest.raises(DataError, match=f"row {rows[4]['row']}: {wanted}"):
        read_ratings(sheet, draw)


@pytest.mark.parametrize("column", MARKS)
def test_a_missing_mark_is_named(drawn: tuple[Path, Draw], column: str) -> None:
    sheet, draw = drawn
    rows = filled(sheet)
    rows[2][column] = rows[5][column] = " "
    write_csv(sheet, rows)
    with pytest.raises(DataError, match=f"2 marks are missing, {column} of row {rows[2]['row']}"):
        read_ratings(sheet, draw)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda rows: rows[0].update(reply="I see!"), "was altered: its reply"),
        (lambda rows: rows[0].update(dialogue="person: hello"), "was altered: its dialogue"),
        (lambda rows: rows[0].update(letter="D"), "was altered: its letter"),
        (lambda rows: rows[0].update(emotion="anger"), "was altered: its emotion"),
        (lambda rows: rows.pop(), "1 of 11 rows are missing"),
        (lambda rows: rows.append(rows[0]), "is there twice"),
        (lambda rows: [row.pop("harmful") for row in rows], "0 columns called 'harmful'"),
    ],
)
def test_an_altered_sheet_is_refused(drawn: tuple[Path, Draw], edit: Edit, message: str) -> None:
    sheet, draw = drawn
    rows = filled(sheet)
    edit(rows)
    write_csv(sheet, rows)
    with pytest.raises(DataError, match=message):
        read_ratings(sheet, draw)


def test_an_altered_key_credits_nobody(drawn: tuple[Path, Draw], tmp_path: Path) -> None:
    sheet, _ = drawn
    filled(sheet)
    key = tmp_path / "kept" / "key.json"
    key.write_text(key.read_text("utf-8").replace("Zebra", "Zebu"), "utf-8")
    with pytest.raises(DataError, match="a row is not in the key"):
        read_ratings(sheet, read_draw(key))
    key.write_text(json.dumps({"rows": []}), "utf-8")
    with pytest.raises(DataError, match=r"key\.json is no key"):
        read_draw(key)
    with pytest.raises(InputError, match="cannot be read"):
        read_draw(tmp_path / "none.json")


def test_nothing_that_may_hold_ratings_is_replaced(tmp_path: Path) -> None:
    out, key = tmp_path / "reader", tmp_path / "key.json"
    with pytest.raises(InputError, match="lies in"):
        make_sheet(CONTEXTS, SAID, out, out / "key.json", seed=1)
    make_sheet(CONTEXTS, SAID, out, key, seed=1)
    before = hashlib.sha256((out / SHEET_NAME).read_bytes()).hexdigest()
    with pytest.raises(InputError, match=r"reader exists"):
        make_sheet(CONTEXTS, SAID, out, tmp_path / "other.json", seed=1)
    with pytest.raises(InputError, match=r"key\.json exists"):
        make_sheet(CONTEXTS, SAID, tmp_path / "other", key, seed=1)
    assert hashlib.sha256((out / SHEET_NAME).read_bytes()).hexdigest() == before
    with pytest.raises(InputError, match="0 candidates"):
        make_sheet(CONTEXTS, {}, tmp_path / "other", tmp_path / "other.json", seed=1)
