"""The embedded graphs in other libraries, where installed; the page about all of them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from empgan_rt.bundle.bundle import ASSETS
from support.source_tree import ROOT

BUNDLE = ASSETS / "tiny"
RUNTIMES = ("ONNX Runtime", "OpenVINO, told float32")
SAME_IDS = [*((n, p) for n in RUNTIMES for p in ("fp32", "int8")), ("onnx.reference", "fp32")]
PAGE = ROOT / "docs" / "portability.md"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("portability", ROOT / "scripts/portability.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["portability"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


portability = script()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize(("name", "precision"), SAME_IDS)
def test_goldens_replay_in_readers_that_are_installed(name: str, precision: str) -> None:
    reader = portability.READERS[name]
    pytest.importorskip(reader.module)
    assert portability.replayed(reader, BUNDLE, precision) == "equal"


def test_what_is_refused_and_what_differs_is_told() -> None:
    def refuses(path: object) -> None:
        raise ValueError("no | `operator` in /some/where/file.onnx")

    reader = portability.Reader((), "json", refuses, "nothing")
    cell = portability.replayed(reader, BUNDLE, "fp32")
    assert cell == "refuses: `ValueError: no / 'operator' in`"


def test_the_page_has_every_reader_and_speaks_of_the_embedded_bundle() -> None:
    page = PAGE.read_text("utf-8")
    for name, reader in portability.READERS.items():
        assert f"| {name} | {', '.join(reader.packages)} | " in page
    bundle_id = json.loads((BUNDLE / "manifest.json").read_bytes())["bundle_id"]
    assert f"`{bundle_id}`" in page


@pytest.mark.parametrize(("option", "place"), [("--bundle", "none"), ("--out", "none/page.md")])
def test_what_would_fail_at_the_end_fails_before_the_work(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    option: str,
    place: str,
) -> None:
    worked: list[str] = []
    monkeypatch.setattr(portability, "in_an_environment", lambda name, *_: worked.append(name))
    monkeypatch.setattr(sys, "argv", ["portability", option, str(tmp_path / place)])
    with pytest.raises(SystemExit):
        portability.main()
    assert worked == []
    assert f"{option} {tmp_path / place}" in capsys.readouterr().err
