"""`reproduce`: corpus, training of every system, stored replies, tables; each step once.

    OUT/settings.json                what was asked for; another OUT for anything else
    OUT/prepared/                    unless a prepared folder was given
    OUT/shortened/                   what is read of it, where there is a budget
    OUT/runs/seed-1/<System>/        runs of `Trainer`, `recogniser` and `classifier` among them
    OUT/results/seed-1/<System>/     replies, facts, recipe and log; nothing of the corpus, no paths
    OUT/results/tables.md, tables.json, hashes.json
    OUT/steps/                       markers of what is done

All systems of a seed read the same recogniser, and EmpD to EmpGAN start from the same EmpG.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from empgan_rt._version import __version__
from empgan_rt.errors import CheckpointError, DivergenceError, InputError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.replacing import restored

from ..checkpoint import Checkpoint
from ..config import TrainConfig
from ..data.prepare import prepare
from ..data.protocol import PrepareOptions
from ..data.shortened import write_shortened
from ..metrics.inputs import check_eval_packages
from ..progress import OnProgress, silent
from ..run.processor import use_processor
from ..run.trainer import Trainer
from ..stored_json import json_file
from ..systems import SYSTEMS, SystemName
from ..tables.make import Tables, make_tables
from ..tables.results import COSTS_NAME
from ..tables.written import write_tables
from .ledger import Ledger, Step, file_sha256
from .options import (
    CLASSIFIER_SEED,
    SHARED,
    ReproduceOptions,
    most_dialogues,
    starts_from_shared,
    within,
    without_places,
)
from .stored import STORED_NAMES, TrainedSystem, store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reproduced:
    """What a reproduction came to.

    Attributes:
        tables: of everything stored.
        path: the page that shows them.
        hashes: of the stored files that training decides, by their names.
    """

    tables: Tables
    path: Path
    hashes: Mapping[str, str]


def reproduce(
    corpus: Path, out: Path, options: ReproduceOptions, on_progress: OnProgress = silent
) -> Reproduced:
    """Bring `out` to where the tables of the wanted systems and seeds are in it.

    Args:
        corpus: as for `data prepare`, or a prepared folder.
        on_progress: is told of the steps, and of what goes on within one.

    Raises:
        DependencyError: a package that the tables need is missing.
        InputError: `out` was begun with another recipe or budget, or `corpus` is none.
        EmpganError: whatever a step raises; what was finished before stays.
    """
    return _Reproduction(corpus, out, options, on_progress).run()


class _Reproduction:
    def __init__(
        self, corpus: Path, out: Path, options: ReproduceOptions, on_progress: OnProgress
    ) -> None:
        self.corpus, self.out, self.options = corpus, out, options
        self.on_progress = on_progress
        self.recipe = within(options.recipe, options.budget)
        self.results = out / "results"
        self.ledger = Ledger(out)
        self.whole = corpus if (corpus / "report.json").is_file() else out / "prepared"
        self.data = self.whole if options.budget is None else out / "shortened"

    def run(self) -> Reproduced:
        check_eval_packages()  # the tables come last, hours from now
        self._check_settings()
        use_processor(self.recipe.threads)
        diverged: list[tuple[SystemName, DivergenceError]] = []
        per_seed = 2 + len(self._trained()) + len(self.options.systems)
        total = 2 + (self.options.budget is not None) + per_seed * len(self.options.seeds)
        done = 0
        with self.on_progress("reproduce", total) as reporter:

            def perform(step: Step) -> None:
                nonlocal done
                reporter.update(done, step.name)
                self.ledger.perform(step)
                done += 1

            perform(self._prepare_step())
            if self.options.budget is not None:
                perform(self._shorten_step(self.options.budget))
            for seed in self.options.seeds:
                diverged += self._perform_seed(seed, perform).items()
            reporter.update(done, "tables")
            made = self._write_tables() if any(self.results.glob("seed-*/*")) else None
            reporter.update(total)
        if diverged or made is None:
            names = ", ".join(system for system, _ in diverged)
            raise DivergenceError(
                f"{names} diverged, the tables are without them: {diverged[0][1].message}",
                hint=diverged[0][1].hint,
            )
        return made

    def _perform_seed(
        self, seed: int, perform: Callable[[Step], None]
    ) -> dict[SystemName, DivergenceError]:
        """Train every system and store its replies; return those that diverged, and why.

        What starts from a system that diverged is passed over.
        """
        perform(self._train_step("recogniser", seed))
        perform(self._train_step("classifier", seed))
        diverged: dict[SystemName, DivergenceError] = {}
        for system in self._trained():
            try:
                if SHARED in diverged and starts_from_shared(system):
                    raise DivergenceError(f"{SHARED}, which it starts from, diverged")
                perform(self._train_step(system, seed))
                if system in self.options.systems:
                    perform(self._store_step(system, seed))
            except DivergenceError as error:
                log.error("%s, seed %d: %s", system, seed, error)
                diverged[system] = error
        return diverged

    def _trained(self) -> list[SystemName]:
        """Return the systems to train, the shared one before those that start from it."""
        wanted = set(self.options.systems)
        if any(starts_from_shared(system) for system in wanted):
            wanted.add(SHARED)
        return [system for system in SYSTEMS if system in wanted]

    def _check_settings(self) -> None:
        """Refuse a folder that was begun otherwise; another system or seed may join."""
        own = without_places(replace(self.recipe, system=SHARED, seed=0))
        settings = {"empgan-rt": __version__, "recipe": msgspec.to_builtins(own)}
        path = self.out / "settings.json"
        data = json_file(settings)
        try:
            other = path.is_file() and path.read_bytes() != data
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from error
        if other:
            raise InputError(
                f"{self.out} was begun with another recipe, budget or version",
                hint="go on with the same ones, or choose another folder",
            )
        replace_file(path, data)

    def _prepare_step(self) -> Step:
        files = sorted(path for path in self.corpus.rglob("*") if path.is_file())
        inputs = {path.relative_to(self.corpus).as_posix(): file_sha256(path) for path in files}
        if self.corpus.is_file():
            inputs = {self.corpus.name: file_sha256(self.corpus)}

        def run(anew: bool) -> None:
            if self.whole != self.corpus:
                prepare(self.corpus, self.whole, PrepareOptions(), force=restored(self.whole))

        outputs = [self.whole / "report.json"] if self.whole != self.corpus else []
        return Step("prepare", inputs, outputs, run, file_sha256)

    def _shorten_step(self, budget: int) -> Step:
        most = most_dialogues(self.recipe, budget)
        inputs = {"data": file_sha256(self.whole / "report.json"), "dialogues": most}
        return Step(
            "shorten",
            inputs,
            [self.data / "report.json"],
            lambda anew: write_shortened(self.whole, self.data, most),
            file_sha256,
        )

    def _run_folder(self, name: str, seed: int) -> Path:
        return self.out / "runs" / f"seed-{seed}" / name

    def _train_step(self, name: SystemName | str, seed: int) -> Step:
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
            trainer = Trainer(config, resume=resume, on_progress=self.on_progress)
            trainer.run(until="recogniser" if alone else None)

        return Step(f"train/seed-{seed}/{name}", inputs, [best], run, _digest)

    def _config(self, name: SystemName | str, seed: int, folder: Path) -> TrainConfig:
        config = replace(
            self.recipe,
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

    def _store_step(self, system: SystemName, seed: int) -> Step:
        folder = self._run_folder(system, seed)
        classifier = self._run_folder("classifier", seed) / "recogniser.safetensors"
        out = self.results / f"seed-{seed}" / system
        trained = TrainedSystem(self._config(system, seed, folder), folder, classifier)
        inputs = {"checkpoints": [weights_sha256(path) for path in (trained.best, classifier)]}
        return Step(
            f"store/seed-{seed}/{system}",
            inputs,
            [out / name for name in (*STORED_NAMES, COSTS_NAME)],
            lambda anew: store(trained, self.data, out, self.on_progress),
            file_sha256,
        )

    def _write_tables(self) -> Reproduced:
        """Write the tables of everything stored, and the hashes of what training decided."""
        hashes = {
            path.relative_to(self.results).as_posix(): file_sha256(path)
            for seed in self.options.seeds
            for system in self.options.systems
            for path in (self.results / f"seed-{seed}" / system / name for name in STORED_NAMES)
            if path.is_file()
        }
        tables = make_tables(self.results, self.data)
        write_tables(tables, self.results, {"hashes.json": json_file(hashes)})
        return Reproduced(tables, self.results / "tables.md", hashes)


def _digest(path: Path) -> str:
    """Return the hash of a checkpoint that a step wrote; of one that is damaged, no hash."""
    try:
        return weights_sha256(path)
    except CheckpointError as error:
        return error.message


def weights_sha256(path: Path) -> str:
    """Return the hash of a checkpoint's weights, whatever else it says, such as seconds."""
    return Checkpoint.load(path).weights_sha256()
