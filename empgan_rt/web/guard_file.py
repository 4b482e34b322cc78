"""The word list of the guard as the browser's engine reads it."""

from __future__ import annotations

import os

import msgspec

from ..guard.word_guard import WordGuard
from ..guard.word_list import DEFAULT, read_words


def guard_file(words: str | os.PathLike[str] | None = None, locale: str = DEFAULT) -> bytes:
    """Return a word list as JSON: its phrases, how categories act, and texts with their numbers.

    Args:
        words: path of a TOML file of one's own, on top of ours; None for ours alone.
        locale: whose texts and numbers are said.

    Raises:
        InputError: the file or the locale is not acceptable.
    """
    WordGuard(words, locale=locale)  # the engine reads phrases without checks of its own
    read = read_words(words, locale)
    file = read.file
    return msgspec.json.encode(
        {
            "idioms": file.idioms,
            "lists": file.lists,
            "spellings": file.spellings,
            "categories": [
                {
                    "name": name,
                    "action": category.action or "replace",
                    "reads": category.reads or ("messages",),
                    "later": category.later or 0,
                    "emotions": category.emotions,
                    "phrases": category.phrases,
                    "unless": category.unless,
                }
                for name, category in file.categories.items()
                if category.action != "allow"
            ],
            "texts": read.texts,
        }
    )
