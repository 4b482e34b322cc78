"""Timing training steps on random batches."""

from __future__ import annotations

import pytest
import torch

from empgan_bench.gpu_check import training
from empgan_bench.gpu_check.training import DRY, REAL, random_batches, timed
from empgan_rt.bundle.bundle import Bundle
from support.gpu_sections import MakeJob


def test_a_dry_run_trains_a_little_on_the_cpu(job: MakeJob) -> None:
    note, found = timed(job(engine=""))
    assert note.note.startswith("random words")
    figures = found.figures
    assert (figures["device"], figures["precision"]) == ("cpu", "fp32")
    steps = figures["steps"]
    assert isinstance(steps, int)
    assert steps % DRY.batches == 0
    assert isinstance(figures["first loss"], float)
    assert isinstance(figures["last loss"], float)
    assert figures["last loss"] < figures["first loss"]  # it learns those few batches


def test_on_a_gpu_both_precisions_and_the_cpu_are_timed(
    job: MakeJob, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    monkeypatch.setattr(training, "REAL", DRY)
    monkeypatch.setattr(training, "has_bf16", lambda device: device.type == "cuda")
    monkeypatch.setattr(
        training,
        "measured",
        lambda sizes, batches, device, precision: seen.append((device.type, precision)) or {"a": 1},
    )
    list(timed(job(device="cuda")))
    assert seen == [("cuda", "bf16"), ("cuda", "fp32"), ("cpu", "fp32")]


def test_batches_are_the_same_in_every_run() -> None:
    first, second = random_batches(DRY), random_batches(DRY)
    assert len(first) == DRY.batches
    for one, other in zip(first, second, strict=True):
        assert torch.equal(one.utterances, other.utterances)
        assert torch.equal(one.response_out, other.response_out)
        assert one.counts == other.counts
        assert int(one.utterances.max()) < DRY.model.vocabulary_size
        assert int(one.emotion_words.max()) < DRY.model.emotion_vocabulary_size


def test_the_real_sizes_are_those_of_the_embedded_model() -> None:
    assert REAL.model == Bundle.open("default").model
