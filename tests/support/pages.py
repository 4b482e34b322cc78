"""The pages for readers, and the examples in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.source_tree import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A command of a `console` block, and what it prints."""

    command: str
    output: str


def blocks(page: Path, language: str) -> list[str]:
    """Return the fenced blocks of a page in a language, in their order."""
    found = FENCE.findall(page.read_text("utf-8"))
    return [text for named, text in found if named == language]


def console_examples(page: Path) -> list[Example]:
    """Return the commands that a page shows with their output, in their order."""
    examples = []
    for block in blocks(page, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            examples.append(Example(command, output))
    return examples


def shell_commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command in a page's `bash` blocks.

    Assignments before it are cut, and the file that it writes to.
    """
    for block in blocks(page, "bash"):
        for line in block.replace("\\\n", " ").splitlines():
            words: list[str] = []
            for word in [*_words(line), ";"]:
                if word not in ("&&", ";", "|"):
                    words.append(word)
                elif words:
                    yield words
                    words = []


def _words(line: str) -> Iterator[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    at_start = True
    for word in lexer:
        if word == ">":
            next(lexer)
            continue
        if at_start and re.match(r"[A-Z_]+=", word):
            continue
        at_start = word in ("&&", ";", "|")
        yield word
