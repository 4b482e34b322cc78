"""All tables of a results folder, as one frozen value ready for JSON.

References and contexts are read again from the user's copy of the data. What is returned, and so
what is written, holds replies, single words and figures, and no text of the corpus.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from empgan_rt.config import Limits

from ..data.prepared import PreparedData
from ..human.scores import HumanScores
from ..systems import SYSTEMS
from .beyond import Beyond, make_beyond
from .comparisons import Comparisons, make_comparisons
from .costs import Cost, make_costs
from .examples import CaseStudy, WordTable, make_case_study, make_word_table, read_human_scores
from .results import KINDS, Run, read_runs
from .text_scores import TextTable, make_text_table

HUMAN_FOLDER = "human"


@dataclass(frozen=True)
class Tables:
    """Every table; what there is nothing for is None or empty.

    Attributes:
        n: table samples, each answered once by every system.
        samples_sha256: of the prepared folder's file that names them.
        data_sha256: of its test split.
        seeds: of the runs found.
        systems: found, in the order of `SYSTEMS`.
        absent: systems without a run.
        table_1: for each kind of replies, the main kind first.
        comparisons: of the main kind.
        table_2: None as long as nobody has rated.
        table_3: None without replies to the cases.
        table_4: of the main kind.
        beyond: of the main kind.
        costs: by system and stage.
        shortened: dialogues of each split, where a budget has cut the data; None of whole data.
    """

    n: int
    samples_sha256: str
    data_sha256: str
    seeds: tuple[int, ...]
    systems: tuple[str, ...]
    absent: tuple[str, ...]
    table_1: tuple[TextTable, ...]
    comparisons: Comparisons
    table_2: HumanScores | None
    table_3: CaseStudy | None
    table_4: WordTable
    beyond: Beyond
    costs: tuple[Cost, ...]
    shortened: Mapping[str, int] | None

    def as_dict(self) -> dict[str, Any]:
        """Return the tables as nested plain values, ready for JSON."""
        return asdict(self)


def make_tables(results: Path, data: Path, *, resamples: int = 1000) -> Tables:
    """Return every table of the runs in a results folder.

    Args:
        results: laid out as `results.py` says; ratings lie in its folder `human`.
        data: the prepared folder that the systems were evaluated on.
        resamples: of the bootstrap.

    Raises:
        InputError: `results` holds no replies, `data` is no prepared folder, or there are fewer
            than 40 resamples.
        DataError: a file is damaged, or replies are not to the samples of `data`.
        DependencyError: a package of the metrics is missing.
    """
    opened = PreparedData(data, Limits())
    tokenizer = opened.featurizer.tokenizer
    samples = opened.table_samples(opened.split("test"))
    references = [tokenizer.words(sample.dialogue.texts[sample.response]) for sample in samples]
    runs = read_runs(results, [sample.id for sample in samples])
    found = _systems(runs)
    text_tables = (make_text_table(runs, kind, references) for kind in KINDS)
    return Tables(
        n=len(samples),
        samples_sha256=opened.sha256["test_samples.jsonl"],
        data_sha256=opened.sha256["test.jsonl"],
        seeds=tuple(sorted({run.seed for run in runs})),
        systems=found,
        absent=tuple(system for system in SYSTEMS if system not in found),
        table_1=tuple(table for table in text_tables if table is not None),
        comparisons=make_comparisons(runs, references, resamples=resamples),
        table_2=read_human_scores(results / HUMAN_FOLDER),
        table_3=make_case_study(runs),
        table_4=make_word_table(runs, references, opened.featurizer.lexicon),
        beyond=make_beyond(runs, references, len(tokenizer.vocabulary)),
        costs=make_costs(runs),
        shortened=opened.shortened,
    )


def _systems(runs: Sequence[Run]) -> tuple[str, ...]:
    return tuple(system for system in SYSTEMS if any(run.system == system for run in runs))
