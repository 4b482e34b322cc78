"""What a run tells while it goes on: metrics.jsonl, TensorBoard, the log, and how fast it goes.

The clock decides nothing: `Speed` is for those who watch.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from torch.utils.tensorboard import SummaryWriter

from empgan_rt.storage.file_set import replace_file

from ..stored_json import decode_json

_NEVER = (-1, -1)  # a stage that the run does not have

log = logging.getLogger(__name__)


class _Record(msgspec.Struct, frozen=True):
    """The fields that are read of a record: how far the run was."""

    stage: str
    split: str
    step: int
    epoch: int | None = None
    generator_step: int | None = None

    @property
    def number(self) -> int:
        """Epoch or generator step of a validation."""
        return self.generator_step or 0 if self.epoch is None else self.epoch


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
            log.info("%s", _told(stage, record))

    def close(self) -> None:
        """Flush TensorBoard's events."""
        self._writer.close()


def _told(stage: str, record: Mapping[str, Any]) -> str:
    """Return a validation as a line for people."""
    scores = ", ".join(f"{k} {v:.4g}" for k, v in record.items() if isinstance(v, float))
    epoch = record.get("epoch")
    when = f"step {record['step']}" if epoch is None else f"epoch {epoch}, step {record['step']}"
    return f"{stage}, {when}: {scores}"


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
            record = decode_json(line, _Record)
        except ValueError:  # a crash cut the last line short
            continue
        step, validated = reached.get(record.stage, _NEVER)
        known = record.split != "validation" or record.number <= validated
        if record.step <= step and known:
            kept.append(line + b"\n")
    replace_file(path, b"".join(kept))


class Speed:
    """Samples (responses), and the seconds that the steps on them took, batches included."""

    def __init__(self) -> None:
        self._samples, self._seconds = 0, 0.0
        self._laps: dict[str, tuple[int, float]] = {}

    def add(self, samples: int, seconds: float) -> None:
        """Count one step."""
        self._samples += samples
        self._seconds += seconds

    @property
    def mean(self) -> float | None:
        """Samples per second of all steps; None before the first."""
        return _rate(self._samples, self._seconds)

    def lap(self, name: str) -> float | None:
        """Return samples per second since the last lap of this name; None without a step."""
        samples, seconds = self._laps.get(name, (0, 0.0))
        self._laps[name] = (self._samples, self._seconds)
        return _rate(self._samples - samples, self._seconds - seconds)


def _rate(samples: int, seconds: float) -> float | None:
    return round(samples / seconds, 1) if seconds > 0 else None
