"""The pages that describe a contract name what the code names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from empgan_rt._version import __version__
from empgan_rt.bundle.manifest import MANIFEST_NAME, REQUIRED_FILES, SCHEMA_VERSION, Manifest
from empgan_rt.graph_spec import CONTINUED, GRAPH_NAMES
from support.source_tree import ROOT

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
RESULTS = DOCS / "results"  # an sdist has none
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")
ANCHOR = re.compile(r"\]\((?!https?:)([^)#]*)#([^)]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def _first_cells(page: str, heading: str) -> set[str]:
    """Return the names in backticks in the first column of the table below a heading."""
    section = page.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([^`]+)`", row.split("|")[1])}


def _anchors(page: Path) -> set[str]:
    """Return what links can name in a page: its headings, as GitHub writes them."""
    headings = HEADING.findall(page.read_text("utf-8"))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_bundle_page_lists_every_file() -> None:
    page = (DOCS / "bundle-format.md").read_text("utf-8")
    graphs = {f"{name}.<precision>.onnx" for name in GRAPH_NAMES}
    goldens = {"goldens.<precision>.npz"}
    optional = {"MODEL_CARD.md", "LICENSES/*", f"{CONTINUED}.<precision>.onnx"}
    assert _first_cells(page, "Files") - graphs - goldens - optional == {
        MANIFEST_NAME,
        *REQUIRED_FILES,
    }


def test_bundle_page_lists_every_manifest_field() -> None:
    page = (DOCS / "bundle-format.md").read_text("utf-8")
    assert _first_cells(page, "Manifest") == {*Manifest.__struct_fields__}
    assert f"Schema version **{SCHEMA_VERSION}**" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    targets = [page.parent / target for target in LINK.findall(page.read_text("utf-8"))]
    if not RESULTS.is_dir():
        targets = [t for t in targets if not t.resolve().is_relative_to(RESULTS)]
    assert [t for t in targets if not t.exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_into_pages_meet_a_heading(page: Path) -> None:
    links = ANCHOR.findall(page.read_text("utf-8"))
    lost = [
        f"{target}#{anchor}"
        for target, anchor in links
        if anchor not in _anchors(page.parent / target if target else page)
    ]
    assert lost == []


def test_every_test_that_a_promise_names_is_there() -> None:
    named = re.findall(r"`([\w/]+\.py)", (DOCS / "reliability.md").read_text("utf-8"))
    assert len(named) > 30
    assert [name for name in named if not (ROOT / "tests" / name).is_file()] == []


def test_the_index_names_every_page() -> None:
    named = LINK.findall((DOCS / "README.md").read_text("utf-8"))
    assert len(named) == len(set(named))
    assert {path.name for path in DOCS.glob("*.md")} - {"README.md"} <= {*named}


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text("utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == [*range(1, len(numbers) + 1)]
