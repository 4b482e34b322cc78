"""The figures of a report, a panel for each cell; an engine has one colour in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TypeVar

import numpy as np

from . import svg
from .gate import Cell
from .suite import FIXED_TOKENS, Outcome
from .summary import STAGES, Breakdown, Ratio, Row
from .svg import Scale, number
from .timing import Series

_LENGTHS = {"fixed": f"{FIXED_TOKENS} tokens", "natural": "natural length"}
_COLOURS = 6  # of the style sheet, the reference's black aside
_ROW_PX, _PLANE_PX = 40, 170
_MOST_POINTS = 200  # of a curve

Record = TypeVar("Record", Ratio, Breakdown, Series)


def styles(outcome: Outcome) -> dict[str, str]:
    """Return the classes that give each engine its colour, by name; the reference is black."""
    names = list(dict.fromkeys(row.engine for row in outcome.rows))
    reference = {ratio.reference for ratio in outcome.ratios}
    others = [name for name in names if name not in reference]
    found = dict.fromkeys(reference, "reference")
    for place, name in enumerate(others):
        again = " again" if place >= _COLOURS else ""
        found[name] = f"engine{place % _COLOURS}{again}"
    return {name: found[name] for name in names}


def cell_title(cell: Cell) -> str:
    """Return a cell as a title."""
    return f"batch {cell.batch} · beam {cell.beam} · {_LENGTHS[cell.mode]}"


def ratios(outcome: Outcome) -> str:
    """Return the speed-up over the reference with its interval; failed cells have no mark."""
    kinds = styles(outcome)
    passed = [r.speedup for r in outcome.ratios if r.verdict.passed]
    ends = [end for speedup in passed for end in (speedup.low, speedup.high)]
    scale = Scale.of([*ends, 0.8, 1.25], logarithmic=True)
    panels = []
    for cell, mine in _by_cell(outcome.ratios).items():
        height = len(mine) * _ROW_PX
        one = f"{scale.place(1.0):.2f}%"
        parts = [svg.across(scale, scale.labels("×"), height)]
        parts.append(f'<line x1="{one}" x2="{one}" y1="0" y2="{height}" class="one"/>')
        for place, ratio in enumerate(mine):
            parts.append(_ratio_row(ratio, scale, place * _ROW_PX, kinds[ratio.engine]))
        panels.append(svg.panel(cell_title(cell), "".join(parts), height, "rows"))
    note = (
        "How many times as fast. Dot: median over rounds; band: its 95 % interval. Right of the "
        "dashed line is faster than the reference."
    )
    return _figure("ratios", f"Ratio to {outcome.ratios[0].reference}", note, panels)


def _ratio_row(ratio: Ratio, scale: Scale, top: float, kind: str) -> str:
    """Return the name of an engine, its ratio and below them its mark."""
    speedup = ratio.speedup
    name = svg.text("0", f"{top + 16}", ratio.engine, "name")
    if not ratio.verdict.passed:
        return name + svg.text("100%", f"{top + 16}", "FAILED", "value end failed")
    low, value, high = (scale.place(v) for v in (speedup.low, speedup.value, speedup.high))
    return (
        f"{name}{svg.text('100%', f'{top + 16}', f'{speedup.value:.2f}×', 'value end')}"
        f"{svg.bar(low, high - low, top + 22, 8, f'band {kind}', str(ratio))}"
        f'<circle cx="{value:.2f}%" cy="{top + 26}" r="5" class="mark {kind}"/>'
    )


def stages(outcome: Outcome) -> str:
    """Return where the time of a reply goes, one bar an engine."""
    panels = []
    for cell, mine in _by_cell(outcome.breakdowns).items():
        height = len(mine) * _ROW_PX
        scale = Scale(0.0, max(b.whole_ms for b in mine), logarithmic=False)
        parts = [svg.across(scale, scale.labels(), height)]
        for place, breakdown in enumerate(mine):
            parts.append(_stage_row(breakdown, scale, place * _ROW_PX))
        panels.append(svg.panel(cell_title(cell), "".join(parts), height, "rows"))
    key = "".join(f'<li><i class="{stage}"></i>{stage}</li>' for stage in STAGES)
    note = "Medians, ms per dialogue. Grey: text, the same for all engines and not in the ratios."
    return _figure("stages", "Where the time goes", note, panels, f'<ul class="key">{key}</ul>')


def _stage_row(breakdown: Breakdown, scale: Scale, top: float) -> str:
    whole = f"{number(breakdown.whole_ms)} ms"
    parts = [
        svg.text("0", f"{top + 16}", breakdown.engine, "name"),
        svg.text("100%", f"{top + 16}", whole, "value end"),
    ]
    begun_ms = 0.0
    for stage, spent_ms in breakdown.stages:
        title = f"{breakdown.engine}, {stage}: {number(spent_ms)} ms"
        x, width = scale.place(begun_ms), scale.place(spent_ms)
        parts.append(svg.bar(x, width, top + 21, 12, stage, title))
        begun_ms += spent_ms
    return "".join(parts)


def percentiles(outcome: Outcome) -> str:
    """Return which share of batches was done after how many ms."""
    kinds = styles(outcome)
    share = Scale(0.0, 100.0, logarithmic=False)
    marks = [(value, f"{value:.0f} %") for value in (0.0, 50.0, 90.0, 100.0)]
    panels = []
    for cell, mine in _by_cell(outcome.series).items():
        times = {series.engine: np.sort(_total_ms(series)) for series in mine}
        scale = Scale.of((t for all_of in times.values() for t in all_of), logarithmic=True)
        curves = []
        for engine, values in times.items():
            at = np.linspace(0.0, 100.0, min(len(values), _MOST_POINTS))
            points = [
                (scale.place(ms), 100.0 - p)
                for ms, p in zip(np.percentile(values, at).tolist(), at.tolist(), strict=True)
            ]
            curves.append(svg.line(points, kinds[engine]))
        panels.append(_plane(cell_title(cell), scale, share, marks, curves))
    note = "Share of batches that took at most so many ms (logarithmic)."
    return _figure("percentiles", "Latency, from best to worst", note, panels)


def iterations(outcome: Outcome) -> str:
    """Return the ms of every batch in order; what came before zero is the warm-up."""
    kinds = styles(outcome)
    panels = []
    for cell, mine in _by_cell(outcome.series).items():
        warm = max(len(series.warmup) for series in mine)
        most = max(len(_total_ms(series)) for series in mine)
        x = Scale(-warm - 0.5, most - 0.5, logarithmic=False)
        times = {s.engine: [t.total_ms for t in s.warmup] + _total_ms(s) for s in mine}
        y = Scale.of((t for all_of in times.values() for t in all_of), logarithmic=True)
        parts = []
        for series in mine:
            places = range(-len(series.warmup), most)
            found = zip(places, times[series.engine], strict=False)
            points = [(x.place(place), 100.0 - y.place(ms)) for place, ms in found]
            cut = len(series.warmup)
            parts.append(svg.dots(points[:cut], f"faint {kinds[series.engine]}"))
            parts.append(svg.dots(points[cut:], kinds[series.engine]))
        band = f'<rect width="{x.place(-0.5):.2f}%" height="100%" class="warm"/>'
        panels.append(_plane(cell_title(cell), x, y, y.labels(), parts, band))
    note = "The ms of every batch in order. Shaded: warm-up, which no statistic counts."
    return _figure("iterations", "Latency over iterations", note, panels)


def throughput(outcome: Outcome) -> str:
    """Return dialogues per second over the batch size."""
    kinds = styles(outcome)
    groups: dict[tuple[int, str], list[Row]] = {}
    for row in outcome.rows:
        groups.setdefault((row.cell.beam, row.cell.mode), []).append(row)
    x = Scale.of((row.cell.batch for row in outcome.rows), logarithmic=True)
    panels = []
    for (beam, mode), rows in groups.items():
        ends = [v for r in rows for v in (r.dialogues_per_s.p50_low, r.dialogues_per_s.p50_high)]
        y = Scale.of(ends, logarithmic=True)
        parts = []
        for engine in dict.fromkeys(row.engine for row in rows):
            mine = [row for row in rows if row.engine == engine]
            points = []
            for row in mine:
                rate, at = row.dialogues_per_s, x.place(row.cell.batch)
                low, middle, high = (
                    100.0 - y.place(v) for v in (rate.p50_low, rate.p50, rate.p50_high)
                )
                points.append((at, middle))
                parts.append(svg.line([(at, low), (at, high)], f"band {kinds[engine]}"))
            parts += [svg.line(points, kinds[engine]), svg.dots(points, f"large {kinds[engine]}")]
        batches = [(float(batch), str(batch)) for batch in sorted({r.cell.batch for r in rows})]
        title = f"beam {beam} · {_LENGTHS[mode]}"
        panels.append(_plane(title, x, y, y.labels(), parts, below=batches))
    note = (
        "Dialogues per second over the batch size: medians with their 95 % intervals; both axes "
        "are logarithmic."
    )
    return _figure("throughput", "Batch size and throughput", note, panels)


def _plane(
    title: str,
    x: Scale,
    y: Scale,
    beside: Sequence[tuple[float, str]],
    parts: Sequence[str],
    behind: str = "",
    below: Sequence[tuple[float, str]] = (),
) -> str:
    """Return a panel with two axes, labelled with `beside` and `below`, or the ticks of `x`."""
    axes = svg.across(x, below or x.labels(), _PLANE_PX) + svg.upwards(y, beside)
    content = behind + axes + svg.stretched("".join(parts))
    return svg.panel(title, content, _PLANE_PX, "plane")


def _total_ms(series: Series) -> list[float]:
    return [timing.total_ms for visit in series.visits for timing in visit.timings]


def _by_cell(records: Sequence[Record]) -> Mapping[Cell, list[Record]]:
    """Return the records of each cell, in order."""
    found: dict[Cell, list[Record]] = {}
    for record in records:
        found.setdefault(record.cell, []).append(record)
    return found


def _figure(name: str, title: str, note: str, panels: Sequence[str], key: str = "") -> str:
    return (
        f'<section id="{name}"><h2>{escape(title)}</h2><p class="note">{escape(note)}</p>{key}'
        f'<div class="panels">{"".join(panels)}</div></section>'
    )
