"""`empgan-rt reply`: order kept, bad lines reported in place, the output whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import DivergenceError, Responder, SearchConfig
from empgan_rt.backend import Encoded
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.cli import jsonl
from empgan_rt.graph_spec import EncoderInput
from support.command_line import Outcome

Command = Callable[..., Outcome]

GOOD: list[dict[str, Any]] = [
    {"turns": ["I am happy."], "id": "one"},
    {"turns": ["what a day", {"text": "we are sad", "emotion": "Sadness"}], "id": 2},
    {"turns": ["the day"], "search": {"beam_size": 1, "max_length": 3, "min_length": 3}},
    {"turns": [{"text": "not great"}, "?", "we"]},
]
BAD: dict[bytes, str] = {
    b"nonsense": "not a row",
    b'{"turns": []}': "without turns",
    b'{"turns": "I am"}': "not a row",
    b'{"id": "x"}': "turns",
    b'{"turns": ["I am"], "trun": 1}': "trun",
    b'{"turns": [""]}': "without any word",
    b'{"turns": [{"text": "I am", "emotion": "joy"}]}': "emotion 'joy'",
    b'{"turns": ["I am"], "search": {"beam_size": 0}}': "beam_size is 0",
    b'{"turns": ["I am"], "search": {"beam_size": 1000000}}': "beam_size is 1000000",
    b'{"turns": ["I am"], "search": {"beam_size": true}}': "beam_size",
    b'{"turns": ["I am"], "search": {"sample": true, "seed": 9223372036854775808}}': "seed is 922",
    b'{"turns": ["I am"], "search": {"sample": true, "seed": 18446744073709551616}}': "seed is 184",
    b'{"turns": ["I am"], "search": {"seed": 1' + b"0" * 9000 + b"}}": "not a row",
    b'{"turns": ["I am"], "search": {"banned_words": ["we", ""]}}': "banned_words[1] is blank",
    b'{"turns": ["I am"], "search": {"banned_words": ["we", 3]}}': "banned_words",
    '{"turns": ["I am"], "search": {"banned_words": ["\u200b"]}}'.encode(): "has no word",
    b'{"turns": ["I am"], "search": {"beam": 3}}': "search setting 'beam'",
    b'{"turns": ["I am"], "search": {"temperature": 1e999}}': "",
    b'{"turns": ["\\ud83d"]}': "not a row",
    b'{"turns": ["\xff"]}': "not a row",
    b'{"turns": ["' + b"a" * (1 << 20) + b'"]}': "characters",
    b'{"turns": ["I am"], "search": ' + b'{"a": ' * 100_000: "nested",
    b'{"turns": ["I am"], "id": %s}' % (b"9" * 5000): "not a row",
    b'{"turns": ["I am"], "search": {"beam_size": %s}}' % (b"9" * 30): "beam_size is 9999",
    b'{"turns": ["I am"], "search": {"beam_size": %s}}' % (b"[" * 400 + b"]" * 400): "search",
    b'{"turns": ["I am"], "search": {"banned_words": [null]}}': "search",
    b"null": "not a row",
}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_replies_keep_ids_and_order(command: Command, toy_folder: Path, tmp_path: Path) -> None:
    source, out = write(tmp_path / "in.jsonl", GOOD), tmp_path / "out.jsonl"
    outcome = command("-q", "reply", toy_folder, source, out)
    assert outcome.code == 0
    assert outcome.out.startswith("4 of 4 dialogues answered")
    rows = read(out)
    assert [row["line"] for row in rows] == [1, 2, 3, 4]
    assert [row.get("id") for row in rows] == ["one", 2, None, None]
    responder = Responder.load(toy_folder)
    assert rows[0]["text"] == responder.reply(["I am happy."]).text
    short = SearchConfig(beam_size=1, min_length=3, max_length=3)
    assert rows[2]["text"] == responder.reply(["the day"], short).text
    assert rows[1]["emotions"][1] == {"label": "sadness", "probability": 1.0, "given": True}
    assert [len(row["emotions"]) for row in rows] == [1, 2, 1, 3]
    assert {row["bundle_id"] for row in rows} == {responder.bundle.bundle_id}


@pytest.mark.parametrize("batch_size", [1, 3])
def test_batches_and_windows_change_nothing(
    command: Command, toy_folder: Path, tmp_path: Path, batch_size: int
) -> None:
    source = write(tmp_path / "in.jsonl", GOOD * 15)  # 60 rows: more than a window of 16 or 48
    out = tmp_path / "out.jsonl"
    outcome = command("reply", toy_folder, source, out, "--batch-size", batch_size, "--json")
    assert (outcome.json["rows"], outcome.json["failed"]) == (60, 0)
    assert outcome.json["out"] == str(out)
    rows = read(out)
    assert [row["line"] for row in rows] == list(range(1, 61))
    texts = [row["text"] for row in rows]
    assert texts == texts[:4] * 15


def test_bad_lines_are_reported_in_place(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    good = json.dumps(GOOD[0]).encode()
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_bytes(b"\n".join(line for bad in BAD for line in (bad, good)) + b"\n")
    outcome = command("-q", "reply", toy_folder, source, out)
    assert outcome.code == 7
    assert f"{len(BAD)} of {2 * len(BAD)} dialogues answered" in outcome.out
    rows = read(out)
    assert [row["line"] for row in rows] == list(range(1, 2 * len(BAD) + 1))
    for row, (bad, message) in zip(rows[::2], BAD.items(), strict=True):
        assert row["error"]["code"] == "bad_input", bad[:60]
        assert message in row["error"]["message"], bad[:60]
        assert len(json.dumps(row)) < 2000
    assert len({row["text"] for row in rows[1::2]}) == 1


def test_a_bad_line_keeps_its_id(command: Command, toy_folder: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"id": "x"}, {"id": 5, "turns": [""]}, {"id": [1]}])
    command("reply", toy_folder, source, tmp_path / "out.jsonl")
    assert [row.get("id") for row in read(tmp_path / "out.jsonl")] == ["x", 5, None]


def test_a_line_beyond_all_bounds_is_skipped(
    command: Command, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "MAX_LINE_BYTES", 100)
    source, out = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    good = b'{"turns": ["I am"]}'
    exact = good + b" " * (99 - len(good))  # 100 bytes with its newline
    lines = [good, b"x" * 1234, b"", good, exact, good + b" " * 100]
    source.write_bytes(b"\n".join(lines))
    assert command("reply", toy_folder, source, out).code == 7
    rows = read(out)
    assert [(row["line"], "error" in row) for row in rows] == [
        (1, False),
        (2, True),
        (4, False),
        (5, False),
        (6, True),
    ]
    source.write_bytes(b"\xef\xbb\xbf" + b"\n".join([b"x" * 1234, good]))
    assert command("reply", toy_folder, source, out, "--force").code == 7
    assert [(row["line"], "error" in row) for row in read(out)] == [(1, True), (2, False)]


def test_one_dialogue_that_breaks_the_model_takes_no_other_along(
    command: Command, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = OrtBackend.encode

    def fragile(self: OrtBackend, inputs: EncoderInput) -> Encoded:
        if ((inputs.emotion_labels > 0).sum(axis=1) == 2).any():  # a dialogue of two turns
            raise DivergenceError("NaN")
        return encode(self, inputs)

    monkeypatch.setattr(OrtBackend, "encode", fragile)
    source, out = write(tmp_path / "in.jsonl", GOOD * 3), tmp_path / "out.jsonl"
    assert command("reply", toy_folder, source, out).code == 7
    codes = [row.get("error", {}).get("code") for row in read(out)]
    assert codes == [None, "divergence", None, None] * 3


def test_pipes(command: Command, toy_folder: Path) -> None:
    stdin = json.dumps(GOOD[0]).encode()
    outcome = command("-q", "reply", toy_folder, "-", "-", "--alternatives", "1", stdin=stdin)
    assert outcome.code == 0
    assert len(outcome.json["alternatives"]) == 1
    assert "1 of 1 dialogues answered" in outcome.err


def test_an_empty_file_is_answered_by_an_empty_file(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.jsonl", [])
    assert command("reply", toy_folder, source, tmp_path / "out.jsonl").code == 0
    assert (tmp_path / "out.jsonl").read_bytes() == b""


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--beam", "0"], 2), (["--beam", "1000000"], 2), (["--batch-size", "0"], 2)],
)
def test_wrong_options_touch_nothing(
    command: Command, toy_folder: Path, tmp_path: Path, options: list[str], code: int
) -> None:
    source, out = write(tmp_path / "in.jsonl", GOOD), tmp_path / "out.jsonl"
    out.write_text("precious")
    assert command("reply", toy_folder, source, out, *options).code == code
    assert out.read_text() == "precious"
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}


def test_paths_that_cannot_be_used(command: Command, toy_folder: Path, tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", GOOD)
    assert command("reply", toy_folder, tmp_path / "none", tmp_path / "out").code == 2
    assert command("reply", toy_folder, source, tmp_path).code == 2
    assert command("reply", toy_folder, source, tmp_path / "none" / "out").code == 9
    assert command("reply", tmp_path / "none", source, tmp_path / "out").code == 4
    assert command("reply", toy_folder).code == 2


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file(
    command: Command,
    toy_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    def refuse(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    source, out = write(tmp_path / "in.jsonl", GOOD), tmp_path / "out.jsonl"
    out.write_text("precious")
    with monkeypatch.context() as patch:
        patch.setattr(os if call == "fsync" else Path, call, refuse)
        outcome = command("reply", toy_folder, source, out, "--force")
    assert outcome.code == 9
    assert "No space left" in outcome.err
    assert out.read_text() == "precious"
    left = {path.name for path in tmp_path.iterdir()} - {"out.jsonl.part", "out.jsonl.part.json"}
    assert left == {"in.jsonl", "out.jsonl"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments",
    [["reply", "TOY", "IN", "-"], ["inspect", "TOY"], ["chat", "TOY"], ["chat", "TOY", "--json"]],
)
def test_a_full_disk_behind_stdout_is_a_storage_error(
    toy_folder: Path, tmp_path: Path, arguments: list[str]
) -> None:
    source = write(tmp_path / "in.jsonl", GOOD)
    paths = {"TOY": str(toy_folder), "IN": str(source)}
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "empgan_rt", *(paths.get(a, a) for a in arguments)],
            env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
            input=b"I am happy.\n",
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 9, done.stderr
    assert b"Traceback" not in done.stderr


def test_what_is_no_regular_file_is_written_to_and_stays(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    source, fifo = write(tmp_path / "in.jsonl", GOOD), tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert command("reply", toy_folder, source, fifo).code == 0
        assert fifo.is_fifo()
        assert len(os.read(reader, 1 << 16).splitlines()) == len(GOOD)
    finally:
        os.close(reader)


def test_a_link_stays_and_its_file_is_replaced(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    source, target = write(tmp_path / "in.jsonl", GOOD), tmp_path / "target.jsonl"
    (tmp_path / "link").symlink_to(target.name)
    for force in ([], ["--force"]):  # not there, then there
        assert command("reply", toy_folder, source, tmp_path / "link", *force).code == 0
        assert (tmp_path / "link").is_symlink()
        assert len(read(target)) == len(GOOD)


def test_int8_is_a_variant_that_a_bundle_has_or_lacks(
    command: Command, toy_folder: Path, tmp_path: Path
) -> None:
    source = write(tmp_path / "in.jsonl", GOOD)
    found = command("reply", "tiny", source, tmp_path / "out.jsonl", "--precision", "int8")
    assert found.code == 0
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == len(GOOD)
    refused = command("reply", toy_folder, source, tmp_path / "x.jsonl", "--precision", "int8")
    assert refused.code == 2
    assert "this bundle has 'fp32'" in refused.err
    assert not (tmp_path / "x.jsonl").exists()
