"""Adversarial training: critics and generator in turns, resumable to the bit.

First the critics alone, then rounds of some critic steps and one generator step. A generator step
follows Psi_g of Eq. 9 plus the weighted adversarial term; keeping Psi_g in is the "teacher forcing"
of Li et al. (2017a). The best model is the one with the highest Distinct-2 on validation replies
among those whose validation perplexity has not drifted; drift ends the stage.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta
from torch import Tensor

from empgan_rt.errors import DivergenceError, InputError

from ..algorithms.adversary import Adversary
from ..config import AdversarialConfig
from ..data.ahead import batches_of
from ..data.batch import Batch
from ..data.prepared import PreparedDialogue
from ..model.generator import Generator
from ..stored_json import Whole
from .adversarial_sides import AdversarialSides
from .run_stage import Record, RunStage, RunState, Saving, StageData

_LOG_EVERY = 10  # generator steps, and critic steps before the first of them


@dataclass
class AdversarialState(RunState):
    """The state of the stage; `best` is the highest Distinct-2 of a validation without drift.

    Attributes:
        critic_step, generator_step: optimiser steps of one kind.
        start: validation perplexity before the first generator step.
        validated: generator step of the latest validation.
        critic: what the latest critic step logged.
    """

    critic_step: Whole = 0
    generator_step: Whole = 0
    start: Annotated[float, Meta(gt=0)] | None = None
    validated: Annotated[int, Meta(ge=-1, le=2**63 - 1)] = -1
    critic: dict[str, float] = field(default_factory=dict)


class AdversarialStage(RunStage):
    """Trains a generator against an adversary, for `config.steps` generator steps or until drift.

    It learns from the responses that a feedback follows.

    Args:
        validate: returns "perplexity", "distinct_2" and whatever else is to be logged.

    Raises:
        InputError: no response of the dialogues has a feedback.
    """

    state: AdversarialState

    def __init__(
        self,
        generator: Generator,
        adversary: Adversary,
        config: AdversarialConfig,
        data: StageData,
        validate: Callable[[], Record],
    ) -> None:
        answered = [found for d in data.dialogues if (found := d.answered()) is not None]
        if not answered:
            raise InputError(
                "no training response has a feedback, which critics are shown",
                hint="train a system without critics, or add a source that has some",
            )
        data = replace(data, dialogues=answered)
        super().__init__("adversarial", data, config.batch_samples, config.precision)
        self.sides = AdversarialSides(generator, adversary, config, data.workers)
        self.config, self.validate = config, validate
        self._grouped: dict[int, list[list[PreparedDialogue]]] = {}  # by epoch
        self.state = AdversarialState()

    def _train(self, on_log: Callable[[Record], None], saving: Saving) -> None:
        """Train as `run` says, with a record every ten steps.

        They are generator steps, and critic steps before the first of them.
        """
        state = self.state
        with (
            self.data.on_progress(self.name, self.config.steps) as reporter,
            batches_of(self._upcoming(), self._collated, self.device) as batches,
        ):
            reporter.update(state.generator_step)
            while True:
                if self._validation_is_due():
                    saving.save(is_best=self._validate(on_log))
                if state.finished:
                    return
                samples, record = self._timed(batches, self._advance)
                if record is not None:
                    facts: Record = {"step": state.step, "generator_step": state.generator_step}
                    facts |= {"samples": samples}
                    facts |= {"samples_per_second": self.speed.lap("train")}
                    on_log({"split": "train", **facts, **record})
                fast = f"{self.speed.mean or 0.0:,.0f} samples/s"
                reporter.update(state.generator_step, f"critic step {state.critic_step}, {fast}")
                if saving.stops():
                    return

    def _advance(self, batch: Batch) -> Record | None:
        """Take one step of the side that is due and return its record where one is due."""
        state, config = self.state, self.config
        critic_steps = config.critic_pretrain + (state.generator_step + 1) * config.critic_steps
        if state.critic_step < critic_steps:
            state.critic = record = self.sides.critic_step(batch)
            state.critic_step += 1
            wanted = state.generator_step == 0 and state.critic_step % _LOG_EVERY == 0
        else:
            record = state.critic | self.sides.generator_step(batch)
            state.generator_step += 1
            wanted = state.generator_step % _LOG_EVERY == 0
        state.step += 1
        state.batch += 1
        if state.batch == len(self._groups(state.epoch)):
            state.epoch, state.batch = state.epoch + 1, 0
        return record if wanted else None

    def _upcoming(self) -> Iterator[list[PreparedDialogue]]:
        """Yield the dialogues of each step from here on, without end."""
        epoch, batch = self.state.epoch, self.state.batch
        while True:
            yield from self._groups(epoch)[batch:]
            epoch, batch = epoch + 1, 0

    def _groups(self, epoch: int) -> list[list[PreparedDialogue]]:
        """Return the steps of an epoch, that of the state or a later one."""
        if epoch not in self._grouped:
            kept = {e: groups for e, groups in self._grouped.items() if e >= self.state.epoch}
            kept[epoch] = self._order(epoch)
            self._grouped = kept
        return self._grouped[epoch]

    def _validation_is_due(self) -> bool:
        state, config = self.state, self.config
        last = state.generator_step == config.steps
        due = state.generator_step % config.validate_every == 0 or last
        return due and state.validated != state.generator_step

    def _validate(self, on_log: Callable[[Record], None]) -> bool:
        """Validate, decide whether to go on and tell whether the model is the best yet."""
        state, config = self.state, self.config
        scores = self.validate()
        perplexity, distinct = scores["perplexity"], scores["distinct_2"]
        first = state.start is None
        start = perplexity if state.start is None else state.start
        drift = perplexity / start - 1
        better = not first and drift <= config.max_drift and distinct > (state.best or -1.0)
        state.start, state.validated = start, state.generator_step
        if better:
            state.best = distinct
        drifted = drift > config.max_drift
        state.finished = drifted or state.generator_step >= config.steps
        facts = {"step": state.step, "generator_step": state.generator_step, "drift": drift}
        facts |= {"seconds": round(state.seconds, 1)}
        facts |= {"samples_per_second": self.speed.lap("validation")}
        on_log({"split": "validation", **facts, **scores})
        if state.finished and state.best is None:
            raise DivergenceError(
                f"{self.name}: perplexity rose from {start:.2f} to {perplexity:.2f} before any "
                f"model could be kept, at most {100 * config.max_drift:g} % wanted",
                hint="begin anew with a lower adversarial_weight or learning_rate, or a larger "
                "max_drift",
            )
        return better

    def tensors(self) -> dict[str, Tensor]:
        """Return the critics, the baseline, and the moments of both optimisers."""
        return self.sides.tensors()

    def restore(self, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Continue from a saved state and its tensors.

        Raises:
            ValueError, KeyError, RuntimeError: they are not of such a stage.
        """
        self.state = msgspec.convert(dict(state), AdversarialState)
        self.sides.restore(tensors)
