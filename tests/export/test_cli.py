"""`empgan-rt export --target tensorrt`: refused before the work, or the bundle and then engines."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_export import package
from empgan_export.options import ExportOptions
from empgan_export.package import Exported
from empgan_rt.backends.tensorrt.machine import Gpu, Machine
from empgan_rt.errors import DependencyError
from empgan_training.progress import OnProgress
from support.command_line import Outcome, run
from support.pretended.tensorrt import TensorRt


@pytest.fixture
def export(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    toy_folder: Path,
    tmp_path: Path,
) -> Callable[..., Outcome]:
    """Runs the command with an exporter that publishes the toy bundle to "out"."""

    def publish(
        checkpoint: Path, out: Path, options: ExportOptions, on_progress: OnProgress
    ) -> Exported:
        if not options.dry_run:
            shutil.copytree(toy_folder, out)
        return Exported(out, "0123456789abcdef", {})

    monkeypatch.setattr(package, "export_bundle", publish)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def call(*options: str) -> Outcome:
        return run(monkeypatch, capfdbinary, "export", "model", tmp_path / "out", *options)

    return call


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> TensorRt:
    trt = TensorRt()
    here = Machine(trt, Gpu("NVIDIA H100", "9.0", "580.95"))
    monkeypatch.setattr(Machine, "here", classmethod(lambda cls: here))
    return trt


def test_bundle_and_engines(
    export: Callable[..., Outcome], machine: TensorRt, tmp_path: Path
) -> None:
    outcome = export("--target", "tensorrt", "--json")
    assert outcome.code == 0
    assert outcome.json["path"] == str(tmp_path / "out")
    assert len(outcome.json["tensorrt"]["engines"]) == 4
    assert len([*(tmp_path / "cache" / "empgan-rt" / "trt").glob("decoder_step-*.plan")]) == 2


def test_onnx_alone_looks_for_no_gpu(
    export: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Machine, "here", None)
    outcome = export("--json")
    assert outcome.code == 0
    assert "tensorrt" not in outcome.json


def test_without_tensorrt_nothing_is_published(
    export: Callable[..., Outcome], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def nowhere(cls: type[Machine]) -> Machine:
        raise DependencyError("TensorRT is not installed", hint="install it")

    monkeypatch.setattr(Machine, "here", classmethod(nowhere))
    outcome = export("--target", "tensorrt", "--json")
    assert outcome.code == 3
    assert "nothing was published" in outcome.json["error"]["hint"]
    assert not (tmp_path / "out").exists()


def test_a_bundle_stays_whose_engines_fail(
    export: Callable[..., Outcome], machine: TensorRt, tmp_path: Path
) -> None:
    machine.says = "out of memory"
    outcome = export("--target", "tensorrt", "--json")
    assert outcome.code == 3
    assert f"empgan-rt engines build {tmp_path / 'out'}" in outcome.json["error"]["hint"]
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_a_dry_run_builds_nothing(export: Callable[..., Outcome], machine: TensorRt) -> None:
    outcome = export("--target", "tensorrt", "--dry-run", "--json")
    assert outcome.code == 0
    assert machine.calls == []
