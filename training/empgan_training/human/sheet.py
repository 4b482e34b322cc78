"""Blinded rating sheets, drawn as in the paper's human evaluation.

Contexts are drawn from the samples that every system answered; each rater sees, context by
context, one reply of each system in an order of their own. All raters get the contexts in the
same order: where nobody finishes, the replies that were rated are then still the same ones, and
agreement can be computed. As in the paper, raters see the dialogue, its labels and its emotional
words.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits, check_seed
from empgan_rt.dialogue.turns import Emotion
from empgan_rt.errors import InputError
from empgan_rt.storage.replacing import restored
from empgan_rt.text.detokenizer import detokenise
from empgan_rt.text.featurizer import Featurizer

from ..data.folder import write_folder
from ..data.prepared import PreparedData, Sample, all_samples
from ..scoring.predictions import common_ids, read_predictions
from .emotional_words import emotional_words
from .key import (
    COLUMNS,
    CRITERIA,
    KEY_NAME,
    Draw,
    Reply,
    changed_sheets,
    make_key,
    read_key,
    sheet_names,
)
from .table import csv_bytes
from .text import instructions_text

INSTRUCTIONS_NAME = "INSTRUCTIONS.md"


@dataclass(frozen=True)
class SheetOptions:
    """The numbers of contexts and raters, and the seed of every draw.

    Raises:
        InputError: less than one context or rater, or a seed that is negative or too large.
    """

    contexts: int = 100
    raters: int = 3
    seed: int = 1

    def __post_init__(self) -> None:
        if self.contexts < 1 or self.raters < 1:
            raise InputError(
                f"{self.contexts} contexts for {self.raters} raters", hint="give at least 1 of each"
            )
        check_seed(self.seed)


def make_sheets(
    data: Path,
    predictions: Mapping[str, Path],
    out: Path,
    options: SheetOptions,
    *,
    force: bool = False,
) -> Mapping[str, Any]:
    """Write one sheet a rater, their instructions and the key into `out`; return what was drawn.

    The folder appears whole or not at all; the same arguments give the same bytes.

    Args:
        data: the prepared folder that the systems were evaluated on.
        predictions: name of each system -> its replies, as `evaluate --save-predictions` writes.
        force: replace `out` if it holds sheets that nobody has filled in.

    Raises:
        InputError: `out` may not be replaced, the systems answered other samples than each other
            or than `data` has, or fewer than `options.contexts`.
        DataError: a file is damaged.
        StorageError: the folder cannot be written.
    """
    _check_out(out, force=force)
    systems = {name: read_predictions(path) for name, path in predictions.items()}
    ids = common_ids(systems)
    if len(ids) < options.contexts:
        raise InputError(
            f"{options.contexts} contexts wanted, {len(ids)} samples were answered",
            hint="lower --contexts or evaluate more samples",
        )
    opened = PreparedData(data, Limits())
    samples = {sample.id: sample for sample in all_samples(opened.split("test"))}
    unknown = [i for i in ids if i not in samples]
    if unknown:
        raise InputError(
            f"{len(unknown)} of {len(ids)} samples, {unknown[0][:40]!r} the first, are not in the "
            f"test split of {data}",
            hint="give the prepared folder that the systems were evaluated on",
        )
    draw = Draw(
        seed=options.seed,
        raters=options.raters,
        data=opened.sha256["test.jsonl"],
        predictions={name: replies.sha256 for name, replies in systems.items()},
        replies=_drawn_replies(ids, list(systems), options),
    )
    rows = {
        row: _cells(
            row, samples[r.sample], systems[r.system].by_sample[r.sample], opened.featurizer
        )
        for row, r in zip(draw.row_ids(), draw.replies, strict=True)
    }
    sheets = {
        name: csv_bytes(COLUMNS, (rows[row] for row in _rater_order(draw, name)))
        for name in sheet_names(options.raters)
    }
    instructions = instructions_text(opened.licence)
    write_folder(
        out,
        {
            **sheets,
            INSTRUCTIONS_NAME: instructions.encode("utf-8"),
            KEY_NAME: make_key(draw, sheets).to_json(),
        },
    )
    return {
        "contexts": options.contexts,
        "systems": list(systems),
        "rows": len(rows),
        "sheets": list(sheets),
        "seed": options.seed,
    }


def _check_out(out: Path, *, force: bool) -> None:
    """Refuse a folder that may not be replaced.

    Raises:
        InputError: it exists and `force` is not set, or it is no folder of sheets, or a sheet in
            it may hold somebody's ratings, which no command can make again.
    """
    if not restored(out):
        return
    if not force:
        raise InputError(f"{out} exists", hint="choose another folder or pass --force")
    changed = changed_sheets(out, read_key(out))
    if changed:
        raise InputError(
            f"{len(changed)} sheets in {out} were changed since they were written, {changed[0]} "
            f"the first",
            hint="they may hold ratings: move them away, then choose another folder",
        )


def _drawn_replies(
    ids: Sequence[str], systems: Sequence[str], options: SheetOptions
) -> tuple[Reply, ...]:
    """Return one reply per drawn context and system, the systems shuffled in each context."""
    draw = random.Random(options.seed)
    return tuple(
        Reply(sample, system)
        for sample in draw.sample(ids, options.contexts)
        for system in draw.sample(systems, len(systems))
    )


def _rater_order(draw: Draw, sheet: str) -> list[str]:
    """Return the row ids in one rater's order: contexts as drawn, replies shuffled in each."""
    shuffle = random.Random(f"{draw.seed} {sheet}")
    ids, size = draw.row_ids(), len(draw.predictions)
    groups = [ids[start : start + size] for start in range(0, len(ids), size)]
    return [row for group in groups for row in shuffle.sample(group, size)]


def _cells(row: str, sample: Sample, hypothesis: str, featurizer: Featurizer) -> list[str]:
    """Return one row in the order of `COLUMNS`; the reply reads as users would see it."""
    context, emotions = [], []
    turns = zip(sample.dialogue.texts, sample.dialogue.turns, strict=True)
    for m, (text, features) in enumerate(turns):
        if m == sample.response:
            break
        speaker = "AB"[m % 2]
        words = [word.lower() for word in featurizer.tokenizer.words(text)]
        emotional = emotional_words(words, featurizer.lexicon)
        label = Emotion(features.label).name.lower()
        context.append(f"{speaker}: {text}")
        emotions.append(f"{speaker}: {label}" + (f" ({', '.join(emotional)})" if emotional else ""))
    reply = detokenise(hypothesis.split())
    return [row, "\n".join(context), "\n".join(emotions), reply, *("" for _ in CRITERIA)]
