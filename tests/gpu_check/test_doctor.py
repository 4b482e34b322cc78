"""What doctor's record comes to."""

from __future__ import annotations

import subprocess
from typing import Any

import msgspec
import pytest

from gpu import test_doctor as checks
from gpu.report import Figures

PROBLEM = {"code": "provider", "message": "no driver", "hint": "install one\nor use the CPU"}
SOUND: dict[str, Any] = {
    "providers": ["CUDAExecutionProvider"],
    "devices": {"cuda": True},
    "bundles": {"tiny": {"bundle_id": "0123"}},
    "problems": [],
}


@pytest.fixture
def doctor(monkeypatch: pytest.MonkeyPatch) -> Any:
    def says(record: object) -> list[Figures]:
        out = record if isinstance(record, bytes) else msgspec.json.encode(record)
        done = subprocess.CompletedProcess([], 3, out)
        monkeypatch.setattr(checks.subprocess, "run", lambda *_, **__: done)
        told: list[Figures] = []
        try:
            checks.test_the_installation_is_sound(told.append)
        finally:
            says.told = told  # type: ignore[attr-defined]
        return told

    return says


def test_a_sound_installation(doctor: Any) -> None:
    assert [(row["what"], row["value"]) for row in doctor(SOUND)] == [
        ("providers", "CUDAExecutionProvider"),
        ("cuda", "usable"),
        ("tiny", "0123"),
    ]


def test_problems_fail(doctor: Any) -> None:
    record = SOUND | {"devices": {"cuda": False}, "bundles": {"tiny": None}, "problems": [PROBLEM]}
    with pytest.raises(AssertionError, match=r"^no driver \(install one; or use the CPU\)"):
        doctor(record)
    assert [row["value"] for row in doctor.told[1:]] == ["not usable", "not usable"]


def test_without_onnx_runtime_there_is_nothing_to_examine(doctor: Any) -> None:
    with pytest.raises(pytest.skip.Exception, match="no driver"):
        doctor(SOUND | {"providers": [], "problems": [PROBLEM]})


def test_a_doctor_that_broke_down_fails(doctor: Any) -> None:
    with pytest.raises(pytest.fail.Exception, match="doctor ended with status 3 and told nothing"):
        doctor(b"")


def test_doctor_itself_is_run() -> None:
    told: list[Figures] = []
    checks.test_the_installation_is_sound(told.append)
    values = {row["what"]: row["value"] for row in told}
    assert "CPUExecutionProvider" in str(values["providers"])
