"""Library code is silent: it tells an `on_progress` or a log, and commands alone parse and draw.

import-linter holds the imports that it sees (pyproject.toml); here are those by name, what goes to
a stream without any import, and what a user's process really loads.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from support.imports import imports_of
from support.source_tree import module_paths

LIBRARIES = ("empgan_rt", "empgan_training", "empgan_export")
DRAWING = ("click", "rich", "empgan_rt.cli")
STREAMS = ("stdin", "stdout", "stderr")
# The program of a process of its own, which answers on stdout.
ANSWERS_ON_STDOUT = "empgan_rt.verification.probe"

# What users of the libraries run.
REPLY = """
from empgan_rt import Responder
Responder.load("tiny").reply(["Hello.", "Hi there."])
"""
ASYNC_REPLY = """
import asyncio
from empgan_rt import AsyncResponder
async def talk():
    async with AsyncResponder.load("tiny") as responder:
        await responder.reply(["Hello."])
asyncio.run(talk())
"""
TRAINING = "import empgan_training.run.trainer, empgan_training.reproduction.reproduce"
EXPORT = "import empgan_training.scoring.evaluate, empgan_export.package"

PATHS = module_paths()


def is_command(module: str) -> bool:
    """Return whether a module is part of the command line."""
    wing, *rooms = module.split(".")
    return (wing == "empgan_rt" and rooms[0] in ("cli", "__main__")) or rooms[-1] == "cli"


LIBRARY = [n for n in PATHS if n.split(".")[0] in LIBRARIES and not is_command(n)]


def drawn(module: str, source: str) -> Iterator[str]:
    """Yield each import of what parses or draws."""
    for found in imports_of(module, source, PATHS):
        if any(f"{found.target}.".startswith(f"{name}.") for name in DRAWING):
            yield f"{module}:{found.line}: imports {found.target}"


def spoken(module: str, source: str) -> Iterator[str]:
    """Yield each use of the terminal: `print`, `input` and the process's streams."""
    for node in ast.walk(ast.parse(source)):
        is_print = (
            isinstance(node, ast.Name)
            and node.id in ("print", "input")
            and isinstance(node.ctx, ast.Load)  # a field may have that name
        )
        is_stream = (
            isinstance(node, ast.Attribute)
            and node.attr.strip("_") in STREAMS
            and ast.unparse(node.value) == "sys"
        )
        if is_print or is_stream:
            yield f"{module}:{node.lineno}: {ast.unparse(node)}"


def test_libraries_and_commands_are_both_there() -> None:
    assert {"empgan_rt.inference.responder", "empgan_training.run.trainer"} <= {*LIBRARY}
    commands = [name for name in PATHS if name.split(".")[0] in LIBRARIES and is_command(name)]
    assert {"empgan_rt.cli.console", "empgan_training.human.cli", "empgan_export.cli"} <= {
        *commands
    }


def test_library_code_neither_parses_nor_draws() -> None:
    assert [f for name in LIBRARY for f in drawn(name, PATHS[name].read_text("utf-8"))] == []


def test_library_code_says_nothing() -> None:
    speaking = [name for name in LIBRARY if [*spoken(name, PATHS[name].read_text("utf-8"))]]
    assert speaking == [ANSWERS_ON_STDOUT]


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("empgan_rt.inference.responder", "from ..cli import console"),
        ("empgan_rt.inference.lane", "def f():\n    from ..cli.console import progress"),
        ("empgan_rt.bundle.bundle", "import_module('empgan_rt.cli.console')"),
        ("empgan_training.run.stage", "from empgan_rt.cli.console import progress"),
        ("empgan_training.scoring.decoding", "import rich.progress"),
        ("empgan_export.verify", "def f():\n    import click"),
    ],
)
def test_a_planted_import_is_found(module: str, source: str) -> None:
    assert len([*drawn(module, source)]) == 1


@pytest.mark.parametrize(
    "source",
    [
        "print('done')",
        "def f(show=print):\n    show('done')",
        "import sys\nsys.stderr.write('done')",
        "import sys\ndef f():\n    return sys.__stdout__",
        "answer = input('really? ')",
    ],
)
def test_a_planted_word_is_found(source: str) -> None:
    assert len([*spoken("empgan_rt.config", source)]) == 1


def loaded_by(*codes: str) -> list[set[str]]:
    """Return which of DRAWING a fresh interpreter has loaded after running each of `codes`."""
    report = f"\nimport sys\nprint(*(name for name in {DRAWING} if name in sys.modules))\n"
    done = subprocess.run(
        [sys.executable, "-c", "".join(code + report for code in codes)],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    return [set(line.split()) for line in done.stdout.splitlines()]


def test_who_uses_the_library_loads_nothing_that_draws() -> None:
    """One process for all: what one of them loads, those after it have loaded too."""
    assert loaded_by(REPLY, ASYNC_REPLY, TRAINING, EXPORT) == [set()] * 4


def test_the_check_of_what_is_loaded_can_fail() -> None:
    found = loaded_by("", "import rich.progress", "from empgan_rt.cli import console")
    assert found == [set(), {"rich"}, {*DRAWING}]
