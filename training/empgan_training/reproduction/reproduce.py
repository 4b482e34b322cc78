"""`reproduce`: corpus, training of every system, stored replies, tables; each step once.

OUT/settings.json                what was asked for; another OUT for anything else
OUT/prepared/                    unless a prepared folder was given
OUT/shortened/                   what is read of it, where there is a budget
OUT/runs/seed-1/<System>/        runs of `Trainer`, `recogniser` and `classifier` among them
OUT/results/seed-1/<System>/     replies, facts, recipe and log; nothing of the corpus, no paths
OUT/results/tables.md, tables.json, hashes.json
OUT/steps/                       markers of what is done
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
from empgan_rt.errors import DivergenceError, EmpganError, InputError
from empgan_rt.storage.file_set import replace_file
from empgan_rt.storage.folders import is_there

from ..metrics.inputs import check_eval_packages
from ..progress import OnProgress, silent
from ..run.processor import use_processor
from ..stored_json import json_file
from ..systems import SYSTEMS, SystemName
from ..tables.make import Tables, make_tables
from ..tables.written import write_tables
from .ledger import Ledger, Step, file_sha256
from .options import (
    SHARED,
    ReproduceOptions,
    starts_from_shared,
    within,
    without_places,
)
from .steps import Steps
from .stored import STORED_NAMES

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
        self.out, self.options = out, options
        self.on_progress = on_progress
        self.recipe = within(options.recipe, options.budget)
        self.steps = Steps(
            corpus,
            out,
            self.recipe,
            shortened=options.budget is not None,
            licence=options.licence,
            on_progress=on_progress,
        )
        self.ledger = Ledger(out)

    def run(self) -> Reproduced:
        check_eval_packages()  # the tables come last, hours from now
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

            self._begin(perform)
            for seed in self.options.seeds:
                diverged += self._perform_seed(seed, perform).items()
            reporter.update(done, "tables")
            made = self._write_tables() if any(self.steps.results.glob("seed-*/*")) else None
            reporter.update(total)
        if diverged or made is None:
            names = ", ".join(system for system, _ in diverged)
            raise DivergenceError(
                f"{names} diverged, the tables are without them: {diverged[0][1].message}",
                hint=diverged[0][1].hint,
            )
        return made

    def _begin(self, perform: Callable[[Step], None]) -> None:
        """Make the data ready; where that fails at first, no folder stays that was not there."""
        fresh = not is_there(self.out)
        try:
            self._check_settings()
            perform(self.steps.prepare())
            if self.options.budget is not None:
                perform(self.steps.shorten(self.options.budget))
        except EmpganError:
            if fresh:
                shutil.rmtree(self.out, ignore_errors=True)
            raise

    def _perform_seed(
        self, seed: int, perform: Callable[[Step], None]
    ) -> dict[SystemName, DivergenceError]:
        """Train every system and store its replies; return those that diverged, and why.

        What starts from a system that diverged is passed over.
        """
        perform(self.steps.train("recogniser", seed))
        perform(self.steps.train("classifier", seed))
        diverged: dict[SystemName, DivergenceError] = {}
        for system in self._trained():
            try:
                if SHARED in diverged and starts_from_shared(system):
                    raise DivergenceError(f"{SHARED}, which it starts from, diverged")
                perform(self.steps.train(system, seed))
                if system in self.options.systems:
                    perform(self.steps.store(system, seed))
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

    def _write_tables(self) -> Reproduced:
        """Write the tables of everything stored, and the hashes of what training decided."""
        results = self.steps.results
        hashes = {
            path.relative_to(results).as_posix(): file_sha256(path)
            for seed in self.options.seeds
            for system in self.options.systems
            for path in (
                self.steps.results / f"seed-{seed}" / system / name for name in STORED_NAMES
            )
            if path.is_file()
        }
        tables = make_tables(results, self.steps.data)
        write_tables(tables, results, {"hashes.json": json_file(hashes)})
        return Reproduced(tables, results / "tables.md", hashes)
