"""The steps of a reproduction: what each reads and writes, and how it is done.

All systems of a seed read the same recogniser, and EmpD to EmpGAN start from the same EmpG.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
from msgspec.structs import replace

from empgan_rt.errors import CheckpointError
from empgan_rt.storage.replacing import restored

from ..checkpoint import Checkpoint
from ..config import TrainConfig
from ..data.prepare import prepare as prepare_corpus
from ..data.protocol import PrepareOptions
from ..data.shortened import write_shortened
from ..progress import OnProgress
from ..run.trainer import Trainer
from ..systems import SYSTEMS, SystemName
from ..tables.results import COSTS_NAME
from .ledger import Step, file_sha256
from .options import CLASSIFIER_SEED, SHARED, most_dialogues, starts_from_shared, without_places
from .stored import STORED_NAMES, TrainedSystem
from .stored import store as store_system


class Steps:
    """Makes the steps of one folder.

    Args:
        corpus: as for `data prepare`, or a prepared folder.
        out: of the reproduction.
        recipe: for every system, within the budget.
        shortened: whether a budget cuts the data.
        licence: of a corpus that is not known to us.
        on_progress: is told of what goes on within a step.

    Attributes:
        data: the prepared folder that systems are trained and scored on.
        results: the folder of stored replies.
    """

    def __init__(
        self,
        corpus: Path,
        out: Path,
        recipe: TrainConfig,
        *,
        shortened: bool,
        licence: str = "",
        on_progress: OnProgress,
    ) -> None:
        self._corpus, self._out, self._recipe = corpus, out, recipe
        self._licence, self._on_progress = licence, on_progress
        self._whole = corpus if (corpus / "report.json").is_file() else out / "prepared"
        self.data = out / "shortened" if shortened else self._whole
        self.results = out / "results"

    def prepare(self) -> Step:
        """Return the step that prepares the corpus; of a prepared folder it only sees changes."""
        files = sorted(path for path in self._corpus.rglob("*") if path.is_file())
        inputs = {path.relative_to(self._corpus).as_posix(): file_sha256(path) for path in files}
        if self._corpus.is_file():
            inputs = {self._corpus.name: file_sha256(self._corpus)}
        if self._licence:
            inputs["licence"] = self._licence

        def run(_: bool) -> None:
            if self._whole != self._corpus:
                options = PrepareOptions(licence=self._licence)
                prepare_corpus(self._corpus, self._whole, options, force=restored(self._whole))

        outputs = [self._whole / "report.json"] if self._whole != self._corpus else []
        return Step("prepare", inputs, outputs, run, file_sha256)

    def shorten(self, budget: int) -> Step:
        """Return the step that takes as many dialogues as a budget needs."""
        most = most_dialogues(self._recipe, budget)
        inputs = {"data": file_sha256(self._whole / "report.json"), "dialogues": most}
        return Step(
            "shorten",
            inputs,
            [self.data / "report.json"],
            lambda anew: write_shortened(self._whole, self.data, most),
            file_sha256,
        )

    def _run_folder(self, name: str, seed: int) -> Path:
        return self._out / "runs" / f"seed-{seed}" / name

    def train(self, name: SystemName | str, seed: int) -> Step:
        """Return the step that trains a system, or the "recogniser" or "classifier" alone."""
        folder = self._run_folder(name, seed)
        alone = name not in SYSTEMS  # a recogniser by itself
        best = folder / ("recogniser.safetensors" if alone else "best.safetensors")
        config = self._config(name, seed, folder)
        sources = [path for path in (config.recogniser_from, config.generator_from) if path]
        inputs = {
            "recipe": msgspec.to_builtins(without_places(config)),
            "data": file_sha256(self.data / "report.json"),
            "sources": [weights_sha256(Path(path)) for path in sources],
        }

        def run(anew: bool) -> None:
            if anew:
                shutil.rmtree(folder, ignore_errors=True)
            resume = (folder / "last.safetensors").is_file()
            trainer = Trainer(config, resume=resume, on_progress=self._on_progress)
            trainer.run(until="recogniser" if alone else None)

        return Step(f"train/seed-{seed}/{name}", inputs, [best], run, _digest)

    def _config(self, name: SystemName | str, seed: int, folder: Path) -> TrainConfig:
        config = replace(
            self._recipe,
            data=str(self.data),
            out=str(folder),
            seed=seed,
            recogniser_from="",
            generator_from="",
        )
        if name == "classifier":
            return replace(config, system=SHARED, seed=seed + CLASSIFIER_SEED)
        if name == "recogniser":
            return replace(config, system=SHARED)
        system = next(s for s in SYSTEMS if s == name)
        if starts_from_shared(system):
            source = self._run_folder(SHARED, seed) / "best.safetensors"
            return replace(config, system=system, generator_from=str(source))
        source = self._run_folder("recogniser", seed) / "recogniser.safetensors"
        return replace(config, system=system, recogniser_from=str(source))

    def store(self, system: SystemName, seed: int) -> Step:
        """Return the step that stores a trained system's replies and facts."""
        folder = self._run_folder(system, seed)
        classifier = self._run_folder("classifier", seed) / "recogniser.safetensors"
        out = self.results / f"seed-{seed}" / system
        trained = TrainedSystem(self._config(system, seed, folder), folder, classifier)
        inputs = {"checkpoints": [weights_sha256(path) for path in (trained.best, classifier)]}
        return Step(
            f"store/seed-{seed}/{system}",
            inputs,
            [out / name for name in (*STORED_NAMES, COSTS_NAME)],
            lambda anew: store_system(trained, self.data, out, self._on_progress),
            file_sha256,
        )


def _digest(path: Path) -> str:
    """Return the hash of a checkpoint that a step wrote; of one that is damaged, no hash."""
    try:
        return weights_sha256(path)
    except CheckpointError as error:
        return error.message


def weights_sha256(path: Path) -> str:
    """Return the hash of a checkpoint's weights, whatever else it says, such as seconds."""
    return Checkpoint.load(path).weights_sha256()
