"""Word lists: the one in the package, and what an operator's own file adds to it or alters.

Both are TOML of one form (docs/guard.md). What the own file says of a text, a number or a category
takes the place of ours; its phrases and spellings come on top.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from ..dialogue.verdict import Action
from ..errors import InputError

SHIPPED = Path(__file__).with_name("words.toml")
DEFAULT = "default"  # the locale that has every text and number
REFUSED_REPLY = "refused_reply"  # the text in place of what the model may not say
LATER = "_later"  # ends the name of a category's text for the messages after a match
MAX_BYTES = 1 << 20
MAX_LATER = 20
_NAMES = re.compile(r"[a-z][a-z0-9_]*")
_PLACES = re.compile(r"\{([^{}]*)\}")

Reads = Literal["messages", "replies"]


class Category(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a file says of one category; None where it says nothing.

    Attributes:
        action: what a match leads to; "allow" looks for nothing.
        reads: where its phrases are looked for.
        later: for so many messages after a match its later text is said.
        phrases: what is looked for.
        unless: what takes back a match that shares a word with it.
    """

    action: Action | None = None
    reads: tuple[Reads, ...] | None = None
    later: int | None = None
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    def with_own(self, own: Category) -> Category:
        """Return this category as another file alters it."""
        return Category(
            self.action if own.action is None else own.action,
            self.reads if own.reads is None else own.reads,
            self.later if own.later is None else own.later,
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


@dataclass(frozen=True)
class Words:
    """A word list for one locale.

    Attributes:
        file: the phrases, and how each category acts.
        texts: name -> what is said, numbers filled in.
    """

    file: WordFile
    texts: Mapping[str, str]


def read_words(own: str | os.PathLike[str] | None, locale: str) -> Words:
    """Return the word list of the package, an operator's own on top, for one locale.

    A text or number is that of the locale, else of its language ("en" for "en-GB"), else the
    default one.

    Args:
        own: path of a TOML file; None for ours alone.
        locale: such as "en-GB", as the files name it.

    Raises:
        InputError: a file cannot be read or does not fit together, or the locale is in neither.
    """
    file = _read(SHIPPED)
    source = str(SHIPPED.name)
    if own is not None:
        source = str(own)
        file = file.with_own(_read(Path(own)))
    locales = sorted({*file.texts, *file.numbers})
    chain = [name for name in (locale, locale.partition("-")[0], DEFAULT) if name in locales]
    if locale != DEFAULT and chain[:1] in ([], [DEFAULT]):
        raise InputError(
            f"no text or number for the locale {locale[:40]!r}",
            hint=f"give one of {', '.join(locales)}, or add it to a file of your own",
        )
    _check(file, source)
    numbers = _merged(file.numbers, chain)
    texts = {
        name: _filled(name, text, numbers, source)
        for name, text in _merged(file.texts, chain).items()
    }
    missing = [name for name in _needed(file) if name not in texts]
    if missing:
        raise InputError(
            f"{source}: texts.{DEFAULT}.{missing[0]} is missing",
            hint="each category that stops messages needs a text",
        )
    return Words(file, texts)


def _read(path: Path) -> WordFile:
    """Return a file.

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


def _check(file: WordFile, source: str) -> None:
    """Do nothing if what a file names is there, and in range.

    Raises:
        InputError: it is not.
    """
    for name, category in file.categories.items():
        if not _NAMES.fullmatch(name) or name == REFUSED_REPLY or name.endswith(LATER):
            raise InputError(
                f"{source}: a category {name[:40]!r}",
                hint=f"use small letters, digits and _; no {REFUSED_REPLY}, no end {LATER}",
            )
        if not 0 <= (category.later or 0) <= MAX_LATER:
            raise InputError(
                f"{source}: categories.{name}.later is {category.later}",
                hint=f"give a number from 0 to {MAX_LATER}",
            )
    for form in (form for forms in file.spellings.values() for form in forms):
        if len(form.split()) != 1:
            raise InputError(
                f"{source}: spellings has a form {form[:40]!r} of {len(form.split())} words",
                hint="give forms of one word; phrases may be of several",
            )
    known = {REFUSED_REPLY, *file.categories, *(f"{name}{LATER}" for name in file.categories)}
    for locale, texts in file.texts.items():
        for name, text in texts.items():
            if name not in known:
                raise InputError(
                    f"{source}: texts.{locale}.{name[:40]} is of no category",
                    hint=f"give one of {', '.join(sorted(known))}",
                )
            if not text.strip():
                raise InputError(f"{source}: texts.{locale}.{name} is blank", hint="give a text")


def _needed(file: WordFile) -> list[str]:
    """Return the names of the texts without which a category cannot act."""
    names = [REFUSED_REPLY]
    for name, category in file.categories.items():
        reads = ("messages",) if category.reads is None else category.reads
        if category.action != "allow" and "messages" in reads:
            names.append(name)
    return names


def _by_locale(
    ours: Mapping[str, dict[str, str]], own: Mapping[str, dict[str, str]]
) -> dict[str, dict[str, str]]:
    return {locale: ours.get(locale, {}) | own.get(locale, {}) for locale in {**ours, **own}}


def _merged(by_locale: Mapping[str, dict[str, str]], chain: Sequence[str]) -> dict[str, str]:
    """Return what the first locale of a chain says of each name."""
    merged: dict[str, str] = {}
    for locale in reversed(chain):
        merged |= by_locale.get(locale, {})
    return merged


def _filled(name: str, text: str, numbers: Mapping[str, str], source: str) -> str:
    """Return a text with its numbers.

    Raises:
        InputError: it names one that is not there.
    """

    def number(place: re.Match[str]) -> str:
        if place[1] not in numbers:
            raise InputError(
                f"{source}: the text {name} names a number {place[0][:40]}",
                hint=f"give one of {', '.join(sorted(numbers))}, or add it below numbers",
            )
        return numbers[place[1]]

    return " ".join(_PLACES.sub(number, text).split())
