"""Trains one system: its emotion recogniser, then, with that frozen, its generator, then, if it has
critics, the generator against them.

A run's folder holds `recipe.json`, `metrics.jsonl`, TensorBoard events, `last.safetensors`
(everything that resuming needs) and the weights of each stage that were best on validation: those
of the last stage in `best.safetensors`, of others in a file of the stage's name
(`recogniser.safetensors`, with an untrained generator, and `mle.safetensors` where critics follow).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import torch

from empgan_rt.config import Limits, check_seed
from empgan_rt.errors import InputError, StorageError
from empgan_rt.graph_spec import UNKNOWN_LABEL
from empgan_rt.storage.file_set import replace_file

from ..checkpoint import Checkpoint, texts_of
from ..config import TrainConfig
from ..data.prepared import PreparedData, PreparedDialogue
from ..model.generator import Generator
from ..progress import OnProgress, silent
from ..stored_json import json_file
from ..systems import SYSTEMS
from .interrupt import interrupt_flag
from .parallel import Workers
from .processor import use_processor
from .resume import check_same_run, restore_training, run_facts, training_state
from .run_folder import RunFolder
from .run_log import RunLog, truncate_metrics
from .run_stage import RunStage
from .stages import RunParts, make_stages
from .start import take_over

log = logging.getLogger(__name__)


class Trainer:
    """One run of one recipe.

    Args:
        config: the recipe.
        resume: continue the run in `config.out`; without it that folder must not hold one.
        on_progress: is told of each epoch and validation, by the first process alone.

    Raises:
        InputError: the run exists and `resume` is not set, or the other way round, or the
            recipe or data differ from those of the run, or a checkpoint to start from does not
            fit the recipe.
        CheckpointError: a checkpoint cannot be read.
    """

    def __init__(
        self, config: TrainConfig, *, resume: bool = False, on_progress: OnProgress = silent
    ) -> None:
        check_seed(config.seed)
        self.config = config
        self.out = Path(config.out)
        self.workers = Workers.of_environment()
        self.device = self.workers.device()
        use_processor(config.threads)
        self.folder = RunFolder(self.out, resume=resume, leads=self.workers.leads)
        self.last, self.best = self.folder.last, self.folder.best
        seen = on_progress if self.workers.leads else silent
        with seen("reading the data", 3) as reporter:
            reporter.update(0, config.data)
            self.data = PreparedData(Path(config.data), Limits())
            reporter.update(1, "train")
            train = self.data.split("train")
            reporter.update(2, "validation")
            validation = self.data.split("validation")
            reporter.update(3)
        torch.manual_seed(config.seed)
        self.generator = self._new_generator().to(self.device)
        self.stages = make_stages(
            RunParts(config, self.generator, self.data, train, validation, self.workers, seen)
        )
        self.facts = run_facts(config, self.data, self.workers)
        self.scores: dict[str, Any] = {}  # of each stage's latest validation
        self.best_scores: dict[str, Any] = {}
        self.sources: dict[str, str] = {}  # hashes of the weights that were taken over
        if resume:
            with self.folder.alone():
                self.folder.remember()
                self._restore(Checkpoint.load(self.last))
        else:
            self._start(train, validation)
        self.workers.wait()  # until all have looked for a run in the folder

    def run(self, max_steps: int | None = None, until: str | None = None) -> dict[str, Any]:
        """Train every stage to its end and return the best validation scores.

        For the main thread only: others cannot receive signals. Ctrl-C and SIGTERM wait for the
        step or validation under way.

        Args:
            max_steps: stop, resumable, after this many optimiser steps of the whole run.
            until: stop, resumable, after the stage of this name.

        Raises:
            InputError: another run is at work in the folder, or was since this one was made.
            DivergenceError: a loss is not finite; `last.safetensors` is from before it.
            StorageError: the run's folder cannot be written; `last.safetensors` is intact.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is saved.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with self.folder.alone():
                interrupted = self._run(max_steps, until)
                self.folder.remember()
        except OSError as error:
            raise StorageError(f"{self.out} cannot be written: {error.strerror}") from error
        if interrupted:
            raise KeyboardInterrupt
        return self.best_scores

    def _run(self, max_steps: int | None, until: str | None) -> bool:
        """Train in a folder that is this run's alone; return whether it was interrupted."""
        self.folder.check_unchanged()
        if self.workers.leads:
            replace_file(self.out / "recipe.json", json_file(self.config))
            precisions = self.facts["precision"].items()
            told = ", ".join(f"{name} in {precision}" for name, precision in precisions)
            log.info("on %s: %s", self.facts["device"], told)
        begun = self.workers.any(self.last.exists(), self.device)
        if not begun:  # so that there is a good checkpoint before the first step
            self._save(self.last, resumable=True)
        with (
            interrupt_flag() as interrupted,
            closing(RunLog(self.out)) if self.workers.leads else nullcontext() as run_log,
        ):
            for stage in self.stages:
                if interrupted or self._steps_left(max_steps) <= 0:
                    break
                if not stage.state.finished:
                    self._run_stage(stage, run_log, interrupted, max_steps)
                if stage.name == until:
                    break
        return bool(interrupted)

    def _run_stage(
        self, stage: RunStage, run_log: RunLog | None, interrupted: list[int], max_steps: int | None
    ) -> None:
        name = stage.name

        def on_log(record: dict[str, Any]) -> None:
            if run_log is not None:
                run_log.write(name, record)
            if record["split"] == "validation":
                self.scores[name] = dict(record)

        def on_save(is_best: bool) -> None:
            if is_best:
                self.best_scores[name] = self.scores[name]
                self._save(self._best_of(stage), resumable=False)
            if stage.state.finished and stage is not self.stages[-1]:
                self._take_best(stage)
            self._save(self.last, resumable=True)

        def should_stop() -> bool:
            stop = bool(interrupted) or self._steps_left(max_steps) <= 0
            return self.workers.any(stop, self.device)

        stage.run(on_log, on_save, should_stop, self.config.save_every_s)

    def _best_of(self, stage: RunStage) -> Path:
        return self.best if stage is self.stages[-1] else self.out / f"{stage.name}.safetensors"

    def _take_best(self, stage: RunStage) -> None:
        """What the next stage builds on is the best of this one, not the last."""
        Checkpoint.load(self._best_of(stage)).load_into(self.generator)
        self.scores[stage.name] = self.best_scores[stage.name]

    def _steps_left(self, max_steps: int | None) -> int:
        done = sum(stage.state.step for stage in self.stages)
        return 1 if max_steps is None else max_steps - done

    def _new_generator(self) -> Generator:
        sizes = msgspec.structs.asdict(self.config.model)
        dropout = sizes.pop("dropout")
        featurizer = self.data.featurizer
        config = SYSTEMS[self.config.system].generator_config(
            vocabulary_size=len(featurizer.tokenizer.vocabulary),
            emotion_vocabulary_size=len(featurizer.lexicon.vocabulary),
            **sizes,
        )
        return Generator(config, dropout)

    def _start(
        self, train: Sequence[PreparedDialogue], validation: Sequence[PreparedDialogue]
    ) -> None:
        """Take over what the recipe takes from other runs; the stages that made it are done."""
        taken = take_over(self.config, self.generator, texts_of(self.data.featurizer))
        self.sources = taken.sources
        self.scores |= taken.scores
        self.best_scores |= taken.scores
        for stage in self.stages:
            stage.state.finished = stage.name in taken.scores
        if not self.stages[0].state.finished:
            _check_labels(train, validation)
        if self.workers.size > 1:  # the weights are the same everywhere, what is drawn next is not
            torch.manual_seed(self.config.seed + 1 + self.workers.rank)

    def _save(self, path: Path, *, resumable: bool) -> None:
        """Write a checkpoint, once, and return when it is there."""
        checkpoint = self._checkpoint(resumable=resumable)
        if self.workers.leads:
            checkpoint.save(path)
        self.workers.wait()

    def _checkpoint(self, *, resumable: bool) -> Checkpoint:
        info = {**self.facts, "scores": self.scores, "sources": self.sources}
        tensors: dict[str, torch.Tensor] = {}
        if resumable:
            state, tensors = training_state(self.stages, self.workers)
            info |= {**state, "best_scores": self.best_scores}
        return Checkpoint(
            self.generator.config,
            dict(self.generator.state_dict()),
            texts_of(self.data.featurizer),
            info,
            tensors,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        past = check_same_run(checkpoint, self.config, self.data, self.workers)
        restore_training(checkpoint, past, self.generator, self.stages, self.workers)
        self.scores, self.best_scores = past.scores, past.best_scores
        self.sources = past.sources
        reached = {stage.name: (stage.state.step, stage.state.validated) for stage in self.stages}
        if self.workers.leads:
            truncate_metrics(self.out, reached)
            log.info("resuming at step %d", sum(step for step, _ in reached.values()))


def _check_labels(*splits: Sequence[PreparedDialogue]) -> None:
    """Refuse data that a recogniser cannot learn from.

    Raises:
        InputError: no turn that a context holds has a label, in train or in validation.
    """
    for dialogues in splits:
        if all(turn.label == UNKNOWN_LABEL for d in dialogues for turn in d.context):
            raise InputError(
                "no turn of the data has an emotion label, which the recogniser is trained on",
                hint="take one with --set recogniser_from=CHECKPOINT, or add a source with labels",
            )
