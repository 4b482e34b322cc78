"""What a section is told, in this process; and stand-ins for TensorRT and CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_bench.gpu_check.records import Job
from runtime.backends.conftest import fakes
from support.gpu_sections import MakeJob

__all__ = ["fakes", "job"]


@pytest.fixture
def job(tmp_path: Path) -> MakeJob:
    """Make a job of a dry run, unless a field says otherwise."""

    def make(**fields: object) -> Job:
        given: dict[str, object] = {
            "target": "",
            "needs": (),
            "record": str(tmp_path / "record.json"),
            "out": str(tmp_path / "out"),
            "device": "cpu",
            "engine": "onnxruntime",
            "seconds": 60.0,
        }
        return Job(**(given | fields))  # type: ignore[arg-type]

    return make
