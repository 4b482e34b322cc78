"""Trains one system: the emotion recogniser first, then, with it frozen, the generator.

A run's folder holds `recipe.json`, `metrics.jsonl`, TensorBoard events, `last.safetensors`
(everything that resuming needs) and `best.safetensors` (the best weights on validation).
"""

from __future__ import annotations

import json
import logging
import platform
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch.utils.tensorboard import SummaryWriter

from empgan_rt._version import __version__
from empgan_rt.config import GeneratorConfig, Limits
from empgan_rt.errors import CheckpointError, InputError
from empgan_rt.threads import allowed_cores

from .algorithms.mle import class_weights, generator_loss, recogniser_loss
from .checkpoint import Checkpoint, texts_of
from .config import TrainConfig
from .data.batch import Batch
from .data.prepared import PreparedData
from .model.generator import Generator
from .stage import Losses, Stage, StageState, StageTask
from .validation import recogniser_scores, teacher_forced

log = logging.getLogger(__name__)


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
        self._check_folder(resume)
        self.data = PreparedData(Path(config.data), Limits())
        self.train = self.data.split("train")
        self.validation = self.data.split("validation")
        torch.manual_seed(config.seed)
        self.generator = self._new_generator().to(self.device)
        self.stages = [self._recogniser_stage(), self._mle_stage()]
        self.scores: dict[str, Any] = {}
        if resume:
            self._restore(Checkpoint.load(self.last))

    def run(self, max_steps: int | None = None) -> dict[str, Any]:
        """Train every stage to its end and return the best validation scores.

        Args:
            max_steps: stop, resumable, after this many optimiser steps of the whole run.

        Raises:
            DivergenceError: a loss is not finite; `last.safetensors` is from before it.
            KeyboardInterrupt: after Ctrl-C or SIGTERM, once a checkpoint is saved.
        """
        self.out.mkdir(parents=True, exist_ok=True)
        (self.out / "recipe.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(self.config), indent=2) + b"\n"
        )
        writer = SummaryWriter(str(self.out / "tensorboard"))
        try:
            with _interrupt_flag() as interrupted:
                for stage in self.stages:
                    if interrupted or self._steps_left(max_steps) <= 0:
                        break
                    if not stage.state.finished:
                        self._run_stage(stage, writer, interrupted, max_steps)
        finally:
            writer.close()
        if interrupted:
            raise KeyboardInterrupt
        return self.scores

    def _run_stage(
        self, stage: Stage, writer: SummaryWriter, interrupted: list[int], max_steps: int | None
    ) -> None:
        name = stage.task.name

        def on_log(record: dict[str, Any]) -> None:
            with (self.out / "metrics.jsonl").open("ab") as file:
                file.write(msgspec.json.encode({"stage": name, **record}) + b"\n")
            for key, value in record.items():
                if isinstance(value, float):
                    writer.add_scalar(f"{name}/{record['split']}/{key}", value, record["step"])
            if record["split"] == "validation":
                log.info("%s %s", name, {k: v for k, v in record.items() if k != "split"})
                self.scores[f"{name}_now"] = record

        def on_save(is_best: bool) -> None:
            if is_best:
                self.scores[name] = self.scores[f"{name}_now"]
                self._checkpoint(resumable=False).save(self.best)
            if name == "recogniser" and stage.state.finished:
                # what is frozen is the best, not the last
                self.generator.load_state_dict(dict(Checkpoint.load(self.best).model))
            self._checkpoint(resumable=True).save(self.last)

        def should_stop() -> bool:
            return bool(interrupted) or self._steps_left(max_steps) <= 0

        stage.run(on_log, on_save, should_stop, self.config.save_every_s)

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
        config = GeneratorConfig(
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
            loss = generator_loss(self.generator, batch)
            return {
                "total": loss.total,
                "response": loss.response,
                "emotion_words": loss.emotion_words,
                "label": loss.label,
            }

        def validate() -> dict[str, float]:
            scores = asdict(
                teacher_forced(self.generator, self.validation, self.config.max_response)
            )
            return {name: float(value) for name, value in scores.items()}

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
        info = {
            "system": self.config.system,
            "recipe": msgspec.to_builtins(self.config),
            "scores": self.scores,
            "data": {
                "sha256": self.data.report["sha256"],
                "restricted_lexicons": sorted(self.data.featurizer.lexicon.restricted_sources),
            },
            "licence": self.data.report["licence"],
            "versions": {
                "empgan-rt": __version__,
                "torch": str(torch.__version__),
                "python": platform.python_version(),
            },
        }
        tensors = {}
        if resumable:
            info["stages"] = {stage.task.name: asdict(stage.state) for stage in self.stages}
            tensors["rng"] = torch.get_rng_state()
            if self.device.type == "cuda":
                tensors["cuda_rng"] = torch.cuda.get_rng_state()
            for stage in self.stages:
                for name, tensor in stage.optimiser_tensors().items():
                    tensors[f"{stage.task.name}/{name}"] = tensor
        return Checkpoint(
            self.generator.config,
            dict(self.generator.state_dict()),
            texts_of(self.data.featurizer),
            info,
            tensors,
        )

    def _restore(self, checkpoint: Checkpoint) -> None:
        info = checkpoint.info
        try:
            theirs, data = info["recipe"], info["data"]["sha256"]
            states = [StageState(**info["stages"][stage.task.name]) for stage in self.stages]
            scores, rng = dict(info["scores"]), checkpoint.trainer["rng"]
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"{self.last} holds no trainer state") from error
        ours = msgspec.to_builtins(self.config)
        # nothing that is learned depends on these
        free = ("out", "data", "threads", "save_every_s")
        changed = [k for k in ours if k not in free and ours[k] != theirs.get(k)]
        if changed or data != self.data.report["sha256"]:
            raise InputError(
                f"the run in {self.out} had another {', '.join(changed) or 'data folder'}",
                hint="resume with the same recipe and data, or start a new run",
            )
        self.generator.load_state_dict(dict(checkpoint.model))
        self.scores = scores
        for stage, state in zip(self.stages, states, strict=True):
            prefix = f"{stage.task.name}/"
            tensors = {
                key.removeprefix(prefix): t
                for key, t in checkpoint.trainer.items()
                if key.startswith(prefix)
            }
            stage.restore(state, tensors)
        torch.set_rng_state(rng)
        if self.device.type == "cuda" and "cuda_rng" in checkpoint.trainer:
            torch.cuda.set_rng_state(checkpoint.trainer["cuda_rng"])
        self._truncate_metrics()

    def _truncate_metrics(self) -> None:
        """Drop records from after the checkpoint, so that the file reads as one run."""
        path = self.out / "metrics.jsonl"
        if not path.exists():
            return
        reached = {stage.task.name: stage.state.step for stage in self.stages}
        kept = []
        for line in path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:  # a crash cut the last line short
                continue
            if record["step"] <= reached[record["stage"]]:
                kept.append(line + b"\n")
        staging = path.with_suffix(".writing")
        staging.write_bytes(b"".join(kept))
        staging.replace(path)


@contextmanager
def _interrupt_flag() -> Iterator[list[int]]:
    """Yield a list that receives the signal number on Ctrl-C or SIGTERM; a second one kills."""
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        signal.signal(number, signal.SIG_DFL)

    old = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
