"""What people read: the raters their instructions, everybody else the scores.

The paper defines the two criteria and their scale, but not what each point of it means; the
wording of the points is ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..scoring.report_text import Row, aligned
from .key import CRITERIA, KEY_NAME
from .scores import HumanScores

MARKS = """\
**content**: is the reply fluent, and does it respond to this dialogue?

- 0: not fluent, or it has nothing to do with the dialogue
- 1: fluent, but it would fit almost any dialogue or answers only in part
- 2: fluent, and it answers what was said here

**empathy**: does the feeling in the reply agree with the feelings in the dialogue, and would it
make the other person feel understood, so that they open up further?

- 0: it contradicts those feelings, or ignores them where they ask for an answer
- 1: it agrees with them, but faintly
- 2: it agrees with them, and the other person would feel understood
"""

_INSTRUCTIONS = """\
# How to rate

Each row of your sheet shows a dialogue between A and B, what they feel (a label for each turn
and, in brackets, its emotional words), and one reply that a program wrote for whoever speaks
next. Several rows in turn share a dialogue; their replies come from different programs, in an
order of their own each time. Give each reply two marks, 0, 1 or 2.

{marks}
The marks do not depend on each other: a fluent reply can be cold, a clumsy one warm. An empty
reply is a program that said nothing. Leave a mark empty rather than guess. Rate alone, and do not
talk about the replies before all are done.

Write into the columns `content` and `empathy` only. Sort whole rows or none. Save as CSV, with
commas or semicolons, under the name that the file has.

# For whoever hands this out

Give each rater one `rater-*.csv` and these instructions, never `{key}`, which tells whose reply
each row is. Put the filled sheets back beside it, leave the sheet of a rater who did not answer
as it is, and run `empgan-rt human scores` on the folder.

Do not publish this folder: the sheets hold text of the corpus (licence: {licence}).
"""


def instructions_text(licence: str) -> str:
    """Return the raters' instructions in Markdown; they name no system.

    Args:
        licence: of the corpus whose dialogues the sheets show.
    """
    return _INSTRUCTIONS.format(marks=MARKS, key=KEY_NAME, licence=licence)


def sheets_text(drawn: Mapping[str, Any], out: Path) -> str:
    """Return what was drawn and what to do with it."""
    return (
        f"{drawn['contexts']:,} contexts, {len(drawn['systems'])} systems, {drawn['rows']:,} rows "
        f"a sheet, seed {drawn['seed']}\n"
        f"sheets: {', '.join(drawn['sheets'])}\n"
        f"written to {out}; keep {KEY_NAME} from the raters, and do not publish the folder"
    )


def scores_text(scores: HumanScores) -> str:
    """Return the scores as one table, agreement and what is missing below it."""
    header = ("", "mean", "stdev", "between raters", "ratings", "missing")
    parts = []
    for criterion in CRITERIA:
        rows: list[Row] = [(criterion, *header[1:])]
        for system, by_criterion in scores.systems.items():
            s = by_criterion[criterion]
            spread = (_figure(s.mean), _figure(s.stdev), _figure(s.stdev_between_raters))
            rows.append((system, *spread, f"{s.n:,}", f"{s.missing:,}"))
        alpha = scores.alpha[criterion]
        agreement = f"none, {alpha.reason}" if alpha.value is None else f"{alpha.value:.3f}"
        note = f"Krippendorff's alpha: {agreement} ({alpha.replies:,} replies rated twice or more)"
        parts.append(f"{aligned(rows)}\n{note}")
    empty = f", nothing in {', '.join(scores.empty_sheets)}" if scores.empty_sheets else ""
    parts.append(
        f"contexts: {scores.contexts:,}; raters: {len(scores.sheets)}{empty}\n"
        f"stdev is of all ratings; between raters it is of one reply's ratings, averaged"
    )
    return "\n\n".join(parts)


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
