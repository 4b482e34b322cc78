"""The corpora of a prepared folder: where they lie, and what holds for each.

Of two corpora we know how they are used: their licence, and which turns are responses. For any
other, whoever prepares it says which licence it has.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from empgan_rt.errors import InputError

from . import licences
from .corpora.corpus import Corpus
from .corpora.json_rows import TurnLabels
from .corpora.reading import read_corpus
from .licences import checked_licence
from .reply_rule import REPLY_RULES, ReplyRule, RuleName

SOURCES_NAME = "sources.json"
MAX_WEIGHT = 100.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENDINGS = re.compile(r"\.(jsonl|ndjson|json|csv|parquet)(\.gz)?$")


@dataclass(frozen=True)
class KnownCorpus:
    """What we know of a corpus that is published."""

    licence: str
    replies: RuleName


KNOWN = {
    "dailydialog": KnownCorpus(licences.DAILYDIALOG, "answered"),
    "empatheticdialogues": KnownCorpus(licences.EMPATHETICDIALOGUES, "listener"),
}


@dataclass(frozen=True)
class Source:
    """One corpus to prepare.

    Attributes:
        path: its folder or file.
        name: it is called in the folder and its reports; empty for that of the known corpus that
            it is, or of its folder or file. One of `KNOWN` says that it is that corpus.
        weight: how often each of its training dialogues comes in an epoch, on average.
        licence: its own, empty for that of the known corpus that it is.
        replies: which turns are responses, None as for the known corpus, or else "answered".
        labels: which ones of EmpatheticDialogues are read.

    Raises:
        InputError: a name, weight or licence is none.
    """

    path: Path
    name: str = ""
    weight: float = 1.0
    licence: str = ""
    replies: RuleName | None = None
    labels: TurnLabels = "dialogue"

    def __post_init__(self) -> None:
        if self.name and not _NAME.fullmatch(self.name):
            raise InputError(
                f"a source called {self.name[:40]!r}", hint="use letters, digits, '.', '_' and '-'"
            )
        if not 0 < self.weight <= MAX_WEIGHT:
            raise InputError(
                f"a source of weight {self.weight}",
                hint=f"give more than 0, at most {MAX_WEIGHT:g}",
            )
        if self.licence:
            checked_licence(self.licence)


class SourceFacts(Struct, frozen=True):
    """What `sources.json` keeps of a source, for training and for those who read it.

    Attributes:
        known: name of the known corpus that it is, or empty.
    """

    licence: str
    replies: RuleName = "answered"
    weight: Annotated[float, Meta(gt=0, le=MAX_WEIGHT)] = 1.0
    known: str = ""

    @property
    def rule(self) -> ReplyRule:
        """Which of its turns are responses."""
        return REPLY_RULES[self.replies]


@dataclass(frozen=True)
class ReadSource:
    """A source and what was read of it."""

    name: str
    facts: SourceFacts
    corpus: Corpus

    @property
    def plain(self) -> bool:
        """Whether it is as every source was before there could be several."""
        usual = SourceFacts(self.facts.licence, known=self.facts.known)
        return self.facts == usual and all(
            label is not None for d in self.corpus.dialogues for label in d.emotions
        )


def read_sources(sources: Sequence[Source], licence: str) -> list[ReadSource]:
    """Return every source with its corpus and a name of its own.

    Args:
        licence: of those that have none of their own and are no known corpus; may be empty.

    Raises:
        InputError: there is none, two have one name, one is no corpus, or its licence is unknown.
        DataError: one cannot be read.
    """
    if not sources:
        raise InputError("no source", hint="name a corpus")
    found: dict[str, ReadSource] = {}
    for source in sources:
        corpus = read_corpus(source.path, source.labels)
        known = source.name if source.name in KNOWN else corpus.known
        name = source.name or known or _file_name(source.path)
        if name in found:
            raise InputError(f"two sources called {name!r}", hint="give --source NAME=PATH")
        found[name] = ReadSource(name, _facts(source, name, known, licence), corpus)
    return [*found.values()]


def _facts(source: Source, name: str, known: str, licence: str) -> SourceFacts:
    usual = KNOWN.get(known)
    own = source.licence or (usual.licence if usual else licence)
    if not own:
        raise InputError(
            f"the licence of {name!r} is not known, and what is trained on it inherits that",
            hint="give --licence, an SPDX expression such as MIT or a line of your own",
        )
    replies = source.replies or (usual.replies if usual else "answered")
    return SourceFacts(checked_licence(own), replies, source.weight, known)


def _file_name(path: Path) -> str:
    """Return a name made of that of a folder or file."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", _ENDINGS.sub("", path.resolve().name)).lstrip("-._")
    return name[:64] or "corpus"
