"""The README is short, its Python blocks run, and its commands exist."""

from __future__ import annotations

import re

import pytest

from empgan_rt.cli.main import COMMANDS
from support.pages import blocks
from support.source_tree import PACKAGES, ROOT

PAGE = ROOT / "README.md"
README = PAGE.read_text("utf-8")
MAX_WORDS = 1100
COMMANDS_SHOWN = set(re.findall(r"^\| `empgan-rt (\w+)", README, re.MULTILINE))
PYTHON_BLOCKS = blocks(PAGE, "python")
# What is installed and run first, as the README has it, and as CI does in environments of its own.
FIRST_COMMANDS = [
    (
        ".venv/bin/pip install -e '.[cpu]' && .venv/bin/empgan-rt chat",
        ("pip\" install --quiet -e '.[cpu]'", 'bin/empgan-rt" chat'),
    ),
    (
        ".venv/bin/pip install -c constraints.txt -e '.[dev]' && .venv/bin/python -m pytest",
        ("pip\" install --quiet -c constraints.txt -e '.[dev]'", 'bin/python" -m pytest'),
    ),
]

needs_default = pytest.mark.skipif(
    not (PACKAGES["empgan_rt"] / "assets" / "default").is_dir(),
    reason="the embedded bundle default is not in this checkout",
)


def test_it_is_short() -> None:
    assert len(README.split()) <= MAX_WORDS


def test_the_tour_shows_every_command() -> None:
    assert {*COMMANDS} == COMMANDS_SHOWN


def test_the_first_two_commands_are_those_that_ci_runs() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    for block, (shown, run) in zip(blocks(PAGE, "bash"), FIRST_COMMANDS, strict=True):
        assert block.endswith(f"{shown}\n")
        assert all(part in script for part in run)


def test_there_are_python_blocks() -> None:
    assert len(PYTHON_BLOCKS) >= 2


@needs_default
@pytest.mark.parametrize("number", range(len(PYTHON_BLOCKS)))
def test_python_block_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(PYTHON_BLOCKS[number], f"README.md, Python block {number + 1}", "exec")
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()
