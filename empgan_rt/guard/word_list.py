"""The word list of one locale: the package's file, and what an operator's own file adds or alters.

What both files say together is checked, and each text gets its numbers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from .word_file import WordFile, read_word_file

SHIPPED = Path(__file__).with_name("words.toml")
DEFAULT = "default"  # the locale that has every text and number
REFUSED_REPLY = "refused_reply"  # the text in place of what the model may not say
LATER = "_later"  # ends the name of a category's text for the messages after a match
MAX_LATER = 20
_NAMES = re.compile(r"[a-z][a-z0-9_]*")
_PLACES = re.compile(r"\{([^{}]*)\}")


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
    file = read_word_file(SHIPPED)
    source = str(SHIPPED.name)
    if own is not None:
        source = str(own)
        file = file.with_own(read_word_file(Path(own)))
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
