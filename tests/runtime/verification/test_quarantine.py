"""Children that try a stranger's bundle: they crash, hang, eat memory or lie, and are told."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from empgan_rt import BundleError, DivergenceError, ParityError
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import EmpganError
from empgan_rt.verification import quarantine
from empgan_rt.verification.quarantine import Replay, probe
from support.toy_bundle import make_toy_bundle, toy_weights, write_staging

GRAPH = "turn_encoder.fp32.onnx"
REPLAY = Replay(None, "onnxruntime", "cpu")


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


def altered(bundle: Bundle, folder: Path, alter: Callable[[onnx.ModelProto], None]) -> Path:
    """Return a sealed toy bundle with another turn encoder and the old goldens."""
    fields = write_staging(folder, goldens=bundle.files["goldens.fp32.npz"])
    model = onnx.load_model_from_string((folder / GRAPH).read_bytes())
    alter(model)
    (folder / GRAPH).write_bytes(model.SerializeToString())
    Bundle.seal(folder, fields)
    return folder


def test_a_bundle_of_ours_passes_and_is_replayed(bundle: Bundle, toy_folder: Path) -> None:
    assert probe(str(toy_folder), bundle) == {}
    found = probe(str(toy_folder), bundle, REPLAY)
    assert {*found} == {"fp32"}
    assert found["fp32"].max_abs == {"label_probs": 0.0, "log_probs": 0.0}
    assert found["fp32"].atol == 1e-4


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import os; os.kill(os.getpid(), 40)", "signal 40"),
        ("raise SystemExit(3)", "exit code 3"),
        ("print('[]')", "exit code 0"),
        ('print(\'{"bundle_id": "x", "error": 7}\')', "exit code 0"),
        ("print('[' * 10**6)", "exit code 0"),
        ("print(' ' * 2**22)", "exit code 0"),
        ('print(\'{"bundle_id": "other", "error": ""}\')', "changed while"),
        ("import time; time.sleep(60)", "more than 1 s"),
    ],
)
def test_a_child_that_goes_wrong_is_a_bad_bundle(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.setattr(quarantine, "PROBE", (sys.executable, "-c", code))
    monkeypatch.setattr(quarantine, "PROBE_LIMIT_S", 1.0 if "sleep" in code else 60.0)
    with pytest.raises(BundleError, match=message):
        probe("anything", bundle)


@pytest.mark.parametrize(
    ("code", "kind"),
    [("parity", ParityError), ("divergence", DivergenceError), ("provider", BundleError)],
)
def test_a_childs_error_keeps_its_kind(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch, code: str, kind: type[EmpganError]
) -> None:
    answer = json.dumps({"bundle_id": "", "error": "too far", "code": code})
    monkeypatch.setattr(quarantine, "PROBE", (sys.executable, "-c", f"print({answer!r})"))
    with pytest.raises(kind, match="too far"):
        probe("anything", bundle, REPLAY)


def test_a_graph_without_end_is_stopped(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The audit would refuse it; the child holds even so."""
    folder = altered(bundle, tmp_path / "toy", endless)
    monkeypatch.setattr(quarantine, "PROBE_LIMIT_S", 2.0)
    with pytest.raises(BundleError, match=r"SIGXCPU|SIGKILL|more than 2 s"):
        probe(str(folder), Bundle.open(folder), REPLAY)


def endless(model: onnx.ModelProto) -> None:
    """Loop for ever before the turns' vectors come out."""
    vectors = model.graph.output[0]
    last = next(n for n in model.graph.node if "turn_vectors" in n.output)
    last.output[0] = "found"
    info = helper.make_tensor_value_info
    turns = info("turns", TensorProto.FLOAT, None)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Abs", ["turns"], ["t"])],
        "body",
        [info("i", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), turns],
        [info("on", TensorProto.BOOL, []), info("t", TensorProto.FLOAT, None)],
    )
    always = onnx.numpy_helper.from_array(np.array(True), "always")
    model.graph.initializer.append(always)
    loop = helper.make_node("Loop", ["", "always", "found"], [vectors.name], body=body)
    model.graph.node.append(loop)


def test_a_graph_that_wants_all_memory_is_stopped(bundle: Bundle, tmp_path: Path) -> None:
    def giant(model: onnx.ModelProto) -> None:
        """Make 2 ** 35 zeros, and add none of them."""
        last = next(n for n in model.graph.node if "turn_vectors" in n.output)
        last.output[0] = "found"
        shape = onnx.numpy_helper.from_array(np.array([1 << 35, 1, 1], np.int64), "giant")
        model.graph.initializer.append(shape)
        nothing = onnx.numpy_helper.from_array(np.array([0], np.int64), "axis")
        model.graph.initializer.append(nothing)
        model.graph.node.extend(
            [
                helper.make_node("ConstantOfShape", ["giant"], ["zeros"]),
                helper.make_node("ReduceSum", ["zeros", "axis"], ["sum"], keepdims=0),
                helper.make_node("Add", ["found", "sum"], ["turn_vectors"]),
            ]
        )

    folder = altered(bundle, tmp_path / "toy", giant)
    with pytest.raises(BundleError, match=r"memory ran out|refused"):
        probe(str(folder), Bundle.open(folder), REPLAY)


def test_weights_that_compute_otherwise_are_told_as_such(bundle: Bundle, tmp_path: Path) -> None:
    weights = toy_weights()
    weights["output"][0, 4] += np.float16(0.5)
    goldens = bundle.files["goldens.fp32.npz"]
    other = make_toy_bundle(tmp_path / "other", weights=weights, goldens=goldens)
    with pytest.raises(ParityError, match="log_probs deviates by"):
        probe(str(other), Bundle.open(other), REPLAY)


def test_the_child_runs_the_checker(bundle: Bundle, tmp_path: Path) -> None:
    """A graph that ONNX Runtime would not miss either: an operator without its input."""
    folder = altered(
        bundle, tmp_path / "toy", lambda model: model.graph.node[1].ClearField("input")
    )
    with pytest.raises(BundleError, match=GRAPH) as caught:
        probe(str(folder), Bundle.open(folder))
    assert str(tmp_path) not in caught.value.message


def test_the_child_reads_text(tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    path = tmp_path / "toy" / "tokenizer.json"
    path.write_bytes(path.read_bytes().replace(b'"happy"', b'""'))
    folder = tmp_path / "toy"
    Bundle.seal(folder, fields)
    with pytest.raises(BundleError, match="1 words are empty"):
        probe(str(folder), Bundle.open(folder))


def test_the_child_runs_nothing_from_the_current_folder(
    bundle: Bundle, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)\n")
    path = toy_folder.resolve()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(tmp_path)
    probe(str(path), bundle)
