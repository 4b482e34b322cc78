"""What every report has in figures and in words: the table of its circumstances, and prose."""

from __future__ import annotations

from pathlib import Path

from jinja2 import StrictUndefined, Template

from ..engines.table import label
from ..measuring.fingerprint import Circumstances, OtherBuild

Table = tuple[list[str], list[list[str]]]
"""A head, and rows as wide as it."""


def prose(template: Path, **values: object) -> str:
    """Return what a template of jinja2 says, in one line; a page has to escape it."""
    source = " ".join(template.read_text("utf-8").split())
    written: str = Template(source, undefined=StrictUndefined).render(values)
    return written


def circumstances(report: Circumstances) -> Table:
    """Return head and rows of the fingerprint and the engines."""
    f, other = report.fingerprint, report.other_build
    rows = [
        ["CPU", f"{f.cpu} ({', '.join(f.cpu_features)}), governor {f.governor}"],
        *([] if f.gpu is None else [["GPU", str(f.gpu)]]),
        ["cores allowed, of", f"{f.cores_allowed}, {f.cores}"],
        ["RAM", f"{f.ram_gib} GiB"],
        ["system", f"{f.system}, Python {f.python}"],
        ["empgan-rt", f"{f.empgan_rt}, commit {f.commit or 'unknown'}"],
        *([] if other is None else [["other build", _build(other)]]),
        ["packages", ", ".join(f"{name} {version}" for name, version in f.packages.items())],
        ["bundle", f"{report.bundle}, {f.bundle_id}"],
        ["workload", f"{report.workload.source}, SHA-256 {report.workload.sha256[:16]}"],
        ["load average before, after", f"{f.load_average}, {report.load_average_after}"],
        ["command", " ".join(f.command)],
    ]
    rows += [
        [
            f"engine {label(e.name)}",
            f"{', '.join(f'{name} {version}' for name, version in e.versions.items())}; opened in "
            f"{e.load_ms:.0f} ms; {e.rss_mib:.0f} MiB; garbage collector {e.gc}; allocator "
            f"{e.allocator}",
        ]
        for e in report.engines
    ]
    return ["what", "value"], rows


def _build(other: OtherBuild) -> str:
    commit = other.commit or "unknown"
    return f"{other.empgan_rt}, commit {commit}, bundle {other.bundle_id}, under {other.python}"
