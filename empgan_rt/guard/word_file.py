"""One file of words, TOML of the form that docs/guard.md shows: as it is written, and as read.

What a file on top says of a text, a number or a category takes the place of the other's; its
phrases and spellings come on top.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..dialogue.turns import EmotionName
from ..dialogue.verdict import Action
from ..errors import InputError

MAX_BYTES = 1 << 20

Reads = Literal["messages", "replies"]


class Category(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a file says of one category; None where it says nothing.

    Attributes:
        action: what a match leads to; "allow" looks for nothing.
        reads: where its phrases are looked for.
        later: for so many messages after a match its later text is said.
        emotions: it is looked for only where the newest message has one of these, given by the
            caller or recognised; None looks whatever the emotion.
        phrases: what is looked for.
        unless: what takes back a match that shares a word with it.
    """

    action: Action | None = None
    reads: tuple[Reads, ...] | None = None
    later: int | None = None
    emotions: tuple[EmotionName, ...] | None = None
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def with_own(self, own: Category) -> Category:
        """Return this category as another file alters it."""
        return Category(
            self.action if own.action is None else own.action,
            self.reads if own.reads is None else own.reads,
            self.later if own.later is None else own.later,
            self.emotions if own.emotions is None else own.emotions,
            self.phrases + own.phrases,
            self.unless + own.unless,
        )


class WordFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One file as it is written.

    Attributes:
        common: words that most texts have, so that no search begins with them.
        idioms: phrases that take back a match of any category.
        lists: name -> what "<name>" stands for in phrases.
        spellings: words -> forms that are read as these.
        categories: by name, the first one that matches counts.
        texts: locale -> name -> what is said.
        numbers: locale -> name -> what "{name}" stands for in texts.
    """

    common: tuple[str, ...] = ()
    idioms: tuple[str, ...] = ()
    lists: dict[str, tuple[str, ...]] = {}
    spellings: dict[str, tuple[str, ...]] = {}
    categories: dict[str, Category] = {}
    texts: dict[str, dict[str, str]] = {}
    numbers: dict[str, dict[str, str]] = {}

    def with_own(self, own: WordFile) -> WordFile:
        """Return this file with another on top."""
        categories = dict(self.categories)
        for name, category in own.categories.items():
            categories[name] = categories.get(name, Category()).with_own(category)
        spellings = dict(self.spellings)
        for words, forms in own.spellings.items():
            spellings[words] = spellings.get(words, ()) + forms
        return WordFile(
            self.common + own.common,
            self.idioms + own.idioms,
            self.lists | own.lists,
            spellings,
            categories,
            _by_locale(self.texts, own.texts),
            _by_locale(self.numbers, own.numbers),
        )


def read_word_file(path: Path) -> WordFile:
    """Return what a file says.

    Raises:
        InputError: it cannot be read, is no TOML, or has a key or value that is not known.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
        tree = tomllib.loads(raw.decode("utf-8-sig"))
    except RecursionError:
        raise InputError(f"{path}: nested too deep", hint="see docs/guard.md") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise InputError(f"{path} is no TOML: {error}", hint="see docs/guard.md") from None
    for name, category in _tables(tree, "categories"):
        try:
            msgspec.convert(category, Category)
        except msgspec.ValidationError as error:  # whose path would not name it
            raise InputError(f"{path}: categories.{name[:40]}: {error}", hint=_KEYS) from None
    try:
        return msgspec.convert(tree, WordFile)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}", hint=_KEYS) from None


def _tables(tree: Mapping[str, Any], name: str) -> Iterable[tuple[str, Any]]:
    found = tree.get(name)
    return found.items() if isinstance(found, dict) else ()


_KEYS = "keys are " + "; ".join(
    (
        ", ".join(WordFile.__struct_fields__),
        "of a category " + ", ".join(Category.__struct_fields__),
    )
)


def _by_locale(
    ours: Mapping[str, dict[str, str]], own: Mapping[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    return {locale: ours.get(locale, {}) | own.get(locale, {}) for locale in {**ours, **own}}
