"""Markdown of Tables 2, 3 and 4 and of the costs."""

from __future__ import annotations

from collections.abc import Sequence

from ..human.key import CRITERIA
from ..human.scores import CriterionScores, HumanScores
from ..metrics.word_frequency import FrequentWord
from ..systems import SYSTEMS
from .cases import CASES, Case
from .costs import Cost
from .examples import CaseStudy, WordTable
from .grid import ABSENT, escape, figure_cell, grid
from .paper import TABLE_2, TABLE_4, TABLE_4_EMOTIONAL

_PAPER_RATINGS = {str(name): row for name, row in TABLE_2.items()}
_PAPER_WORDS = {str(name): row for name, row in TABLE_4.items()}


def human_page(scores: HumanScores | None) -> str:
    """Return people's ratings, or the sentence that there are none."""
    if scores is None:
        return "Nobody has rated yet; `empgan-rt human sheet` writes the sheets for it."
    header = ["System"]
    for criterion in CRITERIA:
        header += [f"{criterion} {part}" for part in ("mean", "stdev", "between raters", "marks")]
    order = [str(name) for name in SYSTEMS if name in scores.systems]
    order += sorted(scores.systems.keys() - set(order))
    rows = []
    for system in order:
        printed = _PAPER_RATINGS.get(system, {})
        cells = [escape(system)]
        for criterion in CRITERIA:
            cells += _rating_cells(scores.systems[system][criterion], printed.get(criterion))
        rows.append(cells)
    alphas = [
        f"{criterion} {found.reason if found.value is None else f'{found.value:.3f}'}"
        for criterion, found in scores.alpha.items()
    ]
    return "\n\n".join(
        [
            f"{scores.contexts:,} contexts, {len(scores.sheets)} raters, marks 0 to 2; in brackets "
            "the paper's figures, whose deviation cannot be that of single marks.",
            grid(header, rows),
            f"Krippendorff's alpha: {'; '.join(alphas)}.",
        ]
    )


def case_study_page(study: CaseStudy) -> str:
    """Return the replies to each case, beside the paper's where it has any."""
    intro = (
        f"Replies of seed {study.seed}. The paper's two contexts are quoted as it prints "
        "them, emotional words in italics; the others are ours."
    )
    return "\n\n".join([intro, *(_case_page(case, study) for case in CASES)])


def words_page(table: WordTable) -> str:
    """Return the most frequent words of each system, the paper's row beside."""
    rows = [
        [system, ", ".join(map(_word, words)) or ABSENT, _paper_words(system)]
        for system, words in table.rows.items()
    ]
    return "\n\n".join(
        [
            f"Of the replies of seed {table.seed}, greedy search, recognised labels. Function "
            "words are left out by a list of ours, as the paper's is not given. **Bold**: "
            "emotional, by the lexicon of the data here and by the paper's there.",
            grid(("System", "Ours", "The paper's"), rows, left=3),
        ]
    )


def costs_page(costs: Sequence[Cost]) -> str:
    """Return steps and seconds of each stage."""
    rows = [
        [
            cost.system,
            escape(cost.stage),
            figure_cell(cost.steps, digits=0),
            figure_cell(cost.seconds, digits=0),
        ]
        for cost in costs
    ]
    return grid(("System", "Stage", "Optimiser steps", "Seconds"), rows, left=2)


def _rating_cells(scores: CriterionScores, paper: tuple[float, float] | None) -> list[str]:
    values = (scores.mean, scores.stdev, scores.stdev_between_raters)
    printed = (paper[0], None, paper[1]) if paper else (None, None, None)
    cells = [
        (ABSENT if value is None else f"{value:.2f}") + ("" if p is None else f" ({p:.2f})")
        for value, p in zip(values, printed, strict=True)
    ]
    return [*cells, f"{scores.n:,}"]


def _case_page(case: Case, study: CaseStudy) -> str:
    words = case.words or ("",) * len(case.turns)
    turns = []
    for number, (turn, emotional) in enumerate(zip(case.turns, words, strict=True), start=1):
        label = f" ({turn.emotion.name.lower()})" if turn.emotion else ""
        turns.append(
            f"- T{number}: {escape(turn.text)}{label}{f' - *{emotional}*' if emotional else ''}"
        )
    rows = []
    for system in SYSTEMS:
        ours = study.replies.get(system, {}).get(case.id)
        printed = case.paper_replies.get(system)
        if ours is not None or printed is not None:
            rows.append([system, _reply(ours), *([_reply(printed)] if case.paper_replies else [])])
    header = ("System", "Ours", *(["The paper's"] if case.paper_replies else []))
    return "\n\n".join(
        [f"### {case.title}", "\n".join(turns), grid(header, rows, left=len(header))]
    )


def _reply(text: str | None) -> str:
    if text is None:
        return ABSENT
    return escape(text) or "*(empty)*"


def _word(word: FrequentWord) -> str:
    return f"**{escape(word.word)}**" if word.emotional else escape(word.word)


def _paper_words(system: str) -> str:
    words = _PAPER_WORDS.get(system, ())
    return ", ".join(f"**{w}**" if w in TABLE_4_EMOTIONAL else w for w in words) or ABSENT
