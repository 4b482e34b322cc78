"""The licence texts of a bundle, whatever licence its corpus has."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_export.licences import STATED, VADER, write_licences


@pytest.mark.parametrize("licence", ["Apache-2.0", "CC-BY-NC-SA-4.0"])
def test_a_licence_whose_text_we_have_is_that_text(tmp_path: Path, licence: str) -> None:
    write_licences(tmp_path / "out", licence)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {f"{licence}.txt", VADER}


@pytest.mark.parametrize("licence", ["MIT", "my own, all rights reserved", "LicenseRef-House"])
def test_any_other_licence_is_stated(tmp_path: Path, licence: str) -> None:
    write_licences(tmp_path / "out", licence)
    assert {path.name for path in (tmp_path / "out").iterdir()} == {STATED, VADER}
    assert f"\n    {licence}\n" in (tmp_path / "out" / STATED).read_text("utf-8")


def test_of_several_those_texts_are_there_that_we_have(tmp_path: Path) -> None:
    write_licences(tmp_path / "out", "CC-BY-NC-SA-4.0 AND (MIT OR Apache-2.0)")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        *("CC-BY-NC-SA-4.0.txt", "Apache-2.0.txt", STATED, VADER)
    }
