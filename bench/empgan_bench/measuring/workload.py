"""The dialogues that are measured, and the seeded batches made of them."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import msgspec
import numpy as np

from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import DataError, EmpganError, InputError
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import DialogueFeatures, Featurizer, encoder_input

_CONTEXTS_PER_CELL = 128
_MIN_ITEMS, _MAX_ITEMS = 2, 16


class _Line(msgspec.Struct):
    """One line of a workload: the turns so far, or a dialogue whose last turn is the reply."""

    turns: list[str] | None = None
    dialogue: list[str] | None = None


@dataclass(frozen=True)
class Workload:
    """Contexts as ids and as text.

    Attributes:
        source: "own dialogues", or the file's name.
        sha256: of the file.
        contexts: at least one.
        dialogues: their texts, in the same order.
        featurizer: made one of the other.
    """

    source: str
    sha256: str
    contexts: Sequence[DialogueFeatures]
    dialogues: Sequence[Dialogue]
    featurizer: Featurizer

    def drawn(self, count: int, seed: int) -> list[int]:
        """Return the places of `count` contexts, shuffled, and again whenever they run out."""
        draw = np.random.default_rng(seed)
        order: list[int] = []
        while len(order) < count:
            order += draw.permutation(len(self.contexts)).tolist()
        return order[:count]

    def places(self, batch_size: int, seed: int) -> list[list[int]]:
        """Return which contexts each of 2 to 16 batches holds, `batch_size` of them.

        That is 16 contexts at batch 1, and 128 or more from batch 8 on.

        The contexts come as `drawn`.
        """
        wanted = -(-_CONTEXTS_PER_CELL // batch_size)
        items = min(max(wanted, _MIN_ITEMS), _MAX_ITEMS)
        order = self.drawn(items * batch_size, seed)
        return [order[at : at + batch_size] for at in range(0, len(order), batch_size)]

    def batches(self, batch_size: int, seed: int) -> list[EncoderInput]:
        """Return the batches of `places` as the encoder takes them."""
        return [
            encoder_input([self.contexts[place] for place in places])
            for places in self.places(batch_size, seed)
        ]


def load_workload(path: Path | None, featurizer: Featurizer) -> Workload:
    """Return the contexts in a JSONL file, or in our own dialogues when `path` is None.

    A line is {"turns": [...]}, read as it is, or {"dialogue": [...]}, read without its last turn.

    Raises:
        InputError: the file cannot be read.
        DataError: a line is neither, or a turn is unacceptable; the message has its number.
    """
    if path is None:
        file = resources.files("empgan_training") / "assets" / "own_dialogues.jsonl"
        source, data = "own dialogues", file.read_bytes()
    else:
        try:
            source, data = path.name, path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
    read = [
        _context(line, f"{source}:{number}", featurizer)
        for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), start=1)
        if line.strip()
    ]
    if not read:
        raise DataError(f"{source} holds no dialogue", hint='wanted lines of {"turns": [...]}')
    dialogues, contexts = zip(*read, strict=True)
    return Workload(source, hashlib.sha256(data).hexdigest(), contexts, dialogues, featurizer)


def _context(line: bytes, place: str, featurizer: Featurizer) -> tuple[Dialogue, DialogueFeatures]:
    try:
        decoded = msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{place}: {error}", hint='wanted {"turns": ["...", ...]}') from None
    turns = decoded.turns
    if turns is None and decoded.dialogue is not None:
        turns = decoded.dialogue[:-1] or decoded.dialogue
    if not turns:
        raise DataError(f"{place}: no turns", hint='wanted {"turns": ["...", ...]}')
    try:
        dialogue = Dialogue.of(turns)
        return dialogue, featurizer.features(dialogue)
    except EmpganError as error:
        raise DataError(f"{place}: {error.message}", hint=error.hint) from None
