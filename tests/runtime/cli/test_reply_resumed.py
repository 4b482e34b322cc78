"""`empgan-rt reply` overwrites nothing unasked, and goes on after Ctrl-C, a kill or a full disk."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import Responder
from empgan_rt.cli import unfinished
from empgan_rt.storage.locks import locked_file
from support.command_line import Outcome

Command = Callable[..., Outcome]

ROWS = [{"turns": [text], "id": n} for n, text in enumerate(["I am", "the day", "we", ""] * 3)]
FAILED = 3  # the empty ones
SMALL = ("--batch-size", "2")  # windows of 2, 4 and 6 lines
NAMES = {"in.jsonl", "out.jsonl"}
PARTS = {"out.jsonl.part", "out.jsonl.part.json"}
KILLER = """
import os, signal, sys
from empgan_rt import Responder
from empgan_rt.cli.main import main
outcomes, calls = Responder.outcomes, []
def killed(*arguments, **options):
    calls.append(1)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return outcomes(*arguments, **options)
Responder.outcomes = killed
main(sys.argv[1:])
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def stop(
    monkeypatch: pytest.MonkeyPatch, command: Command, *arguments: object, error: BaseException
) -> Outcome:
    """Return what came of a command whose third window raises an error."""
    outcomes: Callable[..., Sequence[Any]] = Responder.outcomes
    calls = 0

    def stopped(*arguments: Any, **options: Any) -> Sequence[Any]:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise error
        return outcomes(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Responder, "outcomes", stopped)
        return command(*arguments)


@pytest.mark.parametrize("how", ["same", "symbolic link", "hard link", "pipe"])
def test_the_input_is_never_the_output(
    command: Command, toy_folder: Path, source: Path, tmp_path: Path, how: str
) -> None:
    before, out = source.read_bytes(), source if how == "same" else tmp_path / "other"
    if how == "symbolic link":
        out.symlink_to(source.name)
    elif how == "hard link":
        out.hardlink_to(source)
    elif how == "pipe":
        with source.open("rb") as file:
            done = subprocess.run(
                [sys.executable, "-m", "empgan_rt", "reply", toy_folder, "-", source, "--force"],
                env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
                stdin=file,
                capture_output=True,
                text=True,
                check=False,
            )
        assert (done.returncode, "is the input" in done.stderr) == (2, True), done.stderr
    if how != "pipe":
        outcome = command("reply", toy_folder, source, out, "--force")
        assert (outcome.code, "is the input" in outcome.err) == (2, True)
    assert source.read_bytes() == before
    assert names(tmp_path) <= {"in.jsonl", "other"}


def test_a_part_is_no_input_of_its_own_output(
    command: Command, toy_folder: Path, source: Path, out: Path
) -> None:
    source.rename(part := out.with_name("out.jsonl.part"))
    outcome = command("reply", toy_folder, part, out, "--force")
    assert (outcome.code, "is the input" in outcome.err) == (2, True)


def test_what_is_there_is_replaced_only_if_asked_for(
    command: Command, toy_folder: Path, source: Path, out: Path, tmp_path: Path
) -> None:
    out.write_text("precious")
    refused = command("reply", toy_folder, source, out)
    assert (refused.code, "--force" in refused.err, out.read_text()) == (2, True, "precious")
    assert command("reply", toy_folder, source, out, "--force").code == 7
    assert len(out.read_text().splitlines()) == len(ROWS)
    assert names(tmp_path) == NAMES


def test_a_run_goes_on_after_an_interrupt(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = ("reply", toy_folder, source, out, *SMALL)
    outcome = stop(monkeypatch, command, *run, error=KeyboardInterrupt())
    assert outcome.code == 130
    assert "stopped after 6 replies" in outcome.err
    assert "--resume" in outcome.err
    assert names(tmp_path) == {"in.jsonl"} | PARTS
    again = command(*run)
    assert again.code == 2
    assert "--resume" in again.err
    assert "--force" in again.err
    before = out.with_name("out.jsonl.part").read_bytes()
    resumed = command("-q", *run, "--resume", "--json")
    assert (resumed.code, resumed.json["rows"], resumed.json["failed"]) == (7, len(ROWS), FAILED)
    assert names(tmp_path) == NAMES
    whole = tmp_path / "whole.jsonl"
    command("reply", toy_folder, source, whole, *SMALL)
    assert out.read_bytes() == whole.read_bytes()
    assert whole.read_bytes().startswith(before)
    assert f"reply: {len(ROWS)}/{len(ROWS)}" in resumed.err


def test_a_run_goes_on_after_a_kill(
    command: Command, toy_folder: Path, source: Path, out: Path, tmp_path: Path
) -> None:
    run = ["reply", str(toy_folder), str(source), str(out), *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", KILLER, *run],
        env={"PYTHONPATH": ":".join(sys.path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    part = out.with_name("out.jsonl.part")
    assert len(part.read_text().splitlines()) == 6
    with part.open("a") as file:
        file.write('{"line":7,"text":"half a li')  # as a disk leaves it
    assert command(*run, "--resume").code == 7
    command("reply", toy_folder, source, tmp_path / "whole.jsonl", *SMALL)
    assert out.read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_force_begins_anew(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = ("reply", toy_folder, source, out, *SMALL)
    stop(monkeypatch, command, *run, error=KeyboardInterrupt())
    out.with_name("out.jsonl.part").write_text('{"line":1,"text":"of long ago"}\n')
    assert command(*run, "--force").code == 7
    assert "of long ago" not in out.read_text()
    assert names(tmp_path) == NAMES


@pytest.mark.parametrize("what", ["bundle_id", "search", "guard", "input", "engine", "nothing"])
def test_replies_of_two_models_settings_or_inputs_are_not_mixed(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    run = ("reply", toy_folder, source, out, *SMALL)
    stop(monkeypatch, command, *run, error=KeyboardInterrupt())
    part = out.with_name("out.jsonl.part")
    before, options, bundle = part.read_bytes(), ["--resume"], toy_folder
    if what == "bundle_id":
        bundle = Path("tiny")
    elif what == "search":
        options += ["--beam", "1"]
    elif what == "guard":
        options += ["--guard"]
    elif what == "input":
        with source.open("a") as file:
            file.write('{"turns": ["we"]}\n')
    elif what == "engine":
        options += ["--precision", "int8"]
        bundle = Path("tiny")
    else:
        out.with_name("out.jsonl.part.json").unlink()
    outcome = command("reply", bundle, source, out, *SMALL, *options)
    assert outcome.code == 2
    assert (what if what != "nothing" else "does not tell") in outcome.err
    assert part.read_bytes() == before
    assert not out.exists()


def test_two_runs_do_not_write_one_output(
    command: Command, toy_folder: Path, source: Path, out: Path
) -> None:
    with locked_file(out.with_name("out.jsonl.part")):
        for option in ("--force", "--resume"):
            outcome = command("reply", toy_folder, source, out, option)
            assert (outcome.code, "another run is writing" in outcome.err) == (2, True)


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_replies_outlive_a_full_disk(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = ("reply", toy_folder, source, out, *SMALL)
    if call == "fsync":
        with monkeypatch.context() as patch:
            patch.setattr(unfinished, "flush_to_disk", refuse)
            outcome = command(*run)
    else:
        error = OSError(errno.ENOSPC, "No space left on device")
        outcome = stop(monkeypatch, command, *run, error=error)
    assert (outcome.code, "--resume" in outcome.err) == (9, True)
    assert names(tmp_path) == {"in.jsonl"} | PARTS
    assert command(*run, "--resume").code == 7
    assert len(out.read_text().splitlines()) == len(ROWS)


def test_nothing_is_left_of_a_run_that_answered_nothing(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Responder, "outcomes", interrupted)
        assert command("reply", toy_folder, source, out).code == 130
    assert names(tmp_path) == {"in.jsonl"}


def test_only_what_was_begun_goes_on(
    command: Command, toy_folder: Path, source: Path, out: Path, tmp_path: Path
) -> None:
    assert command("reply", toy_folder, source, out, "--resume").code == 2
    assert command("reply", toy_folder, source, "-", "--resume").code == 2
    os.mkfifo(tmp_path / "fifo")
    assert command("reply", toy_folder, source, tmp_path / "fifo", "--resume").code == 2


def test_the_first_replies_are_told_of_after_one_batch(
    command: Command,
    toy_folder: Path,
    source: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sizes, outcomes = [], Responder.outcomes

    def counted(responder: Responder, dialogues: Any, *rest: Any, **options: Any) -> Any:
        sizes.append(len(dialogues))
        return outcomes(responder, dialogues, *rest, **options)

    monkeypatch.setattr(Responder, "outcomes", counted)
    source.write_text('{"turns": ["we"]}\n' * 50)
    command("reply", toy_folder, source, out, "--batch-size", "1")
    assert sizes == [1, 2, 4, 8, 16, 16, 3]


def test_a_byte_order_mark_and_line_ends_of_windows_change_nothing(
    command: Command, toy_folder: Path, source: Path, out: Path, tmp_path: Path
) -> None:
    other = tmp_path / "in.ndjson"
    other.write_bytes(b"\xef\xbb\xbf" + source.read_bytes().replace(b"\n", b"\r\n") + b"\r\n \r\n")
    command("reply", toy_folder, source, out)
    command("reply", toy_folder, other, tmp_path / "other.jsonl")
    assert (tmp_path / "other.jsonl").read_bytes() == out.read_bytes()
