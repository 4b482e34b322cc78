"""Timing training steps on our own dialogues."""

from __future__ import annotations

import pytest

from empgan_rt.bundle.bundle import Bundle
from empgan_training.run import precision as precisions
from gpu import test_training as checks
from gpu.report import Figures


def test_a_dry_run_trains_a_little_on_the_cpu() -> None:
    told: list[Figures] = []
    checks.test_training_steps_are_timed("cpu", "fp32", "cpu", told.append)
    (row,) = told
    assert (row["device"], row["precision"]) == ("cpu", "fp32")
    assert row["steps"] == checks.BATCHES
    assert isinstance(row["first loss"], float)
    assert isinstance(row["last loss"], float)
    assert row["last loss"] < row["first loss"]  # it learns those few batches
    assert row["samples/s"]
    again = checks.measured(Bundle.open("tiny"), "cpu", "fp32", 0.0)
    same = ("samples a step", "steps", "first loss", "last loss")
    assert [again[name] for name in same] == [row[name] for name in same]


def test_a_dry_run_has_no_gpu() -> None:
    with pytest.raises(pytest.skip.Exception, match="no GPU in a dry run"):
        checks.test_training_steps_are_timed("cuda", "fp32", "cpu", print)


def test_on_a_gpu_the_embedded_model_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(checks, "require", lambda engine, device: None)
    monkeypatch.setattr(
        checks, "measured", lambda bundle, *rest: seen.append((bundle.model, *rest))
    )
    for where, precision in (("cuda", "bf16"), ("cuda", "fp32"), ("cpu", "fp32")):
        checks.test_training_steps_are_timed(where, precision, "cuda", lambda row: None)  # type: ignore[arg-type]
    model = Bundle.open("default").model
    assert seen == [
        (model, "cuda", "bf16", 10.0),
        (model, "cuda", "fp32", 10.0),
        (model, "cpu", "fp32", 10.0),
    ]


def test_bfloat16_is_skipped_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precisions, "has_bf16", lambda device: False)
    with pytest.raises(pytest.skip.Exception, match="this cuda has no bfloat16"):
        checks.measured(Bundle.open("tiny"), "cuda", "bf16", 0.0)
