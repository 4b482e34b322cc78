"""Which shapes an engine takes: one optimisation profile for each class of batch sizes.

TensorRT bounds every axis by itself, and reserves memory for the largest shape of a profile. So
axes that multiply (dialogues, beams, memory positions) are cut where a tensor would outgrow
`MAX_ELEMENTS`; rows beyond a profile run in several calls, since no row depends on another. Beyond
2^31 elements TensorRT does not refuse but miscounts: docs/decisions/0017-tensorrt-engines.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ...config import GeneratorConfig, Limits
from ...errors import InputError

Range = tuple[int, int, int]  # smallest, the one to be fastest at, largest
Profile = Mapping[str, Range]  # by axis of `graph_spec`

BATCHES: tuple[Range, ...] = ((1, 1, 1), (2, 8, 8), (9, 32, 64), (65, 128, 512))
MAX_ELEMENTS = 1 << 28  # of one tensor, 1 GiB in float32
MAX_BANNED = 1024  # ids that may be struck for a beam; other than these axes, nothing bounds it
_TURNS, _TOKENS, _WORDS, _BANNED = 5, 15, 4, 32  # of an everyday dialogue


def profiles(
    which: str, model: GeneratorConfig, limits: Limits, beam: int = 1
) -> tuple[Profile, ...]:
    """Return the profiles of a graph of `graph_spec.GRAPH_NAMES`, smallest batches first.

    Args:
        which: the graph.
        model: sizes of the generator.
        limits: how much of a dialogue is read.
        beam: K of the decoder step.
    """
    if which == "decoder_step":
        batches = _batches(beam * max(model.vocabulary_size, model.hidden_size))
        return tuple(_step(batch, model, limits, beam) for batch in batches)
    one = {"turn_encoder": _turn_encoder, "context_encoder": _context_encoder}[which]
    return tuple(one(batch, model, limits) for batch in _batches(_gates(model)))


def most_positions(model: GeneratorConfig, turns: int, tokens: int) -> int:
    """Return P of a dialogue of so many turns of so many tokens."""
    if model.context == "hierarchical":
        return turns + min(turns, model.word_turns) * tokens
    return turns * (tokens + 1) + model.prepend_label  # each turn is ended by EOS


def parts(
    ranges: Sequence[Profile], sizes: Mapping[str, int], axis: str
) -> list[tuple[int, slice]]:
    """Return a batch cut into as few pieces as profiles take: (profile, rows) of each.

    Args:
        ranges: an engine's profiles.
        sizes: of the axes.
        axis: the batch's; no row depends on another.

    Raises:
        InputError: the other axes are too long for every profile.
    """
    usable = [
        (most, least, place)
        for place, profile in enumerate(ranges)
        for least, _, most in [profile[axis]]
        if all(low <= sizes[a] <= high for a, (low, _, high) in profile.items() if a != axis)
    ]
    found, start = [], 0
    while start < sizes[axis]:
        left = sizes[axis] - start
        fitting = [(min(most, left), place) for most, least, place in usable if least <= left]
        if not fitting:
            raise InputError(
                f"no engine takes {', '.join(f'{a} = {n}' for a, n in sizes.items())}",
                hint=f"give shorter dialogues, or ban fewer words (at most {MAX_BANNED} at once)",
            )
        rows, place = max(fitting)
        found.append((place, slice(start, start + rows)))
        start += rows
    return found


def _batches(row: int) -> list[Range]:
    """Return the classes of batch sizes whose tensors of `row` elements a row are small enough."""
    most = MAX_ELEMENTS // row
    return [(low, min(best, most), min(high, most)) for low, best, high in BATCHES if low <= most]


def _gates(model: GeneratorConfig) -> int:
    """Return the width of the widest tensor of the encoders."""
    return 3 * max(model.hidden_size, model.recogniser_size, model.embedding_size)


def _up_to(usual: int, most: int) -> Range:
    return 1, min(usual, most), most


def _turn_encoder(batch: Range, model: GeneratorConfig, limits: Limits) -> Profile:
    room = MAX_ELEMENTS // (batch[2] * _gates(model))
    return {
        "U": batch,
        "L": _up_to(_TOKENS, min(limits.max_tokens, room)),
        "N": _up_to(_WORDS, min(limits.max_emotion_words, room)),
    }


def _context_encoder(batch: Range, model: GeneratorConfig, limits: Limits) -> Profile:
    room = MAX_ELEMENTS // (batch[2] * _gates(model))
    turns, tokens = limits.max_turns, limits.max_tokens
    wanted = most_positions(model, turns, tokens)
    if wanted > room and model.context == "flat":
        turns = max(1, int(turns * math.sqrt(room / wanted)))  # both axes by the same share
        tokens = max(1, min(tokens, (room - model.prepend_label) // turns - 1))
    else:
        turns = min(turns, room)
        tokens = min(tokens, room // max(1, model.word_turns))  # of the newest turns, read anew
    return {"B": batch, "M": _up_to(_TURNS, turns), "L": _up_to(_TOKENS, tokens)}


def _step(batch: Range, model: GeneratorConfig, limits: Limits, beam: int) -> Profile:
    room = MAX_ELEMENTS // (batch[2] * beam * model.hidden_size)
    most = min(most_positions(model, limits.max_turns, limits.max_tokens), room)
    return {
        "B": batch,
        "P": _up_to(most_positions(model, _TURNS, _TOKENS), most),
        "S": _up_to(_BANNED, MAX_BANNED),
    }
