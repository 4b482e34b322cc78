"""The tables as one page of Markdown: the same tables give the same bytes."""

from __future__ import annotations

from .example_pages import case_study_page, costs_page, human_page, words_page
from .make import Tables
from .text_pages import (
    beyond_page,
    comparisons_page,
    orderings_page,
    text_table_page,
    text_title,
)


def tables_markdown(tables: Tables) -> str:
    """Return the page, with a heading for each table; it holds no text of the corpus."""
    sections = [("The paper's tables, reproduced", _introduction(tables))]
    main, *others = tables.table_1
    sections += [
        (f"Table 1: {text_title(main)}", text_table_page(main)),
        ("Differences", comparisons_page(tables.comparisons)),
        ("The paper's orderings", orderings_page(tables.comparisons.orderings)),
        ("Table 2: people's ratings", human_page(tables.table_2)),
    ]
    if tables.table_3 is not None:
        sections.append(("Table 3: case study", case_study_page(tables.table_3)))
    sections += [
        ("Table 4: the ten most frequent words", words_page(tables.table_4)),
        ("Beyond the paper", beyond_page(tables.beyond)),
    ]
    if tables.costs:
        sections.append(("Costs", costs_page(tables.costs)))
    sections += [(f"Table 1 again: {text_title(t)}", text_table_page(t)) for t in others]
    sections.append(("Signatures", _signatures(tables)))
    pages = [
        f"{'#' if number == 0 else '##'} {title}\n\n{text}"
        for number, (title, text) in enumerate(sections)
    ]
    return "\n\n".join(pages) + "\n"


def _introduction(tables: Tables) -> str:
    seeds = f"seed{'s' if len(tables.seeds) > 1 else ''} {', '.join(map(str, tables.seeds))}"
    lines = [
        f"{len(tables.systems)} systems, {seeds}, N = {tables.n:,} test samples, one reply each, "
        "against one reference; values in percent.",
        "The paper's figures stand in brackets. Its test set is another one and it does not say "
        "which BLEU it gives, so orderings compare and cells do not. D is Distinct, R is ROUGE.",
    ]
    if tables.shortened is not None:
        counts = ", ".join(f"{count:,} of {name}" for name, count in tables.shortened.items())
        lines.append(
            f"**Trained and scored on few dialogues, as a budget asks ({counts}): this shows that "
            "everything runs, and says nothing of the systems.**"
        )
    if len(tables.seeds) > 1:
        lines.append("Over seeds: mean ± standard deviation, by n - 1.")
    lines.append(
        'A cell of which nothing is known is "-". Human is the references themselves, which '
        "BLEU and ROUGE cannot score."
    )
    if tables.absent:
        lines.append(f"Not there: {', '.join(tables.absent)}.")
    return "\n".join(lines)


def _signatures(tables: Tables) -> str:
    signatures = {
        **tables.table_1[0].signatures,
        **tables.beyond.signatures,
        "test split": f"sha256 {tables.data_sha256}",
        "samples drawn from it": f"sha256 {tables.samples_sha256}",
    }
    return "\n".join(f"- {name}: `{signature}`" for name, signature in signatures.items())
