"""What training cost: optimiser steps and seconds of every stage of every system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..systems import SYSTEMS, SystemName
from .figures import Figure, over_seeds
from .results import Run


@dataclass(frozen=True)
class Cost:
    """One stage of one system, over the seeds that have it.

    Attributes:
        steps: of the optimiser; None where they are not known.
        seconds: of the wall clock; None where they are not known.
    """

    system: SystemName
    stage: str
    steps: Figure | None
    seconds: Figure | None


def make_costs(runs: Sequence[Run]) -> tuple[Cost, ...]:
    """Return the stages of each system, in the order of `SYSTEMS` and of the runs' own facts."""
    costs = []
    for system in SYSTEMS:
        mine = [run for run in runs if run.system == system]
        steps = over_seeds([run.facts.steps or {} for run in mine])
        seconds = over_seeds([run.seconds for run in mine])
        costs += [
            Cost(system, stage, steps.get(stage), seconds.get(stage))
            for stage in dict.fromkeys((*steps, *seconds))
        ]
    return tuple(costs)
