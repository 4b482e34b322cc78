"""Trains one system: the emotion recogniser first, then, with it frozen, the generator.

A run's folder holds `recipe.json`, `metrics.jsonl`, TensorBoard events, `last.safetensors`
(everything that resuming needs), `recogniser.safetensors` (the recogniser that is best on
validation, with an untrained generator) and, once the generator has been validated,
`best.safetensors` (the best weights on validation).
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch

from empgan_rt.config import Limits
from empgan_rt.errors import InputError, StorageError
from empgan_rt.threads import allowed_cores

from .algorithms.mle import class_weights, generator_loss, recogniser_loss
from .checkpoint import Checkpoint, texts_of
from .config import TrainConfig
from .data.batch import Batch
from .data.prepared import PreparedData
from .interrupt import interrupt_flag
from .model.generator import Generator
from .resume import check_same_run, restore_training, run_facts, training_state
from .run_log import RunLog, truncate_metrics
from .stage import Losses, Stage, StageTask
from .systems import SYSTEMS
from .validation import recogniser_scores, teacher_forced


class Trainer:
    """One run of one recipe.

    Args:
        config: the recipe.
        resume: continue the run in `config.out`; without it that folder must not hold one.

    Raises:
        InputError: the run exists and `resume` is not set, or the other way round, or the
            recipe or data differ from those of the run.
        CheckpointError: the checkpoint to resume from cannot be read.
    """

    def __init__(self, config: TrainConfig, *, resume: bool = False) -> None:
        self.config = config
        self.out = Path(config.out)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        torch.set_num_threads(config.threads or allowed_cores())
        self.last, self.best = self.out / "last.safetensors", self.out / "best.safetensors"
        self.best_recogniser = self.out / "recogniser.safetensors"
        self._check_folder(resume)
        self.data = PreparedData(Path(config.data), Limits())
        self.train = self.data.split("train")
        self.validation = self.data.split("validation")
        torch.manual_seed(config.seed)
        self.generator = self._new_generator().to(self.device)
        self.stages = [self._recogniser_stage(), self._mle_stage()]
        self.scores: dict[str, Any] = {}  # of each stage's latest validation
        self.best_scores: dict[str, Any] = {}
        if resume:
            self._restore(Checkpoint.load(self.last))

    def run(self, max_steps: int | None = None) -> dict[str, Any]:
        """Train every stage to its end and return the best validation scores.

        For the main thread only: others cannot receive signals. Ctrl-C and SIGTERM wait for the
        step or validation under way.

        Args:
            max_steps: stop, resumable, after this many optimiser steps of the whole run.

        Raises:
            DivergenceError: a loss is not finite; `last.safetensors` is from before it.
            StorageError: the run's folder cannot be written; `last.safetensors` is intact.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is saved.
        """
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            recipe = msgspec.json.format(msgspec.json.encode(self.config), indent=2)
            (self.out / "recipe.json").write_bytes(recipe + b"\n")
            if not self.last.exists():  # so that there is a good checkpoint before the first step
                self._checkpoint(resumable=True).save(self.last)
            with (
                interrupt_flag() as interrupted,
                closing(RunLog(self.out)) as run_log,
            ):
                for stage in self.stages:
                    if interrupted or self._steps_left(max_steps) <= 0:
                        break
                    if not stage.state.finished:
                        self._run_stage(stage, run_log, interrupted, max_steps)
        except OSError as error:
            raise StorageError(f"{self.out} cannot be written: {error.strerror}") from error
        if interrupted:
            raise KeyboardInterrupt
        return self.best_scores

    def _run_stage(
        self, stage: Stage, run_log: RunLog, interrupted: list[int], max_steps: int | None
    ) -> None:
        name = stage.task.name

        def on_log(record: dict[str, Any]) -> None:
            run_log.write(name, record)
            if record["split"] == "validation":
                self.scores[name] = dict(record)

        def on_save(is_best: bool) -> None:
            if is_best:
                self.best_scores[name] = self.scores[name]
                best = self.best_recogniser if name == "recogniser" else self.best
                self._checkpoint(resumable=False).save(best)
            if name == "recogniser" and stage.state.finished:
                self._take_best_recogniser()
            self._checkpoint(resumable=True).save(self.last)

        def should_stop() -> bool:
            return bool(interrupted) or self._steps_left(max_steps) <= 0

        stage.run(on_log, on_save, should_stop, self.config.save_every_s)

    def _take_best_recogniser(self) -> None:
        """What is frozen is the best, not the last."""
        # older runs kept it in best.safetensors
        path = self.best_recogniser if self.best_recogniser.is_file() else self.best
        self.generator.load_state_dict(dict(Checkpoint.load(path).model))
        self.scores["recogniser"] = self.best_scores["recogniser"]

    def _steps_left(self, max_steps: int | None) -> int:
        done = sum(stage.state.step for stage in self.stages)
        return 1 if max_steps is None else max_steps - done

    def _check_folder(self, resume: bool) -> None:
        if resume and not self.last.is_file():
            raise InputError(f"no run to resume in {self.out}", hint="start without --resume")
        if not resume and self.last.exists():
            raise InputError(
                f"{self.out} holds a run", hint="pass --resume, or --set out=another/folder"
            )

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

    def _recogniser_stage(self) -> Stage:
        labels = torch.tensor([turn.label for d in self.train for turn in d.turns])
        weights = class_weights(labels).to(self.device)

        def losses(batch: Batch) -> Losses:
            return {"total": recogniser_loss(self.generator, batch, weights)}

        def validate() -> dict[str, float]:
            scores = recogniser_scores(self.generator, self.validation)
            return {"macro_f1": scores.macro_f1, "accuracy": scores.accuracy}

        task = StageTask(
            "recogniser", self.generator.recogniser, losses, validate, "macro_f1", True
        )
        return self._stage(task, self.config.recogniser)

    def _mle_stage(self) -> Stage:
        def losses(batch: Batch) -> Losses:
            return generator_loss(self.generator, batch).parts()

        def validate() -> dict[str, float]:
            scores = teacher_forced(self.generator, self.validation, self.config.max_response)
            found = asdict(scores).items()
            return {name: float(value) for name, value in found if value is not None}

        self.generator.recogniser.requires_grad_(False)
        task = StageTask("mle", self.generator, losses, validate, "perplexity", False)
        stage = self._stage(task, self.config.mle)
        self.generator.recogniser.requires_grad_(True)
        return stage

    def _stage(self, task: StageTask, config: Any) -> Stage:
        return Stage(
            task,
            config,
            self.train,
            seed=self.config.seed,
            max_response=self.config.max_response,
            device=self.device,
        )

    def _checkpoint(self, *, resumable: bool) -> Checkpoint:
        info = {**run_facts(self.config, self.data), "scores": self.scores}
        tensors: dict[str, torch.Tensor] = {}
        if resumable:
            state, tensors = training_state(self.stages, self.device)
            info |= {**state, "best_scores": self.best_scores}
        return Checkpoint(
            self.generator.config,
            dict(self.generator.state_dict()),
            texts_of(self.data.featurizer),
            info,
            tensors,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        check_same_run(checkpoint, self.config, self.data)
        restore_training(checkpoint, self.generator, self.stages, self.device)
        self.scores = dict(checkpoint.info["scores"])
        # older runs stored the best scores alone
        self.best_scores = dict(checkpoint.info.get("best_scores", self.scores))
        reached = {stage.task.name: stage.state.step for stage in self.stages}
        truncate_metrics(self.out, reached)
