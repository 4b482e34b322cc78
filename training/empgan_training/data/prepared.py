"""A prepared folder opened again: featurised dialogues and their samples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from empgan_rt.config import Limits
from empgan_rt.dialogue.turns import Emotion, Turn
from empgan_rt.errors import BundleError, DataError, InputError
from empgan_rt.storage.replacing import restored
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer, TurnFeatures
from empgan_rt.text.tokenizer import Tokenizer

from ..stored_json import Kind, decode_json
from .corpora.corpus import SPLITS
from .reply_rule import REPLY_RULES, ReplyRule
from .sources import SOURCES_NAME, SourceFacts

_ANEW = "prepare the data anew"


class _Report(Struct, frozen=True):
    """What is read of `report.json`; the rest is for people."""

    format: Literal[1, 2]
    sha256: dict[str, str]
    licence: str
    shortened: dict[str, int] | None = None


class _Row(Struct, frozen=True):
    """One dialogue of a split; `source` is there where a folder has several."""

    id: str
    utterances: tuple[str, ...]
    emotions: tuple[Annotated[int, Meta(ge=0, le=6)] | None, ...]
    source: str = ""


class _Drawn(Struct, frozen=True):
    """One sample of the tables: a dialogue's id, and a turn of it that is the response."""

    dialogue: str
    response: Annotated[int, Meta(ge=1, le=2**63 - 1)]


@dataclass(frozen=True)
class PreparedDialogue:
    """One dialogue of a split: its text, and its turns as ids with gold labels.

    Attributes:
        turns: the label of one that has none is 8, `UNKNOWN_LABEL`.
        source: the corpus that it is of; empty in a folder of one.
        rule: which of its turns are responses.
        weight: how often it comes in an epoch, on average.
        corpus: the number of `source` among the folder's, from 0.
    """

    id: str
    texts: tuple[str, ...]
    turns: tuple[TurnFeatures, ...]
    source: str = ""
    rule: ReplyRule = REPLY_RULES["answered"]
    weight: float = 1.0
    corpus: int = 0

    @property
    def responses(self) -> range:
        """Turns that are answers to those before them, as the rule says; at least one."""
        return self.rule.responses(len(self.turns))

    @property
    def context(self) -> tuple[TurnFeatures, ...]:
        """The turns that are context of any response: all before the last response."""
        return self.turns[: self.responses[-1]]

    def answered(self) -> PreparedDialogue | None:
        """Return the dialogue with those responses alone that a feedback follows, None if none."""
        found = replace(self, rule=replace(self.rule, answered=True))
        return found if found.responses else None


@dataclass(frozen=True)
class Sample:
    """A (context, response, feedback) triple: turns 0..response-1, response, response+1.

    Where the rule of the dialogue asks for no feedback, the last response has none.
    """

    dialogue: PreparedDialogue
    response: int

    @property
    def id(self) -> str:
        """Name of the sample, such as "test-00017#3"."""
        return f"{self.dialogue.id}#{self.response}"


class PreparedData:
    """The folder that `data prepare` wrote.

    Attributes:
        sources: what holds for each corpus in it, by name; a folder of format 1 has one, "".
        shortened: how many dialogues of each split were taken of a whole folder; None of a whole
            one.

    Raises:
        InputError: the folder is no prepared folder.
        DataError: one of its files was altered since, or cannot be read.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        restored(folder)  # a replacement that was killed may have left it aside
        self.folder = folder
        try:
            raw = (folder / "report.json").read_bytes()
        except (OSError, ValueError) as error:
            raise InputError(
                f"{folder} holds no report.json", hint="run `empgan-rt data prepare` first"
            ) from error
        try:
            report = decode_json(raw, _Report)
            self.report: Mapping[str, Any] = decode_json(raw, dict[str, Any])
        except ValueError as error:
            raise DataError(f"report.json cannot be read: {error}", hint=_ANEW) from error
        self.sha256, self.licence = report.sha256, report.licence
        self.shortened = report.shortened
        self.sources = {"": SourceFacts(report.licence)}
        if report.format > 1:
            self.sources = self._sources()
        try:
            self.featurizer = Featurizer(
                Tokenizer.from_json(self.read("tokenizer.json")),
                EmotionLexicon.from_files(
                    self.read("emotion_lexicon.tsv"), self.read("emotion_vocabulary.txt")
                ),
                limits,
            )
        except BundleError as error:
            raise DataError(f"vocabularies: {error.message}", hint=_ANEW) from error

    def split(self, name: str, source: str | None = None) -> list[PreparedDialogue]:
        """Return the dialogues of "train", "validation" or "test", in the corpus's order.

        Args:
            source: those of this corpus alone; None for all.

        Raises:
            InputError: there is no split or source of that name.
            DataError: its file was altered, or is not what `data prepare` writes.
        """
        if name not in SPLITS:
            raise InputError(f"unknown split {name!r}", hint=f"use one of {', '.join(SPLITS)}")
        if source is not None and source not in self.sources:
            names = ", ".join(filter(None, self.sources)) or "no name: the folder has one corpus"
            raise InputError(f"unknown source {source[:40]!r}", hint=f"use one of {names}")
        found: dict[str, PreparedDialogue] = {}
        for where, row in self.rows(f"{name}.jsonl", _Row):
            if row.id in found or len(row.utterances) != len(row.emotions):
                raise DataError(
                    f"{where}: a dialogue that is there twice, or {len(row.utterances)} utterances "
                    f"but {len(row.emotions)} emotions",
                    hint=_ANEW,
                )
            found[row.id] = self._dialogue(where, row)
        return [d for d in found.values() if source is None or d.source == source]

    def _dialogue(self, where: str, row: _Row) -> PreparedDialogue:
        facts = self.sources.get(row.source)
        if facts is None or not facts.rule.responses(len(row.utterances)):
            raise DataError(
                f"{where}: a dialogue of {len(row.utterances)} turns, of a source that needs more "
                "or is unknown",
                hint=_ANEW,
            )
        try:
            turns = tuple(
                self.featurizer.turn_features(
                    Turn(text, None if label is None else Emotion.from_dailydialog(label))
                )
                for text, label in zip(row.utterances, row.emotions, strict=True)
            )
        except InputError as error:
            raise DataError(f"{where}: {error.message}", hint=_ANEW) from error
        weight, corpus = facts.weight, [*self.sources].index(row.source)
        return PreparedDialogue(
            row.id, row.utterances, turns, row.source, facts.rule, weight, corpus
        )

    def table_samples(
        self, test: Sequence[PreparedDialogue], source: str | None = None
    ) -> list[Sample]:
        """Return the samples that the protocol drew from the test split.

        Args:
            test: the split; of a source alone, if there is a `source`, whose samples are wanted.

        Raises:
            DataError: their file was altered, or one of them is not in `test`.
        """
        by_id = {dialogue.id: dialogue for dialogue in test}
        found: dict[str, Sample] = {}
        for where, row in self.rows("test_samples.jsonl", _Drawn):
            if source and not row.dialogue.startswith(f"{source}/"):
                continue
            dialogue = by_id.get(row.dialogue)
            if dialogue is None or row.response not in dialogue.responses:
                raise DataError(f"{where}: a sample that the test split has not", hint=_ANEW)
            sample = Sample(dialogue, row.response)
            if sample.id in found:
                raise DataError(f"{where}: a sample that is there twice", hint=_ANEW)
            found[sample.id] = sample
        return [*found.values()]

    def _sources(self) -> dict[str, SourceFacts]:
        try:
            return decode_json(self.read(SOURCES_NAME), dict[str, SourceFacts])
        except ValueError as error:
            raise DataError(f"{SOURCES_NAME} cannot be read: {error}", hint=_ANEW) from error

    def rows(self, name: str, kind: type[Kind]) -> Iterator[tuple[str, Kind]]:
        """Yield where each row of a file is, and the row; there is one at least.

        Raises:
            DataError: the file was altered or is empty, or a row is no such `kind`.
        """
        lines = self.read(name).splitlines()
        if not lines:
            raise DataError(f"{name} is empty", hint=_ANEW)
        for number, line in enumerate(lines, start=1):
            try:
                row = decode_json(line, kind)
            except ValueError as error:
                raise DataError(f"{name}:{number}: {error}", hint=_ANEW) from error
            yield f"{name}:{number}", row

    def read(self, name: str) -> bytes:
        """Return the bytes of a file that is as `report.json` says.

        Raises:
            DataError: it was altered, or cannot be read.
        """
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{name} cannot be read: {error.strerror}", hint=_ANEW) from error
        if hashlib.sha256(data).hexdigest() != self.sha256.get(name):
            raise DataError(f"{name} was altered since report.json was written", hint=_ANEW)
        return data


def all_samples(dialogues: Sequence[PreparedDialogue]) -> list[Sample]:
    """Return every triple of some dialogues."""
    return [Sample(dialogue, r) for dialogue in dialogues for r in dialogue.responses]
