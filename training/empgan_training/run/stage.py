"""One run of the optimiser, resumable to the bit: epochs, validation, early stop, checkpoints."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import torch
from torch import Tensor, nn

from empgan_rt.errors import DivergenceError

from ..algorithms.mle import Losses
from ..config import StageConfig
from ..data.ahead import batches_of
from ..data.batch import Batch, collate, grouped
from ..data.prepared import PreparedDialogue
from ..progress import OnProgress, silent
from ..stored_json import Whole
from .adam import adam, adam_tensors, restore_adam
from .parallel import Workers
from .precision import choose_tf32, mixed_precision
from .run_log import Speed


@dataclass(frozen=True)
class StageTask:
    """What a stage trains.

    Attributes:
        name: in logs and checkpoints.
        module: what is put into training mode.
        parameters: what is trained.
        losses: one batch to its losses.
        validate: scores of the validation split; `score` is among them.
        score: the score that is watched.
        larger_is_better: which way it improves.
    """

    name: str
    module: nn.Module
    parameters: Sequence[nn.Parameter]
    losses: Callable[[Batch], Losses]
    validate: Callable[[], dict[str, float]]
    score: str
    larger_is_better: bool


@dataclass
class StageState:
    """Where a stage stands; everything here is in the checkpoint."""

    epoch: Whole = 0
    batch: Whole = 0
    step: Whole = 0
    best: float | None = None
    bad_epochs: Whole = 0
    learning_rate: float = 0.0
    finished: bool = False
    seconds: float = 0.0

    @property
    def validated(self) -> int:
        """The latest epoch whose validation is part of this state."""
        return self.epoch


class Stage:
    """Runs one task to its end, calling back for logs and checkpoints."""

    def __init__(
        self,
        task: StageTask,
        config: StageConfig,
        dialogues: list[PreparedDialogue],
        *,
        seed: int,
        max_response: int,
        workers: Workers,
        on_progress: OnProgress = silent,
    ) -> None:
        self.task = task
        self.config = config
        self.dialogues = dialogues
        self.seed = seed
        self.max_response = max_response
        self.workers, self.device = workers, workers.device()
        self.on_progress = on_progress
        self.parameters = list(task.parameters)
        self.optimiser = adam(self.parameters, config.learning_rate, (0.9, 0.999))
        self.state = StageState(learning_rate=config.learning_rate)
        self.speed = Speed()

    @property
    def name(self) -> str:
        """Of the task, in logs and checkpoints."""
        return self.task.name

    def run(
        self,
        on_log: Callable[[dict[str, Any]], None],
        on_save: Callable[[bool], None],
        should_stop: Callable[[], bool],
        save_every_s: float,
    ) -> None:
        """Train until the score stops improving, `max_epochs` passed or `should_stop` says so.

        Args:
            on_log: receives a flat record after every epoch and every 50 steps.
            on_save: saves a checkpoint; its argument tells whether the score is the best yet.

        Raises:
            DivergenceError: a loss or gradient is not finite; no step was taken with it.
        """
        saved_at = time.monotonic()
        choose_tf32(self.device, self.config.precision)
        while not self.state.finished:
            groups = self._epoch_order()
            title = f"{self.name} epoch {self.state.epoch + 1}"
            left = groups[self.state.batch :]
            with (
                self.on_progress(title, len(groups)) as reporter,
                batches_of(left, self._collated, self.device) as batches,
            ):
                while self.state.batch < len(groups) and not self._spent():
                    began = time.monotonic()
                    batch = next(batches)
                    record = self._step(batch)
                    self.state.batch += 1
                    seconds = time.monotonic() - began
                    self.state.seconds += seconds
                    self.speed.add(batch.counts.samples, seconds)
                    reporter.update(self.state.batch, self._note(record))
                    if self.state.step % 50 == 0:
                        fast = {"samples_per_second": self.speed.lap("train")}
                        on_log(
                            {"split": "train", "samples": batch.counts.samples, **record, **fast}
                        )
                    if should_stop():
                        on_save(False)
                        return
                    due = time.monotonic() - saved_at > save_every_s
                    if self.workers.any(due, self.device):
                        on_save(False)
                        saved_at = time.monotonic()
            on_save(self._end_epoch(on_log))
            saved_at = time.monotonic()

    def _collated(self, group: list[PreparedDialogue]) -> Batch:
        return collate(group, self.max_response, self.workers.share())

    def _note(self, record: Mapping[str, float]) -> str:
        return f"loss {record['total']:.3f}, {self.speed.mean or 0.0:,.0f} samples/s"

    def _spent(self) -> bool:
        return 0 < self.config.max_steps <= self.state.step

    def _epoch_order(self) -> list[list[PreparedDialogue]]:
        shuffle = random.Random(f"{self.seed}/{self.name}/{self.state.epoch}")
        return grouped(self.dialogues, self.config.batch_samples, shuffle, bucket=50)

    def _step(self, batch: Batch) -> dict[str, float]:
        self.task.module.train()
        with mixed_precision(self.device, self.config.precision):
            losses = self.task.losses(batch)
        gradients = torch.autograd.grad(losses["total"], self.parameters, allow_unused=True)
        record = self.workers.summed(losses, batch.weight)
        record["gradient"] = self.workers.set_gradients(self.parameters, gradients, batch.weight)
        if not all(map(math.isfinite, record.values())):
            raise DivergenceError(
                f"{self.name}: {record} at step {self.state.step}",
                hint="the last checkpoint is good; start a new run with a lower learning rate",
            )
        nn.utils.clip_grad_norm_(self.parameters, self.config.clip_norm)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.state.step += 1
        return {**record, "step": self.state.step, "learning_rate": self.state.learning_rate}

    def _end_epoch(self, on_log: Callable[[dict[str, Any]], None]) -> bool:
        """Validate, decide what comes next and tell whether the score is the best yet."""
        state, config = self.state, self.config
        scores = self.task.validate()
        score = scores[self.task.score]
        gain = 0.0 if state.best is None else score - state.best
        better = state.best is None or (gain > 0 if self.task.larger_is_better else gain < 0)
        if better:
            state.best, state.bad_epochs = score, 0
        else:
            state.bad_epochs += 1
            state.learning_rate *= config.plateau_factor
            for group in self.optimiser.param_groups:
                group["lr"] = state.learning_rate
        state.epoch += 1
        state.batch = 0
        ended = state.epoch >= config.max_epochs or state.bad_epochs >= config.patience
        state.finished = ended or self._spent()
        on_log(
            {
                "split": "validation",
                "epoch": state.epoch,
                "step": state.step,
                "seconds": round(state.seconds, 1),
                "samples_per_second": self.speed.lap("validation"),
                "learning_rate": state.learning_rate,
                **scores,
            }
        )
        return better

    def tensors(self) -> dict[str, Tensor]:
        """Return what resuming needs beyond the state and the module's weights."""
        return {f"adam.{name}": t for name, t in adam_tensors(self.optimiser).items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state and its tensors.

        Raises:
            ValueError: they are not of such a stage.
        """
        self.state = msgspec.convert(dict(state), StageState)
        moments = {name.removeprefix("adam."): tensor for name, tensor in tensors.items()}
        restore_adam(self.optimiser, moments, self.state.learning_rate)
