"""A bundle exported from a tiny random checkpoint, which the processes of a test run share."""

from __future__ import annotations

import fcntl
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch

from empgan_export import graphs, to_onnx, variants
from empgan_export.options import ExportOptions
from empgan_export.package import export_bundle
from empgan_export.quantised import QuantisedLinear
from empgan_rt.graph_spec import GraphSpec
from support.small_data import small_checkpoint

Trace = Callable[..., tuple[onnx.ModelProto, dict[str, str]]]


def small_bundle(folder: Path) -> tuple[Path, Path]:
    """Return the paths of a checkpoint and of its bundle; the first process that asks makes them.

    What was traced for the bundle lies beside it, for `read_traces`.

    Args:
        folder: it is there, and is all processes' own.
    """
    checkpoint, bundle = folder / "EmpG-0.safetensors", folder / "small.empgan"
    with (folder / "small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not bundle.exists():  # it appears whole
            assert small_checkpoint(folder) == checkpoint
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(graphs, "trace", _writing(to_onnx.trace, folder))
                export_bundle(checkpoint, bundle, ExportOptions(num_contexts=10))
    return checkpoint, bundle


def read_traces(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let graphs of fp32 and int8 take what was traced for the bundle in this folder.

    A trace depends on the sizes of a generator and on nothing else, since weights are inputs of
    it. So the generator must have the sizes of the small checkpoint.
    """

    def read(
        module: torch.nn.Module, spec: GraphSpec, stored: Mapping[str, Any]
    ) -> tuple[onnx.ModelProto, dict[str, str]]:
        path = _trace_file(module, spec, folder)
        return onnx.load(path), json.loads(path.with_suffix(".json").read_bytes())

    monkeypatch.setattr(graphs, "trace", read)


def _writing(trace: Trace, folder: Path) -> Trace:
    """Return `trace`, whose results are written into a folder as well."""

    def traced(
        module: torch.nn.Module, spec: GraphSpec, stored: Mapping[str, Any]
    ) -> tuple[onnx.ModelProto, dict[str, str]]:
        model, names = trace(module, spec, stored)
        path = _trace_file(module, spec, folder)
        path.write_bytes(model.SerializeToString())
        path.with_suffix(".json").write_text(json.dumps(names))
        return model, names

    return traced


def _trace_file(module: torch.nn.Module, spec: GraphSpec, folder: Path) -> Path:
    is_int8 = any(isinstance(part, QuantisedLinear) for part in module.modules())
    return folder / f"{spec.name}.{'int8' if is_int8 else 'fp32'}.trace"


def spare_tracing(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let exports of the checkpoint take the graphs of its bundle: tracing is most of an export."""

    def read(name: str) -> onnx.ModelProto:
        return onnx.load(bundle / f"{name}.onnx", load_external_data=False)

    def step(generator, stored):
        is_int8 = isinstance(generator.decoder.vocabulary, QuantisedLinear)
        return read(f"decoder_step.{'int8' if is_int8 else 'fp32'}")

    def encoders(generator, stored):
        return {name: read(f"{name}.fp32") for name in ("turn_encoder", "context_encoder")}

    def continued(generator, stored):
        return read("continued_encoder.fp32")

    monkeypatch.setattr(variants, "encoder_graphs", encoders)
    monkeypatch.setattr(variants, "continued_encoder_graph", continued)
    monkeypatch.setattr(variants, "decoder_step_graph", step)
