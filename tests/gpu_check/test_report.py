"""The report for people."""

from __future__ import annotations

from pathlib import Path

import msgspec

from gpu.report import FILES, Check, Record, Report, render_markdown, write

RECORDS = [
    Record(
        "passed",
        "",
        [{"what": "GPU", "value": "A | GPU"}],
        name="machine",
        proves="which machine",
        seconds=1.0,
    ),
    Record("skipped", "nothing here", name="doctor", proves="all is sound", seconds=0.0),
    Record(
        "failed",
        "one\nis not",
        [{"beam": 1, "share": 0.987654321}, {"beam": 5, "other": None}],
        [Check("a", "passed"), Check("b", "failed", "is not"), Check("c", "skipped", "no | GPU")],
        name="tokens",
        proves="tokens are equal",
        seconds=61.5,
        said=["Traceback", "  a `line`"],
    ),
]


def report(**fields: object) -> Report:
    given = {
        "dry_run": False,
        "started": "2026-01-01T00:00:00+00:00",
        "command": "scripts/gpu_check --limit 580",
        "limit_s": 580.0,
        "machine": {"GPU": "A GPU, driver 580.1"},
        "sections": RECORDS,
        "to_come": ["memory", "tests"],
    }
    return Report(**(given | fields))  # type: ignore[arg-type]


def test_all_sections_and_their_figures() -> None:
    lines = render_markdown(report()).splitlines()
    assert lines[0] == "# GPU check: A GPU, driver 580.1"
    assert "| doctor | skipped | 0 | all is sound | nothing here |" in lines
    assert "| tokens | failed | 61.5 | tokens are equal | one is not |" in lines
    assert "**The run has not come to** memory, tests." in lines
    begun = "Begun 2026-01-01T00:00:00+00:00, `scripts/gpu_check --limit 580`, within 580 s."
    assert begun in lines
    at = lines.index("## tokens")
    assert lines[at + 2 : at + 6] == [
        "| beam | share | other |",
        "| --- | --- | --- |",
        "| 1 | 0.9877 | – |",
        "| 5 | – | – |",
    ]
    assert lines[at + 7 : at + 11] == [
        "| test | result | why |",
        "| --- | --- | --- |",
        "| b | failed | is not |",
        "| c | skipped | no / GPU |",
    ]
    assert lines[-2:] == ["    Traceback", "      a `line`"]
    assert "## doctor" not in lines


def test_a_dry_run_says_that_it_proves_nothing() -> None:
    text = render_markdown(report(dry_run=True, machine={}, limit_s=None, to_come=[]))
    assert text.startswith("# GPU check: no GPU, a dry run\n\nA rehearsal on the CPU: **nothing")
    assert "not come to" not in text
    assert "within" not in text


def test_both_files_are_written(tmp_path: Path) -> None:
    write(report(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)
    saved = msgspec.json.decode((tmp_path / "report.json").read_bytes(), type=Report)
    assert saved == report()
    assert saved.schema_version == "2.0"
