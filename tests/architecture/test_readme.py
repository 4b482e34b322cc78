"""The README's Python blocks run, and its commands exist."""

from __future__ import annotations

import re

import pytest

from empgan_rt.cli.main import COMMANDS
from support.source_tree import PACKAGES, ROOT

README = (ROOT / "README.md").read_text("utf-8")
COMMANDS_SHOWN = set(re.findall(r"^empgan-rt (\w+)", README, re.MULTILINE))
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)

needs_default = pytest.mark.skipif(
    not (PACKAGES["empgan_rt"] / "assets" / "default").is_dir(),
    reason="the embedded bundle default is not in this checkout",
)


def test_the_tour_shows_every_command() -> None:
    assert {*COMMANDS} == COMMANDS_SHOWN


def test_there_are_python_blocks() -> None:
    assert len(PYTHON_BLOCKS) >= 2


@needs_default
@pytest.mark.parametrize("number", range(len(PYTHON_BLOCKS)))
def test_python_block_runs(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    code = compile(PYTHON_BLOCKS[number], f"README.md, Python block {number + 1}", "exec")
    exec(code, {"__name__": "__main__"})
    assert capsys.readouterr().out.strip()
