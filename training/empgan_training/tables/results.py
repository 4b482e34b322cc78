"""What training left behind: each system's stored replies and facts, checked against the protocol.

    RESULTS/seed-<n>/<System>/greedy-recognised.jsonl   and the other `KINDS`
                              case-study.jsonl          replies to `cases.CASES`
                              facts.json                perplexities, steps and the like
                              costs.json                seconds of each stage

Every file may be missing. Replies must be to the table samples of the prepared folder, each once.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from empgan_rt.errors import DataError, InputError
from empgan_rt.storage.replacing import restored

from ..human.predictions import read_predictions
from ..scoring.decoding import Labels
from ..stored_json import Whole, decode_json
from ..systems import SYSTEMS, SystemName
from .cases import CASES

Search = Literal["greedy", "beam5"]
Texts = tuple[tuple[str, ...], ...]
Stored = TypeVar("Stored")
Score = Annotated[float, msgspec.Meta(ge=0, le=1e30)]  # so that means and deviations are finite

CASE_STUDY_NAME = "case-study.jsonl"
FACTS_NAME = "facts.json"
COSTS_NAME = "costs.json"  # apart, since no two runs take equally long
_SEED = re.compile(r"seed-(\d+)")


@dataclass(frozen=True)
class Kind:
    """How replies were made: the search, and the emotion labels that the model read."""

    search: Search
    labels: Labels

    @property
    def file_name(self) -> str:
        """Name of the file of such replies."""
        return f"{self.search}-{self.labels}.jsonl"


MAIN = Kind("greedy", "recognised")  # what the tables show unless they say otherwise
KINDS = (MAIN, Kind("greedy", "gold"), Kind("beam5", "recognised"), Kind("beam5", "gold"))


class Perplexities(msgspec.Struct, frozen=True):
    """Perplexity per token on the test split, by the emotion labels that the model read."""

    gold: Score | None = None
    recognised: Score | None = None


class ReplyEmotions(msgspec.Struct, frozen=True):
    """How far the emotion of replies is that of the references, in percent, by a classifier."""

    macro_f1: Score | None = None
    accuracy: Score | None = None
    classifier_macro_f1: Score | None = None


class Facts(msgspec.Struct, frozen=True):
    """What `facts.json` says of a run; unknown fields are passed over.

    Attributes:
        steps: stage -> optimiser steps.
    """

    system: str
    seed: int
    perplexity: Perplexities | None = None
    validation_perplexity: Score | None = None
    steps: dict[str, Whole] | None = None
    reply_emotions: ReplyEmotions | None = None


@dataclass(frozen=True)
class Run:
    """One system trained with one seed.

    Attributes:
        replies: tokens of the replies of each kind that is there, in the order of the samples.
        case_replies: id of a case -> the reply, tokens joined by spaces.
        facts: with nothing but the name and seed where there is no file.
        seconds: stage -> seconds of the wall clock.
    """

    system: SystemName
    seed: int
    replies: Mapping[Kind, Texts]
    case_replies: Mapping[str, str]
    facts: Facts
    seconds: Mapping[str, float]


def read_runs(results: Path, sample_ids: Sequence[str]) -> tuple[Run, ...]:
    """Return the runs of a results folder, by seed and in the order of `SYSTEMS`.

    Args:
        sample_ids: of the table samples; replies are returned in this order.

    Raises:
        InputError: no run of the folder has replies of the main kind, `MAIN`.
        DataError: a file cannot be read, is of another run than its folder says, or answers
            other samples.
    """
    runs = tuple(
        _read_run(folder / system, system, seed, sample_ids)
        for seed, folder in _seed_folders(results)
        for system in SYSTEMS
        if restored(folder / system) and (folder / system).is_dir()
    )
    if not any(MAIN in run.replies for run in runs):
        raise InputError(
            f"{results} holds {len(runs)} runs, none with {MAIN.file_name}; 1 wanted",
            hint="give the folder that `reproduce` fills, and let it evaluate a system first",
        )
    return runs


def runs_with(runs: Sequence[Run], kind: Kind) -> Iterator[tuple[SystemName, list[Run]]]:
    """Yield each system that has replies of a kind, in the order of `SYSTEMS`, and its runs."""
    for system in SYSTEMS:
        if mine := [run for run in runs if run.system == system and kind in run.replies]:
            yield system, mine


def _seed_folders(results: Path) -> list[tuple[int, Path]]:
    try:
        paths = [*results.glob("seed-*")]
    except OSError as error:
        raise InputError(f"{results} cannot be read: {error.strerror}") from error
    found = ((_SEED.fullmatch(path.name), path) for path in paths)
    return sorted((int(match[1]), path) for match, path in found if match)


def _read_run(folder: Path, system: SystemName, seed: int, sample_ids: Sequence[str]) -> Run:
    replies = {}
    for kind in KINDS:
        path = folder / kind.file_name
        if path.is_file():
            texts = _read_replies(path, sample_ids)
            replies[kind] = tuple(tuple(texts[i].split()) for i in sample_ids)
    cases = folder / CASE_STUDY_NAME
    case_replies = _read_replies(cases, [case.id for case in CASES]) if cases.is_file() else {}
    facts = _read_facts(folder / FACTS_NAME, system, seed)
    costs = folder / COSTS_NAME
    seconds = _decoded(costs, dict[str, Score]) if costs.is_file() else {}
    return Run(system, seed, replies, case_replies, facts, seconds)


def _read_replies(path: Path, wanted: Collection[str]) -> Mapping[str, str]:
    """Return the replies by id.

    Raises:
        DataError: the file is damaged, or its ids are not those wanted.
    """
    replies = read_predictions(path).by_sample
    unknown = len(replies.keys() - set(wanted))
    missing = len(set(wanted) - replies.keys())
    if unknown or missing:
        raise DataError(
            f"{path} answers {len(replies)} samples, {unknown} of them unknown and {missing} "
            f"missing; the {len(wanted)} of the tables wanted, each once",
            hint="evaluate anew, and give the prepared folder that the systems were evaluated on",
        )
    return replies


def _read_facts(path: Path, system: SystemName, seed: int) -> Facts:
    if not path.is_file():
        return Facts(system, seed)
    facts = _decoded(path, Facts)
    if (facts.system, facts.seed) != (system, seed):
        raise DataError(
            f"{path} is of {facts.system[:40]}, seed {facts.seed}; {system}, seed {seed} wanted",
            hint="put each run's files into its own folder",
        )
    return facts


def _decoded(path: Path, kind: type[Stored]) -> Stored:
    try:
        return decode_json(path.read_bytes(), kind)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {error}", hint="evaluate anew") from error
