"""Dialogues with a given number of turns, made of the turns of a workload."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from empgan_rt.graph_spec import EncoderInput
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures, encoder_input

_DIALOGUES = 64
_MIN_ITEMS, _MAX_ITEMS = 2, 8  # few, for all dialogues have as many turns


@dataclass(frozen=True)
class TurnPool:
    """The different turns of some contexts; at least one."""

    turns: Sequence[TurnFeatures]

    @classmethod
    def of(cls, contexts: Sequence[DialogueFeatures]) -> TurnPool:
        """Return each turn once, in the order of the contexts."""
        every = (turn for context in contexts for turn in context.turns)
        return cls([*{(*turn.token_ids, -1, *turn.emotion_ids): turn for turn in every}.values()])

    def batches(self, batch_size: int, turns: int, seed: int) -> list[EncoderInput]:
        """Return 2 to 8 batches of `batch_size` dialogues of `turns` turns.

        That is 8 dialogues at batch 1, and 64 or more from batch 8 on. The turns are shuffled by
        `seed`; none comes twice in a batch, if there are enough.
        """
        draw = np.random.default_rng(seed)
        needed = batch_size * turns
        order: list[int] = []
        batches = []
        for _ in range(min(max(-(-_DIALOGUES // batch_size), _MIN_ITEMS), _MAX_ITEMS)):
            if len(order) < needed:
                order = []
            while len(order) < needed:
                order += draw.permutation(len(self.turns)).tolist()
            picked = [self.turns[i] for i in order[:needed]]
            del order[:needed]
            dialogues = [
                DialogueFeatures(tuple(picked[at : at + turns]), 0)
                for at in range(0, needed, turns)
            ]
            batches.append(encoder_input(dialogues))
        return batches

    def repeated(self, batch_size: int, turns: int) -> float:
        """Return the share of a batch's turns that came before in the same batch, 0 to 1."""
        return max(0.0, 1.0 - len(self.turns) / (batch_size * turns))
