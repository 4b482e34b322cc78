"""What doctor's record comes to."""

from __future__ import annotations

import subprocess
from typing import Any

import msgspec
import pytest

from empgan_bench.gpu_check import installation
from empgan_bench.gpu_check.installation import examined
from empgan_bench.gpu_check.records import Missing
from support.gpu_sections import MakeJob

PROBLEM = {"code": "provider", "message": "no driver", "hint": "install one\nor use the CPU"}
SOUND: dict[str, Any] = {
    "providers": ["CUDAExecutionProvider"],
    "devices": {"cuda": True},
    "bundles": {"tiny": {"bundle_id": "0123"}},
    "problems": [],
}


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Any:
    def says(record: object) -> None:
        out = record if isinstance(record, bytes) else msgspec.json.encode(record)
        done = subprocess.CompletedProcess([], 3, out)
        monkeypatch.setattr(installation.subprocess, "run", lambda *_, **__: done)

    return says


def test_a_sound_installation(job: MakeJob, doctor: Any) -> None:
    doctor(SOUND)
    found = [(f.figures["what"], f.figures["value"]) for f in examined(job())]
    assert found == [
        ("providers", "CUDAExecutionProvider"),
        ("cuda", "usable"),
        ("tiny", "0123"),
    ]


def test_problems_are_faults(job: MakeJob, doctor: Any) -> None:
    doctor(SOUND | {"devices": {"cuda": False}, "bundles": {"tiny": None}, "problems": [PROBLEM]})
    found = [*examined(job())]
    assert [f.figures["value"] for f in found[1:3]] == ["not usable", "not usable"]
    assert found[3].fault == "no driver (install one; or use the CPU)"


def test_without_onnx_runtime_there_is_nothing_to_examine(job: MakeJob, doctor: Any) -> None:
    doctor(SOUND | {"providers": [], "problems": [PROBLEM]})
    with pytest.raises(Missing, match="no driver"):
        list(examined(job()))


def test_a_doctor_that_broke_down_is_a_fault(job: MakeJob, doctor: Any) -> None:
    doctor(b"")
    assert [f.fault for f in examined(job())] == ["doctor ended with status 3 and told nothing"]


def test_doctor_itself_is_run(job: MakeJob) -> None:
    values = {f.figures["what"]: f.figures["value"] for f in examined(job()) if f.figures}
    assert "CPUExecutionProvider" in str(values["providers"])
