"""What the command line shows beside results: log lines and bars, and a word at Ctrl-C."""

from __future__ import annotations

import io
import logging
import re
import sys
import time

import pytest

from empgan_rt.cli import console


class Terminal(io.TextIOWrapper):
    """Something that claims to be a terminal, has bytes below it, and keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return True

    def getvalue(self) -> str:
        self.flush()
        kept = self.buffer
        assert isinstance(kept, io.BytesIO)
        return kept.getvalue().decode()


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return what stands for stderr from now on; a fixture would be too early for pytest."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return made


def shown_by(terminal: Terminal) -> list[str]:
    """Return the lines that a terminal got, without what moves its cursor."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue().replace("\r", "\n"))
    return [line.rstrip() for line in plain.splitlines()]


@pytest.fixture
def log() -> logging.Logger:
    made = logging.Logger("a log")
    made.addHandler(console.LogLines())
    return made


def test_log_lines_stand_above_a_bar(monkeypatch: pytest.MonkeyPatch, log: logging.Logger) -> None:
    terminal = terminal_of(monkeypatch)
    with console.progress("work", 10) as bar:
        for done in range(10):
            bar.update(done)
            log.warning("line %d", done)
    lines = shown_by(terminal)
    assert [line for line in lines if "line" in line] == [f"line {done}" for done in range(10)]
    assert any(line.startswith("work") for line in lines)


def test_notices_stand_above_a_bar(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "empgan_rt")
    terminal = terminal_of(monkeypatch)
    with console.progress("work", 10) as bar:
        for done in range(10):
            bar.update(done)
            console.notice(f"line {done}")
    assert [line for line in shown_by(terminal) if "line" in line] == [
        f"line {done}" for done in range(10)
    ]


def test_work_may_know_how_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with console.progress("work", 10) as bar:
        bar.update(0, "first", 605.0)
        time.sleep(0.6)  # the column of times is drawn twice a second
        bar.update(0, "second", 605.0)
    assert any(re.search("0/10 10:05 second$", line) for line in shown_by(terminal))
    clock = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr(console.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(terminal, "isatty", lambda: False)
    with console.progress("plain", 10) as line:
        line.update(0, "first", 605.0)
        line.update(2, "third")
    assert shown_by(terminal)[-2:] == [
        "plain: 0/10, 10:05 left first",
        "plain: 2/10, 8:00 left third",
    ]


def test_log_lines_go_where_stderr_is_now(
    monkeypatch: pytest.MonkeyPatch, log: logging.Logger
) -> None:
    terminal = terminal_of(monkeypatch)
    log.warning("told")
    assert terminal.getvalue() == "told\n"


def test_a_stderr_that_is_full_or_closed_takes_nobody_along(
    monkeypatch: pytest.MonkeyPatch, log: logging.Logger
) -> None:
    terminal = terminal_of(monkeypatch)
    terminal.close()
    log.warning("told")


def test_ctrl_c_is_told_what_was_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = terminal_of(monkeypatch)
    with (
        pytest.raises(KeyboardInterrupt),
        console.told_on_interrupt(lambda: "kept in \x1b[31mhere"),
    ):
        raise KeyboardInterrupt
    assert terminal.getvalue() == "\nkept in \\x1b[31mhere"
    with console.told_on_interrupt(lambda: pytest.fail("nothing was interrupted")):
        pass
