"""A bundle exported from a tiny random checkpoint, which the processes of a test run share."""

from __future__ import annotations

import fcntl
from pathlib import Path

import onnx
import pytest

from empgan_export import variants
from empgan_export.options import ExportOptions
from empgan_export.package import export_bundle
from empgan_export.quantised import QuantisedLinear
from support.small_data import small_checkpoint


def small_bundle(folder: Path) -> tuple[Path, Path]:
    """Return the paths of a checkpoint and of its bundle; the first process that asks makes them.

    Args:
        folder: it is there, and is all processes' own.
    """
    checkpoint, bundle = folder / "EmpG-0.safetensors", folder / "small.empgan"
    with (folder / "small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not bundle.exists():  # it appears whole
            assert small_checkpoint(folder) == checkpoint
            export_bundle(checkpoint, bundle, ExportOptions(num_contexts=10))
    return checkpoint, bundle


def spare_tracing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports of the checkpoint take the graphs of its bundle: tracing is most of an export."""

    def read(name: str) -> onnx.ModelProto:
        return onnx.load(bundle / f"{name}.onnx", load_external_data=False)

    def step(generator, stored):
        is_int8 = isinstance(generator.decoder.vocabulary, QuantisedLinear)
        return read(f"decoder_step.{'int8' if is_int8 else 'fp32'}")

    def encoders(generator, stored):
        return {name: read(f"{name}.fp32") for name in ("turn_encoder", "context_encoder")}

    monkeypatch.setattr(variants, "encoder_graphs", encoders)
    monkeypatch.setattr(variants, "decoder_step_graph", step)
