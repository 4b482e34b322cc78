"""Filled sheets read back: hand-computed figures, and sheets that are refused."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs

from empgan_rt.errors import DataError, DependencyError, InputError
from empgan_training.human.key import Reply, make_key, read_key
from empgan_training.human.scores import agreement, criterion_scores, score_sheets
from empgan_training.human.sheet import SheetOptions, make_sheets
from empgan_training.human.text import scores_text
from support.human_sheets import fill, read_csv, read_key_json, write_csv, write_predictions
from support.small_data import prepare_own

SHEETS = ["rater-1.csv", "rater-2.csv", "rater-3.csv"]


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scores")
    prepared = prepare_own(folder, 60)
    files = write_predictions(prepared, folder, {"Warm": "i am glad .", "Cold": "ok ."})
    make_sheets(prepared, files, folder / "sheets", SheetOptions(contexts=2, raters=3))
    return folder / "sheets"


@pytest.fixture
def sheets(blank: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(blank, tmp_path / "sheets"))


def rate(folder: Path, table: Mapping[str, Mapping[tuple[str, str, int], str]]) -> None:
    """Fill in: sheet -> (system, criterion, number of the context) -> cell."""
    contexts = sorted({reply["sample"] for reply in read_key_json(folder)["rows"].values()})
    for sheet, cells in table.items():
        fill(
            folder,
            sheet,
            lambda reply, criterion, cells=cells: cells.get(
                (reply["system"], criterion, contexts.index(reply["sample"])), ""
            ),
        )


def content(warm: str, cold: str) -> dict[tuple[str, str, int], str]:
    """Return content ratings of one rater: one character per context, "." is left empty."""
    texts = {"Warm": warm, "Cold": cold}
    return {
        (system, "content", number): mark
        for system, marks in texts.items()
        for number, mark in enumerate(marks)
        if mark != "."
    }


def test_hand_computed_scores(sheets: Path) -> None:
    rate(
        sheets,
        {
            "rater-1.csv": content("21", "00") | {("Warm", "empathy", 0): "2"},
            "rater-2.csv": content("22", "1."),
            "rater-3.csv": content("..", ".."),
        },
    )
    scores = score_sheets(sheets)
    assert scores.sheets == ("rater-1.csv", "rater-2.csv")
    assert scores.empty_sheets == ("rater-3.csv",)
    assert (scores.contexts, scores.seed) == (2, 1)
    warm, cold = scores.systems["Warm"]["content"], scores.systems["Cold"]["content"]
    # 2 1 2 2: mean 7/4, squares about it (1 + 9 + 1 + 1) / 16 = 3/4, over 3 = 1/4
    assert (warm.mean, warm.stdev, warm.n, warm.missing) == (1.75, pytest.approx(0.5), 4, 0)
    # between raters: {2, 2} deviates by 0, {1, 2} by sqrt(1/2)
    assert warm.stdev_between_raters == pytest.approx(0.5**0.5 / 2)
    # 0 0 1: mean 1/3, squares (1/9 + 1/9 + 4/9) / 2 = 1/3; one reply has two ratings, {0, 1}
    assert (cold.mean, cold.n, cold.missing) == (pytest.approx(1 / 3), 3, 1)
    assert cold.stdev == pytest.approx((1 / 3) ** 0.5)
    assert cold.stdev_between_raters == pytest.approx(0.5**0.5)
    # pairs {2 2} {1 2} {0 1}: n_0 = 1, n_1 = 2, n_2 = 3; squared ordinal distances
    # 01: 1.5^2, 12: 2.5^2, 02: (1 + 2 + 3 - 2)^2; observed 1 of 01 and 1 of 12, n = 6
    observed = 1.5**2 + 2.5**2
    expected = (1 * 2 * 1.5**2 + 2 * 3 * 2.5**2 + 1 * 3 * 4**2) / 5
    alpha = scores.alpha["content"]
    assert alpha.value == pytest.approx(1 - observed / expected)
    assert (alpha.replies, alpha.reason) == (3, "")
    assert re.fullmatch(r"level:ordinal\|krippendorff:\d+\.\d+\.\d+", alpha.signature)
    only = scores.systems["Warm"]["empathy"]
    assert (only.mean, only.stdev, only.stdev_between_raters) == (2.0, None, None)
    assert (only.n, only.missing) == (1, 3)
    unrated = scores.systems["Cold"]["empathy"]
    assert (unrated.mean, unrated.stdev, unrated.n, unrated.missing) == (None, None, 0, 4)
    assert scores.alpha["empathy"].value is None
    assert "two raters" in scores.alpha["empathy"].reason


def test_text_shows_what_is_known_and_a_dash_for_what_is_not(sheets: Path) -> None:
    rate(sheets, {"rater-1.csv": content("21", "..")})
    text = scores_text(score_sheets(sheets))
    lines = [line.split() for line in text.splitlines()]
    assert ["Warm", "1.50", "0.71", "-", "2", "0"] in lines
    assert ["Cold", "-", "-", "-", "0", "2"] in lines
    assert "alpha: none, no reply was rated by two raters" in text
    assert "raters: 1, nothing in rater-2.csv, rater-3.csv" in text


def test_alpha_of_krippendorffs_binary_example() -> None:
    # Krippendorff 2011, section A: two observers, ten units, alpha 0.095
    meg, owen = "0100000010", "1110010000"
    pairs = [(int(m), int(o)) for m, o in zip(meg, owen, strict=True)]
    assert agreement(pairs).value == pytest.approx(1 - 19 * 4 / (14 * 6))
    assert agreement(pairs).value == pytest.approx(0.095, abs=5e-4)


def test_alpha_weighs_ordinal_distances() -> None:
    # n_0 = n_1 = 3, n_2 = 2; distances squared 01: 9, 12: 6.25, 02: 30.25
    # observed 2 * 9, expected 2 (9 * 9 + 6 * 6.25 + 6 * 30.25) / 7 = 600 / 7
    assert agreement([(0, 0), (1, 1), (2, 2), (0, 1)]).value == pytest.approx(1 - 18 * 7 / 600)
    near, far = agreement([(0, 0), (2, 2), (1, 2)]), agreement([(0, 0), (2, 2), (0, 2)])
    assert near.value is not None
    assert far.value is not None
    assert near.value > far.value


def test_replies_rated_once_do_not_change_alpha() -> None:
    pairs = [(0, 0), (1, 2), (2, 2)]
    more = agreement([*pairs, (0,), (), (1,)])
    assert (more.value, more.replies) == (agreement(pairs).value, 3)


def test_alpha_is_not_defined_where_nothing_varies() -> None:
    same = agreement([(2, 2), (2, 2, 2), (0,)])
    assert (same.value, same.replies, same.signature) == (None, 2, "")
    assert same.reason == "every rating is the same"


def test_alpha_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "krippendorff", None)
    with pytest.raises(DependencyError, match=r"empgan-rt\[eval\]"):
        agreement([(0, 1)])
    assert agreement([(0,), (1,)]).value is None  # nothing to compute, nothing needed


def test_scores_of_nothing_are_none() -> None:
    nothing = criterion_scores([(), ()], raters=2)
    assert (nothing.mean, nothing.stdev, nothing.stdev_between_raters) == (None, None, None)
    assert (nothing.n, nothing.missing) == (0, 4)


def test_sheets_that_nobody_filled_in_give_no_figure(sheets: Path) -> None:
    with pytest.raises(DataError, match="nothing was rated in 3 sheets"):
        score_sheets(sheets)


def _marked(sheets: Path) -> list[dict[str, str]]:
    rows = read_csv(sheets / "rater-1.csv")
    for number, row in enumerate(rows):
        row["content"], row["empathy"] = str(number % 3), str((number + 1) % 3)
    return rows


@pytest.mark.parametrize("form", ["semicolons", "mark", "ansi", "turned", "blank", "notes"])
def test_sheets_are_read_as_spreadsheets_save_them(sheets: Path, form: str) -> None:
    path = sheets / "rater-1.csv"
    rows = _marked(sheets)
    rows[0]["reply"] = 'é "a;b", c'
    write_csv(path, rows)
    plain = score_sheets(sheets)
    assert plain.systems["Warm"]["content"].n == 2
    if form == "semicolons":
        write_csv(path, rows, ";")
    elif form == "mark":
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    elif form == "ansi":
        path.write_bytes(path.read_text("utf-8").encode("cp1252"))
    elif form == "turned":
        write_csv(path, [dict(reversed(row.items())) for row in reversed(rows)])
    elif form == "blank":
        path.write_bytes(path.read_bytes() + b",,,,,\r\n\r\n")
    else:
        write_csv(path, [{**row, "content": f" {row['content']} ", "note": "hm"} for row in rows])
    assert score_sheets(sheets) == plain


@pytest.mark.parametrize("cell", ["3", "-1", "1.5", "yes", "a long remark on this reply"])
def test_a_wrong_rating_is_named_by_file_and_row(sheets: Path, cell: str) -> None:
    rows = _marked(sheets)
    rows[2]["empathy"] = cell
    write_csv(sheets / "rater-1.csv", rows)
    with pytest.raises(DataError, match=rf"rater-1\.csv: row {rows[2]['row']}: empathy") as caught:
        score_sheets(sheets)
    assert (cell in str(caught.value)) == (len(cell) < 5)


def test_missing_and_repeated_rows_are_data_errors(sheets: Path) -> None:
    rows = _marked(sheets)
    write_csv(sheets / "rater-1.csv", rows[1:])
    with pytest.raises(DataError, match=rf"1 of 4 rows are missing, {rows[0]['row']}"):
        score_sheets(sheets)
    write_csv(sheets / "rater-1.csv", [*rows, rows[1]])
    with pytest.raises(DataError, match=rf"row {rows[1]['row']} is there twice"):
        score_sheets(sheets)


def test_a_sheet_of_another_draw_is_refused(sheets: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    prepared = prepare_own(tmp_path, 60)
    files = write_predictions(prepared, tmp_path, {"Warm": "i am glad .", "Cold": "ok ."})
    make_sheets(prepared, files, other, SheetOptions(contexts=2, raters=3, seed=2))
    shutil.copy(other / "rater-1.csv", sheets / "rater-1.csv")
    with pytest.raises(DataError, match=r"rater-1\.csv: a row is not in the key, s[0-9a-f]{8}-0"):
        score_sheets(sheets)


def test_an_unknown_row_is_refused_without_its_text(sheets: Path) -> None:
    rows = _marked(sheets)
    rows[0]["row"] = "some words of a dialogue"
    write_csv(sheets / "rater-1.csv", rows)
    with pytest.raises(DataError, match="a row is not in the key") as caught:
        score_sheets(sheets)
    assert "words" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"\r\n\r\n", b"row,content\r\n", b"row\tcontent\tempathy\n"])
def test_a_sheet_without_its_header_is_refused(sheets: Path, data: bytes) -> None:
    (sheets / "rater-2.csv").write_bytes(data)
    with pytest.raises(DataError, match=r"rater-2\.csv"):
        score_sheets(sheets)


def test_a_sheet_too_many_or_too_few_is_refused(sheets: Path) -> None:
    shutil.copy(sheets / "rater-1.csv", sheets / "rater-9.csv")
    with pytest.raises(DataError, match=r"4 sheets, wanted 3; rater-9\.csv"):
        score_sheets(sheets)
    (sheets / "rater-9.csv").unlink()
    (sheets / "rater-1.csv").unlink()
    with pytest.raises(DataError, match=r"2 sheets, wanted 3; rater-1\.csv"):
        score_sheets(sheets)


def _swap_systems(key: Any) -> None:
    first, second = list(key["rows"].values())[:2]
    first["system"], second["system"] = second["system"], first["system"]


def _change_seed(key: Any) -> None:
    key["draw"]["seed"] = 2


def _change_hash(key: Any) -> None:
    key["draw"]["predictions"]["Warm"] = "0" * 64


@pytest.mark.parametrize("change", [_swap_systems, _change_seed, _change_hash])
def test_an_altered_key_is_refused(sheets: Path, change: Callable[[Any], None]) -> None:
    key = read_key_json(sheets)
    change(key)
    (sheets / "key.json").write_text(json.dumps(key), "utf-8")
    with pytest.raises(DataError, match=r"key\.json was altered"):
        score_sheets(sheets)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"draw": 3}'])
def test_a_damaged_key_is_a_data_error(sheets: Path, data: bytes) -> None:
    (sheets / "key.json").write_bytes(data)
    with pytest.raises(DataError, match=r"key\.json is damaged"):
        score_sheets(sheets)


def test_a_key_of_a_system_without_predictions_is_refused(sheets: Path) -> None:
    """Its row ids follow from its draw, as in every key that was sealed again."""
    key = read_key(sheets)
    replies = (Reply(key.draw.replies[0].sample, "nobody"), *key.draw.replies[1:])
    changed = make_key(structs.replace(key.draw, replies=replies), {})
    (sheets / "key.json").write_bytes(structs.replace(changed, sheets=key.sheets).to_json())
    with pytest.raises(DataError, match="altered"):
        score_sheets(sheets)


def test_a_key_of_more_raters_than_memory_holds_is_refused(sheets: Path) -> None:
    key = read_key(sheets)
    draw = structs.replace(key.draw, raters=10**15)
    (sheets / "key.json").write_bytes(
        structs.replace(make_key(draw, {}), sheets=key.sheets).to_json()
    )
    with pytest.raises(DataError, match="sheets, wanted those of 1000000000000000 raters"):
        score_sheets(sheets)


def test_a_line_that_ends_before_its_row_is_a_data_error(sheets: Path) -> None:
    name = sorted(path.name for path in sheets.glob("rater-*.csv"))[0]
    (sheets / name).write_text("content,empathy,row\n1,1\n")
    with pytest.raises(DataError, match="a row is not in the key"):
        score_sheets(sheets)


def test_a_folder_without_a_key_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no key\.json"):
        score_sheets(tmp_path)
