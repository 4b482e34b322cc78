"""What training left behind: each system's stored replies and facts, checked against the protocol.

    RESULTS/seed-<n>/<System>/greedy-recognised.jsonl   and the other `KINDS`
                              case-study.jsonl          replies to `cases.CASES`
                              facts.json                perplexities, steps and the like
                              costs.json                seconds of each stage

Every file may be missing, and a run may be packed into one (see `run_files`). Replies must be to
the table samples of the prepared folder, each once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import msgspec

from empgan_rt.errors import DataError, InputError

from ..scoring.decoding import Labels
from ..scoring.predictions import parse_predictions
from ..stored_json import Whole, decode_json
from ..systems import SYSTEMS, SystemName
from .cases import CASES
from .run_files import RunFiles, stored_runs

Search = Literal["greedy", "beam5"]
Texts = tuple[tuple[str, ...], ...]
Stored = TypeVar("Stored")
Score = Annotated[float, msgspec.Meta(ge=0, le=1e30)]  # so that means and deviations are finite

CASE_STUDY_NAME = "case-study.jsonl"
FACTS_NAME = "facts.json"
COSTS_NAME = "costs.json"  # apart, since no two runs take equally long


@dataclass(frozen=True)
class Kind:
    """The way replies were made: the search, and the emotion labels that the model read."""

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
    """The agreement of the replies' emotions with the references', in percent, by a classifier."""

    macro_f1: Score | None = None
    accuracy: Score | None = None
    classifier_macro_f1: Score | None = None


class Facts(msgspec.Struct, frozen=True):
    """The content of `facts.json`, which is of one run; unknown fields are passed over.

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
    runs = tuple(_read_run(files, sample_ids) for files in stored_runs(results))
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


def _read_run(files: RunFiles, sample_ids: Sequence[str]) -> Run:
    replies = {}
    for kind in KINDS:
        texts = _read_replies(files, kind.file_name, sample_ids)
        if texts is not None:
            replies[kind] = tuple(tuple(texts[i].split()) for i in sample_ids)
    case_replies = _read_replies(files, CASE_STUDY_NAME, [case.id for case in CASES]) or {}
    facts = _read_facts(files)
    seconds = _decoded(files, COSTS_NAME, dict[str, Score]) or {}
    return Run(files.system, files.seed, replies, case_replies, facts, seconds)


def _read_replies(files: RunFiles, name: str, wanted: Collection[str]) -> Mapping[str, str] | None:
    """Return the replies of a file by id; None if it is not there.

    Raises:
        InputError: it cannot be read.
        DataError: it is damaged, or its ids are not those wanted.
    """
    path = files.place / name
    try:
        data = files.read(name)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
    if data is None:
        return None
    replies = parse_predictions(data, path)
    unknown = len(replies.keys() - set(wanted))
    missing = len(set(wanted) - replies.keys())
    if unknown or missing:
        raise DataError(
            f"{path} answers {len(replies)} samples, {unknown} of them unknown and {missing} "
            f"missing; the {len(wanted)} of the tables wanted, each once",
            hint="evaluate anew, and give the prepared folder that the systems were evaluated on",
        )
    return replies


def _read_facts(files: RunFiles) -> Facts:
    facts = _decoded(files, FACTS_NAME, Facts) or Facts(files.system, files.seed)
    if (facts.system, facts.seed) != (files.system, files.seed):
        raise DataError(
            f"{files.place / FACTS_NAME} is of {facts.system[:40]}, seed {facts.seed}; "
            f"{files.system}, seed {files.seed} wanted",
            hint="put each run's files into its own folder",
        )
    return facts


def _decoded(files: RunFiles, name: str, kind: type[Stored]) -> Stored | None:
    """Return what a file of JSON holds; None if it is not there."""
    try:
        data = files.read(name)
        return None if data is None else decode_json(data, kind)
    except (OSError, ValueError) as error:
        raise DataError(
            f"{files.place / name} cannot be read: {error}", hint="evaluate anew"
        ) from error
