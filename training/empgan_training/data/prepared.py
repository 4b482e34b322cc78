"""A prepared folder opened again: featurised dialogues and their samples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits
from empgan_rt.dialogue import Emotion, Turn
from empgan_rt.errors import DataError, InputError
from empgan_rt.replacing import restored
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer, TurnFeatures
from empgan_rt.text.tokenizer import Tokenizer

from .dailydialog import SPLITS

_ANEW = "prepare the data anew"


@dataclass(frozen=True)
class PreparedDialogue:
    """One dialogue of a split: its text, and its turns as ids with gold labels."""

    id: str
    texts: tuple[str, ...]
    turns: tuple[TurnFeatures, ...]

    @property
    def responses(self) -> range:
        """Turns that have a context before them and a feedback after them."""
        return range(1, len(self.turns) - 1)


@dataclass(frozen=True)
class Sample:
    """A (context, response, feedback) triple: turns 0..response-1, response, response+1."""

    dialogue: PreparedDialogue
    response: int

    @property
    def id(self) -> str:
        """Name of the sample, such as "test-00017#3"."""
        return f"{self.dialogue.id}#{self.response}"


class PreparedData:
    """The folder that `data prepare` wrote.

    Raises:
        InputError: the folder is no prepared folder.
        DataError: one of its files was altered since, or cannot be read.
    """

    def __init__(self, folder: Path, limits: Limits) -> None:
        if not restored(folder) or not (folder / "report.json").is_file():
            raise InputError(
                f"{folder} holds no report.json", hint="run `empgan-rt data prepare` first"
            )
        self.folder = folder
        try:
            self.report: Mapping[str, Any] = json.loads((folder / "report.json").read_bytes())
            self._sha256 = dict(self.report["sha256"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError("report.json cannot be read", hint=_ANEW) from error
        self.featurizer = Featurizer(
            Tokenizer.from_json(self._read("tokenizer.json")),
            EmotionLexicon.from_files(
                self._read("emotion_lexicon.tsv"), self._read("emotion_vocabulary.txt")
            ),
            limits,
        )

    def split(self, name: str) -> list[PreparedDialogue]:
        """Return the dialogues of "train", "validation" or "test", in the corpus's order."""
        if name not in SPLITS:
            raise InputError(f"unknown split {name!r}", hint=f"use one of {', '.join(SPLITS)}")
        dialogues = []
        for row in self._rows(f"{name}.jsonl"):
            turns = tuple(
                self.featurizer.turn_features(Turn(text, Emotion(label + 1)))
                for text, label in zip(row["utterances"], row["emotions"], strict=True)
            )
            dialogues.append(PreparedDialogue(row["id"], tuple(row["utterances"]), turns))
        return dialogues

    def table_samples(self, test: Sequence[PreparedDialogue]) -> list[Sample]:
        """Return the samples that the protocol drew from the test split."""
        by_id = {dialogue.id: dialogue for dialogue in test}
        return [
            Sample(by_id[row["dialogue"]], row["response"])
            for row in self._rows("test_samples.jsonl")
        ]

    def _rows(self, name: str) -> list[Any]:
        return [json.loads(line) for line in self._read(name).splitlines()]

    def _read(self, name: str) -> bytes:
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise DataError(f"{name} cannot be read: {error.strerror}", hint=_ANEW) from error
        if hashlib.sha256(data).hexdigest() != self._sha256.get(name):
            raise DataError(f"{name} was altered since report.json was written", hint=_ANEW)
        return data


def all_samples(dialogues: Sequence[PreparedDialogue]) -> list[Sample]:
    """Return every triple of some dialogues."""
    return [Sample(dialogue, r) for dialogue in dialogues for r in dialogue.responses]
