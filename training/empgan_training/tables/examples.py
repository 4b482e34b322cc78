"""Tables 3, 4 and 2: replies to the case study, the most frequent words, and people's ratings.

Replies and words are of one training seed, the lowest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from empgan_rt.storage.replacing import restored
from empgan_rt.text.emotion_lexicon import EmotionLexicon

from ..human.key import KEY_NAME, read_key
from ..human.ratings import read_sheets
from ..human.scores import HumanScores, score_sheets
from ..metrics.inputs import TokenLists
from ..metrics.word_frequency import FrequentWord, most_frequent_words
from .results import MAIN, Run
from .text_scores import HUMAN


@dataclass(frozen=True)
class CaseStudy:
    """Replies to `cases.CASES`.

    Attributes:
        seed: of training, the lowest that has replies to them.
        replies: system -> id of the case -> reply, tokens joined by spaces.
    """

    seed: int
    replies: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class WordTable:
    """The most frequent words of the main kind of replies.

    Attributes:
        seed: of training, the lowest that has such replies.
        rows: system, or "Human" for the references -> words, most frequent first.
    """

    seed: int
    rows: Mapping[str, tuple[FrequentWord, ...]]


def make_case_study(runs: Sequence[Run]) -> CaseStudy | None:
    """Return the replies to the cases; None if no run has any."""
    answered = [run for run in runs if run.case_replies]
    if not answered:
        return None
    seed = min(run.seed for run in answered)
    return CaseStudy(seed, {run.system: run.case_replies for run in answered if run.seed == seed})


def make_word_table(
    runs: Sequence[Run], references: TokenLists, lexicon: EmotionLexicon
) -> WordTable:
    """Return the ten most frequent words of each system and of the references.

    Args:
        runs: at least one with replies of the main kind.
    """
    seed = min(run.seed for run in runs if MAIN in run.replies)
    texts: dict[str, TokenLists] = {
        run.system: run.replies[MAIN] for run in runs if run.seed == seed and MAIN in run.replies
    }
    rows = {**texts, HUMAN: references}
    return WordTable(seed, {name: most_frequent_words(row, lexicon) for name, row in rows.items()})


def read_human_scores(folder: Path) -> HumanScores | None:
    """Return the scores of a folder of rating sheets; None if nobody has rated yet.

    Raises:
        DataError: the key or a sheet is damaged.
        DependencyError: krippendorff is missing.
    """
    if not restored(folder) or not (folder / KEY_NAME).is_file():
        return None
    sheets = read_sheets(folder, read_key(folder)).values()
    marks = (mark for sheet in sheets for column in sheet.values() for mark in column.values())
    return None if all(mark is None for mark in marks) else score_sheets(folder)
