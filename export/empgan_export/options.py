"""What an export may be told; importing this needs no package of the extra."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from empgan_rt.config import Limits, SearchConfig

PrecisionName = Literal["fp32", "int8", "fp16"]
PRECISION_NAMES: tuple[PrecisionName, ...] = get_args(PrecisionName)


@dataclass(frozen=True)
class ExportOptions:
    """The settings of an export.

    Attributes:
        weights: how they are stored; "fp16" halves the file, whatever the graphs compute in.
        contexts: a JSONL of dialogues for the token check; None takes our own dialogues.
        num_contexts: how many of them are decoded, greedy and with beam 5.
        precisions: variants beside fp32, which is always there to measure them by.
        atol: largest deviation of fp32's probabilities and log-probabilities from eager PyTorch.
        search: written as the bundle's defaults.
        limits: written as the bundle's limits.
        model_card: a Markdown file that replaces the generated card.
        force: replace a bundle that is there.
        dry_run: check everything and publish nothing.
    """

    weights: Literal["fp16", "fp32"] = "fp16"
    contexts: Path | None = None
    num_contexts: int = 200
    precisions: tuple[PrecisionName, ...] = ("int8",)
    atol: float = 1e-4
    search: SearchConfig = field(default_factory=SearchConfig)
    limits: Limits = field(default_factory=Limits)
    model_card: Path | None = None
    force: bool = False
    dry_run: bool = False
