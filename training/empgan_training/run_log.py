"""What a run tells while it goes on: metrics.jsonl, TensorBoard, and the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from torch.utils.tensorboard import SummaryWriter

from empgan_rt.storage import replace_file

log = logging.getLogger(__name__)


class RunLog:
    """Writes the records of one run into its folder.

    Args:
        folder: of the run; it exists.
    """

    def __init__(self, folder: Path) -> None:
        self._metrics = folder / "metrics.jsonl"
        self._writer = SummaryWriter(str(folder / "tensorboard"))

    def write(self, stage: str, record: Mapping[str, Any]) -> None:
        """Append one flat record, which has "split" and "step", of a stage."""
        with self._metrics.open("ab") as file:
            file.write(msgspec.json.encode({"stage": stage, **record}) + b"\n")
        for key, value in record.items():
            if isinstance(value, float):
                self._writer.add_scalar(f"{stage}/{record['split']}/{key}", value, record["step"])
        if record["split"] == "validation":
            log.info("%s %s", stage, {k: v for k, v in record.items() if k != "split"})

    def close(self) -> None:
        """Flush TensorBoard's events."""
        self._writer.close()


def truncate_metrics(folder: Path, reached: Mapping[str, tuple[int, int]]) -> None:
    """Drop records from after a checkpoint, so that metrics.jsonl reads as one run.

    Args:
        folder: of the run.
        reached: of the checkpoint in each stage: its step, and the latest validation that it knows
            of, by epoch or generator step.
    """
    path = folder / "metrics.jsonl"
    if not path.exists():
        return
    kept = []
    for line in path.read_bytes().splitlines():
        try:
            record = json.loads(line)
        except ValueError:  # a crash cut the last line short
            continue
        step, validated = reached[record["stage"]]
        known = record["split"] != "validation" or _number(record) <= validated
        if record["step"] <= step and known:
            kept.append(line + b"\n")
    replace_file(path, b"".join(kept))


def _number(validation: Mapping[str, Any]) -> int:
    number: int = validation.get("epoch", validation.get("generator_step", 0))
    return number
