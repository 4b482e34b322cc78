"""What a reading comes to, for people: tables, and the page that is kept of it."""

from __future__ import annotations

from ..scoring.report_text import Row, aligned
from .contexts import APART
from .draw import Draw, Source
from .scores import Rates, VoiceScores

_PAGE = """\
# Replies read blind: {name}

{contexts} contexts that we wrote, {replies} different replies. Rater: {rater}.
Drawn by `scripts/voice` (protocol {protocol}, empgan-rt {version}, seed {seed}).

{candidates}

Good is content + empathy of 3 or more out of 4. Harmful includes answering a feeling that the
person does not have. Differences are in percentage points, with 95 % intervals of the paired
bootstrap over contexts. Contexts of the kind crisis are in neither: a guard is to answer those.

```text
{scores}
```

`ratings.jsonl` has every reply with its marks and the id of its context; `key.json` has the
contexts, and the bundle and whole search that each reply came from.
"""


def scores_text(scores: VoiceScores) -> str:
    """Return the rates and differences as three tables."""
    header = ("contexts", "good %", "harmful %", "generic %")
    overall: list[Row] = [("all but crisis", *header)]
    overall += [(r.candidate, *_cells(r)) for r in scores.overall]
    by_kind: list[Row] = [("by kind", "", *header)]
    by_kind += [(r.kind, r.candidate, *_cells(r)) for r in scores.by_kind]
    pairs: list[Row] = [("difference, 95 % interval", *header[1:])]
    for d in scores.differences:
        cells = (f"{i.value:+.1f} [{i.low:+.1f}, {i.high:+.1f}]" for i in d.intervals)
        pairs.append((f"{d.candidate} - {d.baseline}", *cells))
    tables = [overall, by_kind, pairs] if scores.differences else [overall, by_kind]
    return "\n\n".join(map(aligned, tables))


def page_text(name: str, rater: str, draw: Draw, scores: VoiceScores) -> str:
    """Return the Markdown page of a reading."""
    searches = {candidate: source.search for candidate, source in draw.candidates.items()}
    settings = dict.fromkeys(setting for search in searches.values() for setting in search)
    differing = [s for s in settings if len({str(q.get(s)) for q in searches.values()}) > 1]
    lines = [
        ", ".join(
            [
                f"- `{c}`: bundle {source.bundle}",
                *(f"{s} {searches[c].get(s)}" for s in differing),
                *_guard_text(source, draw),
            ]
        )
        for c, source in draw.candidates.items()
    ]
    return _PAGE.format(
        name=name,
        contexts=len(draw.contexts),
        replies=len(draw.rows),
        rater=rater,
        protocol=draw.protocol,
        version=draw.version,
        seed=draw.seed,
        candidates="\n".join(lines),
        scores=scores_text(scores),
    )


def _guard_text(source: Source, draw: Draw) -> list[str]:
    """Return what a page says of a candidate's guard."""
    if not source.guard:
        return []
    crises = {context.id for context in draw.contexts if context.kind == APART}
    own = set(source.from_guard)
    return [f"guard (its own words in {len(own & crises)} crises and {len(own - crises)} others)"]


def _cells(rates: Rates) -> Row:
    return (f"{rates.n}", f"{rates.good:.1f}", f"{rates.harmful:.1f}", f"{rates.generic:.1f}")
