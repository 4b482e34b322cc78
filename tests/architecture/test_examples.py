"""The examples of `docs` run, and the commands that they show can be given."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from empgan_rt.cli.main import COMMANDS, cli
from support.pages import PAGES, blocks, console_examples, shell_commands
from support.source_tree import PACKAGES, ROOT

pytestmark = pytest.mark.long

NEEDS_GPU = 'device="cuda"'
MIN_COMMANDS = 40
CLI_PAGE = ROOT / "docs" / "cli.md"
MIN_PYTHON_BLOCKS = 10
PYTHON_PAGES = [page for page in PAGES[1:] if blocks(page, "python")]  # README's have a test
CONSOLE_PAGES = [page for page in PAGES if console_examples(page)]
TABLE_ROW = re.compile(r"^\| `(empgan-rt [^`]+)`", re.MULTILINE)

needs_default = pytest.mark.skipif(
    not (PACKAGES["empgan_rt"] / "assets" / "default").is_dir(),
    reason="the embedded bundle default is not in this checkout",
)
by_page = {"ids": lambda page: page.name}


def test_python_and_console_blocks_are_found() -> None:
    assert len(blocks(ROOT / "docs" / "sdk.md", "python")) >= MIN_PYTHON_BLOCKS
    assert ROOT / "docs" / "sdk.md" in PYTHON_PAGES
    assert CLI_PAGE in CONSOLE_PAGES


@needs_default
@pytest.mark.parametrize("page", PYTHON_PAGES, **by_page)
def test_python_blocks_run_one_after_the_other(
    page: Path,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # some write files
    names: dict[str, object] = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page, "python"), start=1):
        code = compile(block, f"{page.name}, Python block {number}", "exec")
        if NEEDS_GPU not in block:
            exec(code, names)
            assert capsys.readouterr().out.strip(), f"block {number} prints nothing"


@needs_default
@pytest.mark.parametrize("page", CONSOLE_PAGES, **by_page)
def test_console_blocks_print_what_they_show(page: Path, tmp_path: Path) -> None:
    environment = _environment_with_the_command(tmp_path / "bin")
    folder = tmp_path / "here"
    folder.mkdir()
    checker, options = doctest.OutputChecker(), doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    for example in console_examples(page):
        done = subprocess.run(
            ["bash", "-c", example.command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert checker.check_output(example.output, done.stdout, options), (
            f"$ {example.command}\n{done.stdout}{done.stderr}"
        )


def test_every_command_of_a_page_can_be_given() -> None:
    checked = 0
    for page in PAGES:
        rows = TABLE_ROW.findall(page.read_text("utf-8"))
        for words in [*shell_commands(page), *(shlex.split(row) for row in rows)]:
            if Path(words[0]).name == "empgan-rt":
                _parse(words[1:])
                checked += 1
    assert checked >= MIN_COMMANDS


@pytest.mark.parametrize(
    "wrong", ["train", "train a b", "chat --bean 3", "bench latencies", "talk"]
)
def test_the_check_of_commands_can_fail(wrong: str) -> None:
    with pytest.raises(click.UsageError):
        _parse(wrong.split())


def test_the_page_of_commands_describes_each() -> None:
    page = CLI_PAGE.read_text("utf-8")
    described = set(re.findall(r"^#+ `(\w+)`$", page, re.MULTILINE))
    assert described == {*COMMANDS}
    extras = dict(re.findall(r"^\| \[`(\w+)`\]\(#\w+\) \|[^|]*\| `(\w+)` \|$", page, re.MULTILINE))
    assert extras == {name: entry.extra for name, entry in COMMANDS.items()}


def _parse(words: list[str]) -> None:
    """Do nothing if `empgan-rt WORDS` can be given; it is not carried out.

    Raises:
        UsageError: a command or an option does not exist, or an argument is missing or wrong.
    """
    command: click.Command | None = cli
    while words and words[0] in ("-q", "-v"):
        words = words[1:]
    while isinstance(command, click.Group):
        name = words[0] if words else ""
        command, words = command.get_command(click.Context(command), name), words[1:]
        if command is None:
            raise click.UsageError(f"no command {name!r}")
    assert command is not None
    command.make_context(command.name, list(words))


def _environment_with_the_command(folder: Path) -> dict[str, str]:
    """Return an environment in which `empgan-rt` is this checkout's."""
    folder.mkdir()
    program = folder / "empgan-rt"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m empgan_rt "$@"\n')
    program.chmod(0o755)
    roots = {str(path.parent) for path in PACKAGES.values()}
    return {
        **os.environ,
        "PATH": os.pathsep.join((str(folder), os.environ["PATH"])),
        "PYTHONPATH": os.pathsep.join(sorted(roots)),
    }
