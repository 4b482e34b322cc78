"""A prepared folder with few of another's dialogues, so that a run over it ends in minutes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits

from ..stored_json import json_file, json_lines
from .folder import write_folder
from .prepared import PreparedData

_KEPT = ("format", "options", "vocabulary", "emotion_vocabulary", "licence")  # of the report


def write_shortened(folder: Path, out: Path, most: Mapping[str, int]) -> None:
    """Write a prepared folder with the vocabularies of another, and fewer of its dialogues.

    They are spread evenly over each split; of test, over the dialogues that the tables draw from.
    The report says how many there are, as `shortened`.

    Args:
        folder: the whole one.
        out: the new one; an older one there is replaced.
        most: dialogues of each split, at most.

    Raises:
        InputError: `folder` is no prepared folder.
        DataError: one of its files was altered.
        StorageError: `out` cannot be written.
    """
    whole = PreparedData(folder, Limits())
    samples = [row for _, row in whole.rows("test_samples.jsonl", dict[str, Any])]
    drawn = {sample["dialogue"] for sample in samples}
    kept = {}
    for split, count in most.items():
        rows = [row for _, row in whole.rows(f"{split}.jsonl", dict[str, Any])]
        if split == "test":
            rows = [row for row in rows if row["id"] in drawn]
        number = min(count, len(rows))
        kept[split] = [rows[place * len(rows) // number] for place in range(number)]
    here = {row["id"] for row in kept["test"]}
    samples = [sample for sample in samples if sample["dialogue"] in here]
    files = {f"{split}.jsonl": json_lines(rows) for split, rows in kept.items()}
    files["test_samples.jsonl"] = json_lines(samples)
    files |= {name: whole.read(name) for name in whole.sha256 if name not in files}
    report = {key: whole.report[key] for key in _KEPT} | {
        "shortened": {split: len(rows) for split, rows in kept.items()},
        "table_samples": len(samples),
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
    }
    files["report.json"] = json_file(report)
    write_folder(out, files)
