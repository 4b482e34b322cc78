"""A results folder of made-up runs, as `reproduce` would leave it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits
from empgan_training.data.prepared import PreparedData
from support.small_data import write_jsonl


def table_references(prepared: Path) -> dict[str, str]:
    """Return the id of each table sample and its reference, tokens joined by spaces."""
    data = PreparedData(prepared, Limits())
    samples = data.table_samples(data.split("test"))
    words = data.featurizer.tokenizer.words
    return {s.id: " ".join(words(s.dialogue.texts[s.response])) for s in samples}


def write_run(
    results: Path,
    seed: int,
    system: str,
    replies: dict[str, str],
    facts: dict[str, Any] | None = None,
    kinds: Sequence[str] = ("greedy-recognised",),
) -> Path:
    """Write one run and return its folder.

    Args:
        replies: id -> hypothesis, the same for each of the kinds.
        facts: fields of facts.json beside the system and seed, and "seconds" for costs.json; None
            writes no such files.
    """
    folder = results / f"seed-{seed}" / system
    folder.mkdir(parents=True, exist_ok=True)
    for kind in kinds:
        write_predictions(folder / f"{kind}.jsonl", replies)
    if facts is not None:
        facts = dict(facts)
        (folder / "costs.json").write_text(json.dumps(facts.pop("seconds", {})), "utf-8")
        text = json.dumps({"system": system, "seed": seed, **facts})
        (folder / "facts.json").write_text(text, "utf-8")
    return folder


def write_predictions(path: Path, replies: dict[str, str]) -> Path:
    """Write replies as `evaluate --save-predictions` does."""
    return write_jsonl(path, [{"id": i, "hypothesis": text} for i, text in replies.items()])
