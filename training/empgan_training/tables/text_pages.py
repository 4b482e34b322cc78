"""Markdown of Table 1, of the differences and orderings, and of what goes beyond the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..systems import SYSTEMS
from .beyond import Beyond
from .comparisons import COMPARED, ORDERED, Comparisons, Difference, Ordering
from .figures import FigureRow
from .grid import ABSENT, figure_cell, grid, interval_cell
from .paper import TABLE_1
from .text_scores import TextTable

PAPER: Mapping[str, Mapping[str, float]] = {str(name): row for name, row in TABLE_1.items()}
SEARCHES = {"greedy": "greedy search", "beam5": "beam search of width 5"}
NAMES = {
    "bleu_2": "BLEU-2",
    "bleu_4": "BLEU-4",
    "distinct_1": "Distinct-1",
    "distinct_2": "Distinct-2",
    "rouge_1_f": "ROUGE-1 F",
    "rouge_l_f": "ROUGE-L F",
}
_ROUGE_PARTS = [f"{kind}_{part}" for kind in "12l" for part in "fpr"]
_ROUGE_NAMES = [f"{kind} {part}" for kind in ("R-1", "R-2", "R-L") for part in "FPR"]
_MODEL_COLUMNS = {
    "perplexity_gold": "PPL, gold labels",
    "perplexity_recognised": "PPL, recognised",
    "validation_perplexity": "PPL, validation",
    "reply_emotion_macro_f1": "reply emotion macro-F1",
    "reply_emotion_accuracy": "accuracy",
    "classifier_macro_f1": "the classifier's own macro-F1",
}
_TEXT_COLUMNS = {
    "adjusted_distinct_1": "adjusted Distinct-1",
    "entropy_2": "entropy-2, nats",
    "self_bleu": "self-BLEU",
    "repetition_rate": "repetition, %",
    "generic_rate": "generic, %",
    "length_ratio": "length ratio",
}


def text_title(table: TextTable) -> str:
    """Return what a Table 1 is of, such as "greedy search, recognised labels"."""
    return f"{SEARCHES[table.search]}, {table.labels} labels"


def text_table_page(table: TextTable) -> str:
    """Return one Table 1 as three tables: BLEU and Distinct, ROUGE, legacy ROUGE."""
    return "\n\n".join(
        [
            bleu_page(table),
            "ROUGE, standard:",
            _rouge_grid(table, "rouge"),
            "ROUGE as the `rouge` package of 2018 counts it:",
            _rouge_grid(table, "legacy_rouge"),
        ]
    )


def bleu_page(table: TextTable) -> str:
    """Return the first table of a Table 1, with BLEU and Distinct."""
    header = ("System", "Seeds", *(f"BLEU-{n}" for n in "1234"), "BLEU, paper", "D-1", "D-2")
    rows = []
    for row in table.rows:
        printed = PAPER.get(row.system, {})
        bleu = printed.get("bleu")
        rows.append(
            [
                row.system,
                _seeds(row),
                *(figure_cell(row.figures.get(f"bleu_{n}")) for n in "1234"),
                ABSENT if bleu is None else f"{bleu:.2f}",
                *(figure_cell(row.figures.get(c), printed.get(c)) for c in _distincts()),
            ]
        )
    return grid(header, rows, left=2)


def comparisons_page(comparisons: Comparisons) -> str:
    """Return the differences as two tables."""
    parts = [
        f"Percentage points with 95 % intervals, of seed {comparisons.seed} alone, greedy search, "
        f"recognised labels, N = {comparisons.n:,}. BLEU and ROUGE: paired bootstrap, "
        f"{comparisons.resamples:,} resamples; Distinct: jackknife. **Bold**: the interval "
        "excludes 0. The intervals say how far other test samples could move a difference, and "
        "nothing of how far another training run could.",
    ]
    for title, differences in (
        ("Each system against EmpG:", comparisons.against_baseline),
        ("Each row of the ablation against the row above it:", comparisons.against_above),
    ):
        parts += [title, _differences_grid(differences)] if differences else []
    return "\n\n".join(parts)


def orderings_page(orderings: Sequence[Ordering]) -> str:
    """Return which of the paper's orderings hold, and how many."""
    if not orderings:
        return "No two systems that the paper orders are there."
    by_claim: dict[tuple[str, str], dict[str, Ordering]] = {}
    for ordering in orderings:
        by_claim.setdefault((ordering.higher, ordering.lower), {})[ordering.metric] = ordering
    rows = [
        [f"{higher} > {lower}", *(_ordering_cell(found[metric]) for metric in ORDERED)]
        for (higher, lower), found in by_claim.items()
    ]
    verdicts = [ordering.verdict for ordering in orderings]
    return "\n\n".join(
        [
            "Where the paper's text orders two systems: ours, in brackets the difference in the "
            "paper's own Table 1 (its one BLEU beside our BLEU-2). A claim *holds* or is "
            "*reversed* where the interval excludes 0, and is *undecided* where it does not; of "
            "20 true zeros one would be excluded by chance.",
            grid(("Claim", *(NAMES[metric] for metric in ORDERED)), rows),
            f"Of {len(verdicts)} cells {verdicts.count('holds')} hold, "
            f"{verdicts.count('undecided')} are undecided, {verdicts.count('reversed')} reversed.",
        ]
    )


def beyond_page(beyond: Beyond) -> str:
    """Return the scores beyond the paper as two tables."""
    trained = [row for row in beyond.rows if row.system in SYSTEMS]
    return "\n\n".join(
        [
            "Perplexity is per token of the references, EOS included, UNK counted. Reply emotions "
            "are found by a classifier of another seed, which was trained on the gold labels of "
            "the same corpus: its errors are not independent of the systems', and its own "
            "macro-F1 bounds what the figure can say.",
            _column_grid(trained, _MODEL_COLUMNS),
            f"Of the replies, N = {beyond.n:,}. Adjusted Distinct is for V = "
            f"{beyond.vocabulary_size:,}; repetition is the share of replies in which a word "
            "follows itself or a trigram comes twice, generic the share that is word for word "
            "another reply too; the length ratio is to the references. High self-BLEU means little "
            "variety.",
            _column_grid(beyond.rows, _TEXT_COLUMNS),
        ]
    )


def _distincts() -> tuple[str, str]:
    return "distinct_1", "distinct_2"


def _seeds(row: FigureRow) -> str:
    return ", ".join(map(str, row.seeds)) or ABSENT


def _rouge_grid(table: TextTable, name: str) -> str:
    rows = [
        [
            row.system,
            *(
                figure_cell(
                    row.figures.get(f"{name}_{part}"),
                    PAPER[row.system][f"rouge_{part}"],
                )
                for part in _ROUGE_PARTS
            ),
        ]
        for row in table.rows
        if row.system in PAPER
    ]
    return grid(("System", *_ROUGE_NAMES), rows)


def _differences_grid(differences: Sequence[Difference]) -> str:
    rows = [
        [f"{d.system} - {d.baseline}", *(interval_cell(d.intervals[name]) for name in COMPARED)]
        for d in differences
    ]
    return grid(("Difference", *(NAMES[name] for name in COMPARED)), rows)


def _ordering_cell(ordering: Ordering) -> str:
    return f"{ordering.verdict}, {interval_cell(ordering.interval)} ({ordering.paper:+.2f})"


def _column_grid(rows: Sequence[FigureRow], columns: Mapping[str, str]) -> str:
    cells = [[row.system, *(figure_cell(row.figures.get(c)) for c in columns)] for row in rows]
    return grid(("System", *columns.values()), cells)
