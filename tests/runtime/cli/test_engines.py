"""`empgan-rt engines build`: what it prints, what it refuses, what it leaves behind."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt.backends.tensorrt.machine import Gpu, Machine
from support.command_line import Outcome
from support.pretended.tensorrt import TensorRt

Command = Callable[..., Outcome]


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TensorRt:
    """A machine with a GPU and a TensorRT that is not real."""
    trt = TensorRt()
    here = Machine(trt, Gpu("NVIDIA H100", "9.0", "580.95"))
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: here))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return trt


def test_engines_are_built_once(
    command: Command, toy_folder: Path, tmp_path: Path, machine: TensorRt
) -> None:
    outcome = command("engines", "build", toy_folder, "--json")
    assert outcome.code == 0
    record = outcome.json
    assert record["tensorrt"] == "tensorrt 11.4.0"
    assert record["gpu"]["compute_capability"] == "9.0"
    assert record["folder"] == str(tmp_path / "empgan-rt" / "trt")
    assert [(e["graph"], e["beam"], e["candidates"]) for e in record["engines"]] == [
        ("turn_encoder", None, None),
        ("context_encoder", None, None),
        ("decoder_step", 1, 2),
        ("decoder_step", 5, 6),
    ]
    assert not any(engine["cached"] for engine in record["engines"])
    assert record["engines"][0]["profiles"][1]["U"] == [2, 8, 8]
    again = command("engines", "build", toy_folder, "--json").json
    assert all(engine["cached"] for engine in again["engines"])
    assert machine.names().count("build") == 4


def test_text_for_people_says_what_was_not_done(
    command: Command, toy_folder: Path, machine: TensorRt
) -> None:
    text = command("engines", "build", toy_folder, "--beam", "3", "--candidates", "7").out
    assert "NVIDIA H100, 9.0, driver 580.95" in text
    assert "decoder_step     fp32         3          8" in text
    assert "No GPU has executed any" in text


def test_nothing_is_written_beside_the_cache(
    command: Command, toy_folder: Path, tmp_path: Path, machine: TensorRt
) -> None:
    before = sorted(toy_folder.rglob("*"))
    command("engines", "build", toy_folder)
    assert sorted(toy_folder.rglob("*")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["empgan-rt"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--beam", "one"), "--beam 'one'"),
        (("--beam", "0"), "beam 0"),
        (("--precision", "fp8"), "precision 'fp8'"),
        (("--candidates", "3"), "3 candidates with beam 5"),
    ],
)
def test_wrong_options(
    command: Command, toy_folder: Path, options: tuple[str, ...], message: str
) -> None:
    outcome = command("engines", "build", toy_folder, *options)
    assert outcome.code == 2
    assert message in outcome.err


def test_without_tensorrt(
    command: Command, toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    monkeypatch.setitem(sys.modules, "tensorrt_rtx", None)
    outcome = command("engines", "build", toy_folder, "--json")
    assert outcome.code == 3
    assert outcome.json["error"]["code"] == "dependency"
    assert "empgan-rt[tensorrt]" in outcome.json["error"]["hint"]


def test_a_build_that_fails(command: Command, toy_folder: Path, machine: TensorRt) -> None:
    machine.says = "Requested amount of GPU memory: out of memory"
    outcome = command("engines", "build", toy_folder)
    assert outcome.code == 3
    assert "ran out of GPU memory" in outcome.err
    assert "nvidia-smi" in outcome.err
