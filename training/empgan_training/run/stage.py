"""One run of the optimiser, resumable to the bit: epochs, validation, early stop, checkpoints."""

from __future__ import annotations

import math
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
from ..data.batch import Batch
from ..stored_json import Whole
from .adam import adam, adam_tensors, restore_adam
from .precision import mixed_precision
from .run_stage import Record, RunStage, RunState, Saving, StageData


@dataclass(frozen=True)
class StageTask:
    """The task of a stage.

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
class StageState(RunState):
    """The state of a stage; `best` is of the score that is watched."""

    bad_epochs: Whole = 0
    learning_rate: float = 0.0


class Stage(RunStage):
    """Runs one task until its score stops improving or `max_epochs` passed."""

    state: StageState

    def __init__(self, task: StageTask, config: StageConfig, data: StageData) -> None:
        super().__init__(task.name, data, config.batch_samples, config.precision)
        self.task, self.config = task, config
        self.parameters = list(task.parameters)
        self.optimiser = adam(self.parameters, config.learning_rate, (0.9, 0.999))
        self.state = StageState(learning_rate=config.learning_rate)

    def _train(self, on_log: Callable[[Record], None], saving: Saving) -> None:
        """Train as `run` says, with a record every 50 steps."""
        while not self.state.finished:
            groups = self._order(self.state.epoch)
            title = f"{self.name} epoch {self.state.epoch + 1}"
            left = groups[self.state.batch :]
            with (
                self.data.on_progress(title, len(groups)) as reporter,
                batches_of(left, self._collated, self.device) as batches,
            ):
                reporter.update(self.state.batch)
                while self.state.batch < len(groups) and not self._spent():
                    samples, record = self._timed(batches, self._step)
                    self.state.batch += 1
                    reporter.update(self.state.batch, self._note(record))
                    if self.state.step % 50 == 0:
                        fast = {"samples_per_second": self.speed.lap("train")}
                        on_log({"split": "train", "samples": samples, **record, **fast})
                    if saving.stops():
                        return
            saving.save(is_best=self._end_epoch(on_log))

    def _note(self, record: Mapping[str, float]) -> str:
        return f"loss {record['total']:.3f}, {self.speed.mean or 0.0:,.0f} samples/s"

    def _spent(self) -> bool:
        return 0 < self.config.max_steps <= self.state.step

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

    def _end_epoch(self, on_log: Callable[[Record], None]) -> bool:
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
        """Return the moments of Adam."""
        return {f"adam.{name}": t for name, t in adam_tensors(self.optimiser).items()}

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state and its tensors.

        Raises:
            ValueError: they are not of such a stage.
        """
        self.state = msgspec.convert(dict(state), StageState)
        moments = {name.removeprefix("adam."): tensor for name, tensor in tensors.items()}
        restore_adam(self.optimiser, moments, self.state.learning_rate)
