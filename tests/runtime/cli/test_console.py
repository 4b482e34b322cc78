"""What the command line shows beside results: log lines and bars, and a word at Ctrl-C."""

from __future__ import annotations

import io
import logging
import re
import sys

import pytest

from empgan_rt.cli import console


class Terminal(io.StringIO):
    """Something that claims to be a terminal, and keeps what it is told."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return what stands for stderr from now on; a fixture would be too early for pytest."""
    made = Terminal()
    monkeypatch.setattr(sys, "stderr", made)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    return made


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
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.getvalue().replace("\r", "\n"))
    assert [line for line in lines.splitlines() if "line" in line] == [
        f"line {done}" for done in range(10)
    ]
    assert "work" in lines


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
