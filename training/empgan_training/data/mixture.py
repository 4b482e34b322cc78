"""The dialogues of one epoch, where sources have weights."""

from __future__ import annotations

import random
from collections.abc import Sequence

from .prepared import PreparedDialogue


def epoch_of(
    dialogues: Sequence[PreparedDialogue], draw: random.Random
) -> Sequence[PreparedDialogue]:
    """Return each dialogue as often as it comes in one epoch, on average `weight` times.

    The whole part of a weight is how often it comes in any case; the rest is the chance of once
    more. Nothing is drawn where every weight is whole.
    """
    found = []
    for dialogue in dialogues:
        times, chance = divmod(dialogue.weight, 1)
        found += [dialogue] * (int(times) + (chance > 0 and draw.random() < chance))
    return found
