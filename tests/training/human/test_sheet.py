"""Sheets that are drawn by seed, blinded, shuffled, and safe to open."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from empgan_rt.config import Limits
from empgan_rt.dialogue.turns import Emotion
from empgan_rt.errors import DataError, InputError
from empgan_training.data.prepared import PreparedData, all_samples
from empgan_training.human.emotional_words import emotional_words
from empgan_training.human.key import read_key
from empgan_training.human.sheet import SheetOptions, make_sheets
from support.human_sheets import read_csv, read_key_json, sample_ids, write_predictions
from support.small_data import prepare_own, write_jsonl

SYSTEMS = {
    "HRED": "that 's good .",
    "EmpWD-next": "i 'm so sorry to hear that !",
    "EmpGAN": "you must be very happy .",
    "Empty": "",
}
READABLE = {
    "HRED": "That's good.",
    "EmpWD-next": "I'm so sorry to hear that!",
    "EmpGAN": "You must be very happy.",
    "Empty": "",
}
OPTIONS = SheetOptions(contexts=6, raters=3, seed=5)
SHEETS = ["rater-1.csv", "rater-2.csv", "rater-3.csv"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_own(tmp_path_factory.mktemp("sheet"), 80)


@pytest.fixture(scope="module")
def predictions(prepared: Path) -> dict[str, Path]:
    return write_predictions(prepared, prepared.parent / "replies", SYSTEMS)


@pytest.fixture(scope="module")
def out(prepared: Path, predictions: dict[str, Path]) -> Path:
    folder = prepared.parent / "sheets"
    make_sheets(prepared, predictions, folder, OPTIONS)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_each_rater_gets_every_reply_once(out: Path, prepared: Path) -> None:
    shown = read_key_json(out)["rows"]
    assert sorted(contents(out)) == ["INSTRUCTIONS.md", "key.json", *SHEETS]
    for name in SHEETS:
        rows = read_csv(out / name)
        assert list(rows[0]) == ["row", "context", "emotions", "reply", "content", "empathy"]
        assert sorted(row["row"] for row in rows) == sorted(shown)
        assert {(row["content"], row["empathy"]) for row in rows} == {("", "")}
    by_sample = Counter(reply["sample"] for reply in shown.values())
    assert len(by_sample) == 6
    assert set(by_sample) <= set(sample_ids(prepared))
    assert set(by_sample.values()) == {len(SYSTEMS)}
    assert Counter(reply["system"] for reply in shown.values()) == dict.fromkeys(SYSTEMS, 6)


def test_a_row_shows_the_context_and_the_reply_of_its_key(out: Path, prepared: Path) -> None:
    data = PreparedData(prepared, Limits())
    samples = {sample.id: sample for sample in all_samples(data.split("test"))}
    shown = read_key_json(out)["rows"]
    for row in read_csv(out / "rater-2.csv"):
        sample = samples[shown[row["row"]]["sample"]]
        lines = row["context"].split("\n")
        assert [line[3:] for line in lines] == list(sample.dialogue.texts[: sample.response])
        assert [line[:3] for line in lines] == (["A: ", "B: "] * 9)[: sample.response]
        labels = [line.split()[1] for line in row["emotions"].split("\n")]
        turns = sample.dialogue.turns[: sample.response]
        assert labels == [Emotion(turn.label).name.lower() for turn in turns]
        assert row["reply"] == READABLE[shown[row["row"]]["system"]]


def test_emotional_words_stand_beside_the_labels(tmp_path: Path, prepared: Path) -> None:
    ids = sample_ids(prepared)
    file = write_jsonl(tmp_path / "a.jsonl", [{"id": i, "hypothesis": "ok"} for i in ids])
    out = tmp_path / "out"
    make_sheets(prepared, {"One": file}, out, SheetOptions(len(ids), 1))
    data = PreparedData(prepared, Limits())
    wanted = {
        word for d in data.split("test") for text in d.texts for word in text.lower().split()
    } & data.featurizer.lexicon.sources.keys()
    cells = " ".join(row["emotions"] for row in read_csv(out / "rater-1.csv"))
    listed = {word for part in cells.split("(")[1:] for word in part.split(")")[0].split(", ")}
    assert len(listed) > 3
    assert emotional_words(sorted(listed), data.featurizer.lexicon) == sorted(listed)
    assert {data.featurizer.lexicon.sources[word] for word in listed & wanted} == {"vader"}


def test_raters_see_the_same_contexts_in_their_own_order_of_replies(out: Path) -> None:
    shown = read_key_json(out)["rows"]
    orders = [[shown[row["row"]] for row in read_csv(out / name)] for name in SHEETS]
    samples = [[reply["sample"] for reply in order] for order in orders]
    assert samples[0] == samples[1] == samples[2]
    size = len(SYSTEMS)
    assert all(len(set(samples[0][i : i + size])) == 1 for i in range(0, len(samples[0]), size))
    systems = [tuple(reply["system"] for reply in order) for order in orders]
    assert len(set(systems)) == 3
    first_places = {order[i] for order in systems for i in range(0, len(order), size)}
    assert len(first_places) > 1  # no system always stands first


def test_the_number_of_a_row_does_not_tell_its_system(out: Path) -> None:
    systems = [reply["system"] for reply in read_key_json(out)["rows"].values()]
    size = len(SYSTEMS)
    assert len({tuple(systems[i : i + size]) for i in range(0, len(systems), size)}) > 1


def test_nothing_handed_to_raters_names_a_system(out: Path, predictions: dict[str, Path]) -> None:
    for name in [*SHEETS, "INSTRUCTIONS.md"]:
        text = (out / name).read_text("utf-8-sig")
        assert [system for system in SYSTEMS if system in text and system != "Empty"] == []
        assert [sample for sample in ("test-", "#1", "#2") if sample in text] == []
    assert list(read_key_json(out)["draw"]["predictions"]) == list(SYSTEMS)
    for system, path in predictions.items():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert read_key_json(out)["draw"]["predictions"][system] == digest


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    out: Path, tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    make_sheets(prepared, predictions, tmp_path / "again", OPTIONS)
    assert contents(tmp_path / "again") == contents(out)
    make_sheets(prepared, predictions, tmp_path / "other", SheetOptions(6, 3, seed=6))
    other = contents(tmp_path / "other")
    assert all(other[name] != contents(out)[name] for name in [*SHEETS, "key.json"])
    assert not set(read_key_json(out)["rows"]) & set(read_key_json(tmp_path / "other")["rows"])


def test_the_order_of_the_lines_in_a_predictions_file_changes_no_draw(
    out: Path, tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    turned = dict(predictions)
    rows = [json.loads(line) for line in predictions["HRED"].read_text("utf-8").splitlines()]
    turned["HRED"] = write_jsonl(tmp_path / "turned.jsonl", rows[::-1])
    make_sheets(prepared, turned, tmp_path / "again", OPTIONS)
    again = read_key_json(tmp_path / "again")["draw"]["replies"]
    assert again == read_key_json(out)["draw"]["replies"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@"])
def test_no_cell_is_a_formula(tmp_path: Path, prepared: Path, start: str) -> None:
    files = write_predictions(prepared, tmp_path, {"One": f"{start}1+1", "Two": f"x {start} 2"})
    make_sheets(prepared, files, tmp_path / "out", SheetOptions(2, 1))
    replies = {row["reply"] for row in read_csv(tmp_path / "out" / "rater-1.csv")}
    assert replies == {f"'{start}1+1", f"X {start} 2"}


def test_sheets_begin_with_a_byte_order_mark_and_hold_utf_8(tmp_path: Path, prepared: Path) -> None:
    files = write_predictions(prepared, tmp_path, {"One": 'c’est "bien", ça ; oui'})
    make_sheets(prepared, files, tmp_path / "out", SheetOptions(1, 1))
    data = (tmp_path / "out" / "rater-1.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbfrow,")
    assert read_csv(tmp_path / "out" / "rater-1.csv")[0]["reply"] == 'C’est "bien", ça; oui'


def test_instructions_define_the_marks_and_forbid_publishing(out: Path, prepared: Path) -> None:
    text = (out / "INSTRUCTIONS.md").read_text("utf-8")
    assert text.count("- 0: ") == text.count("- 1: ") == text.count("- 2: ") == 2
    licence = PreparedData(prepared, Limits()).report["licence"]
    assert (
        f"Do not publish this folder: the sheets hold text of the corpus (licence: {licence})"
        in text
    )


def test_systems_must_have_answered_the_same_samples(
    tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    rows = predictions["HRED"].read_text("utf-8").splitlines(keepends=True)
    short = tmp_path / "short.jsonl"
    short.write_text("".join(rows[1:]), "utf-8")
    with pytest.raises(InputError, match=rf"HRED answered {len(rows)}.*Short {len(rows) - 1}"):
        make_sheets(
            prepared, {"HRED": predictions["HRED"], "Short": short}, tmp_path / "out", OPTIONS
        )
    assert not (tmp_path / "out").exists()


def test_samples_must_be_in_the_data(tmp_path: Path, prepared: Path) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", [{"id": "test-99999#1", "hypothesis": "ok"}])
    with pytest.raises(InputError, match=r"1 of 1 samples, 'test-99999#1'"):
        make_sheets(prepared, {"One": file}, tmp_path / "out", SheetOptions(1))


def test_there_must_be_enough_samples(
    tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    with pytest.raises(InputError, match=r"1000 contexts wanted, \d+ samples were answered"):
        make_sheets(prepared, predictions, tmp_path / "out", SheetOptions(1000))


@pytest.mark.parametrize(
    "text",
    ["no json\n", '{"id": "test-00000#1"}\n', '{"id": 3, "hypothesis": "ok"}\n', '"\\ud800"\n'],
)
def test_a_damaged_predictions_file_is_a_data_error(
    tmp_path: Path, prepared: Path, text: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(text, "utf-8")
    with pytest.raises(DataError, match=r"bad\.jsonl:1 "):
        make_sheets(prepared, {"One": path}, tmp_path / "out", OPTIONS)


def test_a_sample_answered_twice_is_a_data_error(tmp_path: Path, prepared: Path) -> None:
    row = {"id": "test-00000#1", "hypothesis": "ok"}
    path = write_jsonl(tmp_path / "twice.jsonl", [row, row])
    with pytest.raises(DataError, match=r"twice\.jsonl:2 .*second time"):
        make_sheets(prepared, {"One": path}, tmp_path / "out", OPTIONS)


@pytest.mark.parametrize("sizes", [(0, 3), (100, 0)])
def test_options_are_checked(sizes: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="at least 1"):
        SheetOptions(*sizes)


def test_an_existing_folder_is_replaced_by_force_alone(
    tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    out = tmp_path / "out"
    make_sheets(prepared, predictions, out, OPTIONS)
    with pytest.raises(InputError, match="--force"):
        make_sheets(prepared, predictions, out, OPTIONS)
    make_sheets(prepared, predictions, out, SheetOptions(2, 1), force=True)
    assert sorted(contents(out)) == ["INSTRUCTIONS.md", "key.json", "rater-1.csv"]


def test_force_replaces_neither_other_folders_nor_ratings(
    tmp_path: Path, prepared: Path, predictions: dict[str, Path]
) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(InputError, match=r"no key\.json"):
        make_sheets(prepared, predictions, tmp_path / "mine", OPTIONS, force=True)
    out = tmp_path / "out"
    make_sheets(prepared, predictions, out, OPTIONS)
    with (out / "rater-2.csv").open("ab") as file:
        file.write(b"\r\n")
    before = contents(out)
    with pytest.raises(InputError, match=r"1 sheets .*rater-2\.csv the first"):
        make_sheets(prepared, predictions, out, OPTIONS, force=True)
    assert contents(out) == before


def test_sheets_that_a_killed_replacement_left_aside_are_found(out: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(out, tmp_path / "sheets"))
    copy.rename(tmp_path / ".sheets.0123abcd.old")
    assert read_key(copy).draw == read_key(out).draw
