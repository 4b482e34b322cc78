"""One hostile graph for each rule, and children that crash, hang or lie."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from empgan_rt import BundleError, DependencyError, graph_audit
from empgan_rt.bundle import Bundle
from empgan_rt.graph_audit import audit, probe
from support.toy_bundle import write_staging

GRAPH = "turn_encoder.fp32.onnx"


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


def altered(bundle: Bundle, alter: Callable[[onnx.ModelProto], None]) -> Bundle:
    model = onnx.load_model_from_string(bundle.files[GRAPH])
    alter(model)
    return replace(bundle, files={**bundle.files, GRAPH: model.SerializeToString()})


def external(model: onnx.ModelProto, key: str, value: str) -> None:
    """Set one entry of the first tensor's external data."""
    tensor = next(t for t in model.graph.initializer if t.external_data)
    (entry,) = [e for e in tensor.external_data if e.key == key]
    entry.value = value


def add_function(model: onnx.ModelProto) -> None:
    opset = [helper.make_opsetid("", 20)]
    model.functions.append(helper.make_function("mine", "f", [], [], [], opset))


def nest(model: onnx.ModelProto, depth: int, leaf: onnx.NodeProto) -> None:
    node = leaf
    for _ in range(depth):
        inner = helper.make_graph([node], "inner", [], [])
        node = helper.make_node("If", ["c"], ["x"], then_branch=inner, else_branch=inner)
    model.graph.node.append(node)


def hidden_tensor(model: onnx.ModelProto) -> None:
    """Put external data of another file into a constant inside a subgraph."""
    tensor = TensorProto(name="t", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    nest(model, 2, helper.make_node("Constant", [], ["t"], value=tensor))


def repeated(model: onnx.ModelProto) -> None:
    tensor = next(t for t in model.graph.initializer if t.external_data)
    tensor.external_data.add(key="location", value="weights.safetensors")


HOSTILE: dict[str, tuple[Callable[[onnx.ModelProto], None], str]] = {
    "functions": (add_function, "1 functions"),
    "domain": (
        lambda m: m.graph.node.append(helper.make_node("Evil", [], ["x"], domain="com.evil")),
        "operators of 'com.evil'",
    ),
    "imported domain": (
        lambda m: m.opset_import.append(helper.make_opsetid("com.microsoft", 1)),
        "operators of 'com.microsoft'",
    ),
    "domain in a subgraph": (
        lambda m: nest(m, 3, helper.make_node("Evil", [], ["x"], domain="com.evil")),
        "operators of 'com.evil'",
    ),
    "depth": (lambda m: nest(m, 10, helper.make_node("Abs", ["x"], ["y"])), "nested deeper"),
    "training": (lambda m: m.training_info.add(), "training information"),
    "other file": (lambda m: external(m, "location", "../canary"), "not in weights.safetensors"),
    "file in a subgraph": (hidden_tensor, "not in weights.safetensors"),
    "beyond the end": (lambda m: external(m, "offset", "999999"), "out of range"),
    "negative": (lambda m: external(m, "offset", "-8"), "no sound offset"),
    "overflow": (lambda m: external(m, "offset", "9" * 40), "no sound offset"),
    "wrong length": (lambda m: external(m, "length", "2"), "another size than its shape"),
    "repeated": (repeated, "odd or repeated"),
}


def test_a_bundle_of_ours_passes(bundle: Bundle, toy_folder: Path) -> None:
    audit(bundle)
    probe(str(toy_folder), bundle.bundle_id)


@pytest.mark.parametrize("rule", sorted(HOSTILE))
def test_each_rule_holds(bundle: Bundle, rule: str) -> None:
    alter, message = HOSTILE[rule]
    with pytest.raises(BundleError, match=message) as caught:
        audit(altered(bundle, alter))
    assert GRAPH in caught.value.message


def test_bytes_that_are_no_model_are_refused(bundle: Bundle) -> None:
    for raw in (b"\xff" * 40, bundle.files[GRAPH][:-7]):
        with pytest.raises(BundleError, match="no ONNX model"):
            audit(replace(bundle, files={**bundle.files, GRAPH: raw}))


def test_without_onnx_the_extra_is_named(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError) as caught:
        audit(bundle)
    assert "empgan-rt[export]" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import os; os.abort()", "SIGABRT"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("raise SystemExit(3)", "exit code 3"),
        ("print('[]')", "exit code 0"),
        ('print(\'{"bundle_id": "other", "error": ""}\')', "changed while"),
        ("import time; time.sleep(60)", "more than 1 s"),
    ],
)
def test_a_child_that_goes_wrong_is_a_bad_bundle(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    monkeypatch.setattr(graph_audit, "PROBE", (sys.executable, "-c", code))
    monkeypatch.setattr(graph_audit, "PROBE_LIMIT_S", 1.0 if "sleep" in code else 60.0)
    with pytest.raises(BundleError, match=message):
        probe("anything", "an id")


def test_the_child_runs_the_checker(tmp_path: Path) -> None:
    """A graph that ONNX Runtime would not miss either: an operator without its input."""
    fields = write_staging(tmp_path / "toy")
    path = tmp_path / "toy" / GRAPH
    model = onnx.load_model_from_string(path.read_bytes())
    del model.graph.node[1].input[:]
    path.write_bytes(model.SerializeToString())
    folder = Bundle.seal(tmp_path / "toy", fields)
    with pytest.raises(BundleError, match=GRAPH) as caught:
        probe(str(folder), "any")
    assert str(tmp_path) not in caught.value.message


def test_the_child_runs_nothing_from_the_current_folder(
    bundle: Bundle, toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)\n")
    path = toy_folder.resolve()
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    monkeypatch.chdir(tmp_path)
    probe(str(path), bundle.bundle_id)
