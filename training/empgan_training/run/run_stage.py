"""What a trainer asks of a stage, and what stages have in common: data, clock and saving."""

from __future__ import annotations

import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from torch import Tensor

from ..config import Precision
from ..data.batch import Batch, collate, grouped
from ..data.mixture import epoch_of
from ..data.prepared import PreparedDialogue
from ..progress import OnProgress, silent
from ..stored_json import Whole
from .parallel import Workers
from .precision import choose_tf32
from .run_log import Speed

Record = dict[str, Any]
Logged = TypeVar("Logged")


@dataclass(frozen=True)
class StageData:
    """The data that the stages of a run learn from, and who shares their steps.

    Attributes:
        dialogues: of the training split.
        seed: of their order.
        max_response: longer responses are cut to this many tokens.
        workers: who shares each step.
        on_progress: is told of the steps.
    """

    dialogues: list[PreparedDialogue]
    seed: int
    max_response: int
    workers: Workers
    on_progress: OnProgress = silent


@dataclass
class RunState:
    """The state of a stage; everything here is in the checkpoint.

    Attributes:
        epoch: passes over the training split that are done; batch: steps of the next one.
        step: optimiser steps.
        best: the best score of a validation yet.
        seconds: that steps took.
    """

    epoch: Whole = 0
    batch: Whole = 0
    step: Whole = 0
    best: float | None = None
    finished: bool = False
    seconds: float = 0.0

    @property
    def validated(self) -> int:
        """The latest validation that is part of this state, by epoch or generator step."""
        return self.epoch


class RunStage(ABC):
    """One stage of a run, which trains to its end or until it is told to stop.

    Args:
        name: in logs, checkpoints and file names.
        data: what is learnt from.
        batch_samples: responses per step, about.
        precision: that the recipe allows.

    Attributes:
        state: where it stands.
        speed: how fast this process has gone.
    """

    state: RunState

    def __init__(
        self, name: str, data: StageData, batch_samples: int, precision: Precision
    ) -> None:
        self.name, self.data = name, data
        self.workers, self.device = data.workers, data.workers.device()
        self.speed = Speed()
        self._batch_samples, self._precision = batch_samples, precision

    def run(
        self,
        on_log: Callable[[Record], None],
        on_save: Callable[[bool], None],
        should_stop: Callable[[], bool],
        save_every_s: float,
    ) -> None:
        """Train to the stage's end, or until `should_stop` says so.

        Args:
            on_log: receives a flat record after every validation, and every so many steps.
            on_save: saves a checkpoint; its argument tells whether the model is the best yet.
            save_every_s: seconds between checkpoints within an epoch.

        Raises:
            DivergenceError: a loss or gradient is not finite, no step was taken with it; or no
                model could be kept.
        """
        choose_tf32(self.device, self._precision)
        self._train(on_log, Saving(on_save, should_stop, save_every_s, self.workers))

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Return what resuming needs beyond the state and the generator's weights."""

    @abstractmethod
    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state and its tensors.

        Raises:
            ValueError, KeyError, RuntimeError: they are not of such a stage.
        """

    @abstractmethod
    def _train(self, on_log: Callable[[Record], None], saving: Saving) -> None:
        """Train as `run` says."""

    def _order(self, epoch: int) -> list[list[PreparedDialogue]]:
        """Return the dialogues of each step of an epoch."""
        shuffle = random.Random(f"{self.data.seed}/{self.name}/{epoch}")
        dialogues = epoch_of(self.data.dialogues, shuffle)
        return grouped(dialogues, self._batch_samples, shuffle, bucket=50)

    def _collated(self, group: list[PreparedDialogue]) -> Batch:
        return collate(group, self.data.max_response, self.workers.share())

    def _timed(
        self, batches: Iterator[Batch], step: Callable[[Batch], Logged]
    ) -> tuple[int, Logged]:
        """Take a step on the next batch; return its samples and what the step returns.

        The time of both is counted.
        """
        began = time.monotonic()
        batch = next(batches)
        record = step(batch)
        seconds = time.monotonic() - began
        self.state.seconds += seconds
        self.speed.add(batch.counts.samples, seconds)
        return batch.counts.samples, record


class Saving:
    """The rule by which a run is saved between two validations, and by which it stops."""

    def __init__(
        self,
        on_save: Callable[[bool], None],
        should_stop: Callable[[], bool],
        save_every_s: float,
        workers: Workers,
    ) -> None:
        self._on_save, self._should_stop = on_save, should_stop
        self._save_every_s, self._workers = save_every_s, workers
        self._saved_at = time.monotonic()

    def save(self, *, is_best: bool = False) -> None:
        """Save a checkpoint."""
        self._on_save(is_best)
        self._saved_at = time.monotonic()

    def stops(self) -> bool:
        """Return whether the run stops after this step; it is saved then, or where it is due."""
        if self._should_stop():
            self.save()
            return True
        due = time.monotonic() - self._saved_at > self._save_every_s
        if self._workers.any(due, self._workers.device()):
            self.save()
        return False
