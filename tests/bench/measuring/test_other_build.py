"""Another build of ours: what it tells, and what is said where it cannot be measured."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from empgan_bench.cli import commands
from empgan_bench.measuring import cold_start, timing
from empgan_bench.measuring.other_build import other_build
from empgan_bench.workers.client import environment
from empgan_bench.workers.messages import PROTOCOL
from empgan_rt.errors import DependencyError, InputError
from support.other_builds import older_build, python_with

FILES = {
    "empgan_bench/engines/table.py": 'ENGINES = {"cpu": {"onnxruntime": "there:open"}}',
    "empgan_bench/workers/messages.py": "",
    "empgan_rt/_version.py": '__version__ = "0.0.9"',
    "empgan_rt/bundle/bundle.py": """
class Bundle:
    @staticmethod
    def open(name):
        if name == "new":
            raise ValueError("new needs a newer reader")
        return type("Opened", (), {"bundle_id": f"id of {name}"})
""",
}


@pytest.fixture
def pretended(tmp_path: Path) -> Callable[..., str]:
    """Return what makes an interpreter with a build of files alone, some of them changed."""

    def make(**changes: str) -> str:
        for name, text in (FILES | changes).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        for folder in tmp_path.glob("empgan_*"):
            (folder / "__init__.py").touch()  # or an installed package comes first
        return python_with(tmp_path)

    return make


def test_a_build_from_before_the_number_speaks_protocol_1(pretended: Callable[..., str]) -> None:
    python = pretended()
    found = other_build(python, "default", ["eager", "onnxruntime", "floor"])
    assert PROTOCOL == 1
    assert (found.python, found.empgan_rt, found.commit) == (python, "0.0.9", None)
    assert found.bundle_id == "id of default"
    assert found.openers == {"onnxruntime@other": "there:open"}


def test_another_protocol_is_refused_whatever_bundle_it_would_open(
    pretended: Callable[..., str],
) -> None:
    python = pretended(**{"empgan_bench/workers/messages.py": "PROTOCOL = 9"})
    with pytest.raises(
        DependencyError, match=r"0\.0\.9, whose bench speaks protocol 9, and this one 1"
    ):
        other_build(python, "new", ["onnxruntime"])


def test_engines_that_are_not_there_are_named(pretended: Callable[..., str]) -> None:
    python = pretended()
    with pytest.raises(InputError, match="without the engine 'onnxruntime-int8'") as caught:
        other_build(python, "default", ["onnxruntime", "onnxruntime-int8"])
    assert caught.value.hint.endswith("it has onnxruntime")
    with pytest.raises(InputError, match="without the engine 'onnxruntime'"):
        other_build(python, "default", ["onnxruntime"], "cuda")
    with pytest.raises(InputError, match="no engine of ours"):
        other_build(python, "default", ["eager", "floor"])


@pytest.mark.parametrize(
    ("changes", "bundle", "message"),
    [
        ({"empgan_bench/engines/table.py": "raise ImportError('gone')"}, "default", "gone"),
        ({}, "new", "new needs a newer reader"),
        ({"empgan_rt/_version.py": "__version__ = 3"}, "default", "Expected `str`"),
    ],
)
def test_a_build_that_does_not_work_is_named_with_its_last_words(
    pretended: Callable[..., str], changes: dict[str, str], bundle: str, message: str
) -> None:
    with pytest.raises(DependencyError, match="no build of empgan-rt that can") as caught:
        other_build(pretended(**changes), bundle, ["onnxruntime"])
    assert message in caught.value.message


def test_no_interpreter_at_all(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match=r"/no/python has no build .*No such file"):
        other_build("/no/python", "default", ["onnxruntime"])


def test_the_other_interpreter_does_not_see_our_import_path(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONPATH", "/ours")
    assert "PYTHONPATH" not in environment(None)
    assert environment("/theirs")["PYTHONPATH"] == "/theirs"


def test_two_builds_in_one_run(
    toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    sample = cold_start.ColdSample(1.0, 2.0, 3.0, 9.0)
    monkeypatch.setattr(cold_start, "cold_sample", lambda *_: sample)
    (tmp_path / "older").mkdir()
    python, out = older_build(tmp_path / "older"), tmp_path / "out"
    work = tmp_path / "work.jsonl"
    work.write_text('{"turns": ["I am happy.", "we"]}\n{"turns": ["the day"]}\n')
    arguments = (
        *("latency", str(toy_folder), "--backends", "onnxruntime", "--against", python),
        *("--batch", "2", "--beam", "2", "--warmup", "0", "--min-time", "0", "--threads", "1"),
        *("--workload", str(work), "--out", str(out), "--json"),
    )
    result = CliRunner().invoke(commands.bench, arguments)
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert [s["engine"] for s in shown["standings"]] == ["onnxruntime"] * 2
    assert all(s["over_other_build"]["value"] > 0 for s in shown["standings"])
    assert {s["other_build_replies"] for s in shown["standings"]} == {"equal"}
    assert not any("another bundle" in text for text in shown["warnings"])
    saved = json.loads((out / "report.json").read_text())
    assert saved["other_build"]["python"] == python
    versions = {engine["name"]: engine["versions"] for engine in saved["engines"]}
    assert versions["onnxruntime@other"] == {"copied": "1"}
    assert "onnxruntime" in versions["onnxruntime"]
    order = [s["engine"] for s in saved["outcome"]["series"]]
    assert order == ["onnxruntime", "onnxruntime@other"] * 2
    assert "| other build |" in (out / "report.md").read_text()
