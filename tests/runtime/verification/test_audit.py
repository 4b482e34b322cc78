"""One hostile graph for each rule, and bundles of ours that keep to all of them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from empgan_rt import BundleError, DependencyError
from empgan_rt.bundle.bundle import EMBEDDED, Bundle
from empgan_rt.verification.audit import audit

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


def elsewhere() -> onnx.NodeProto:
    """Return a constant with external data of another file."""
    tensor = TensorProto(name="t", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/hostname")
    return helper.make_node("Constant", [], ["t"], value=tensor)


def constant_elsewhere(model: onnx.ModelProto) -> None:
    model.graph.node.append(elsewhere())


def hidden_tensor(model: onnx.ModelProto) -> None:
    nest(model, 2, elsewhere())


def endless_loop(model: onnx.ModelProto) -> None:
    """Add a loop whose condition stays true."""
    condition = helper.make_tensor_value_info("c", TensorProto.BOOL, [])
    counter = helper.make_tensor_value_info("i", TensorProto.INT64, [])
    again = helper.make_tensor_value_info("again", TensorProto.BOOL, [])
    body = helper.make_graph(
        [helper.make_node("Identity", ["c"], ["again"])], "body", [counter, condition], [again]
    )
    model.graph.node.append(helper.make_node("Loop", ["", ""], [], body=body))


def graph_list(model: onnx.ModelProto) -> None:
    attribute = model.graph.node[0].attribute.add(name="g", type=onnx.AttributeProto.GRAPHS)
    attribute.graphs.add(name="inner")
    model.graph.node[0].op_type = "Abs"


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
        "'If' with a graph inside",
    ),
    "depth": (
        lambda m: nest(m, 10, helper.make_node("Abs", ["x"], ["y"])),
        "'If' with a graph inside",
    ),
    "endless loop": (endless_loop, "'Loop' with a graph inside"),
    "a list of graphs": (graph_list, "'Abs' with a graph inside"),
    "an operator that no export writes": (
        lambda m: m.graph.node.append(helper.make_node("RandomNormal", [], ["r"], shape=[9])),
        "no export writes: 'RandomNormal'",
    ),
    "training": (lambda m: m.training_info.add(), "training information"),
    "other file": (lambda m: external(m, "location", "../canary"), "not in weights.safetensors"),
    "file in a subgraph": (hidden_tensor, "'If' with a graph inside"),
    "file in a constant": (constant_elsewhere, "not in weights.safetensors"),
    "beyond the end": (lambda m: external(m, "offset", "999999"), "out of range"),
    "negative": (lambda m: external(m, "offset", "-8"), "no sound offset"),
    "overflow": (lambda m: external(m, "offset", "9" * 40), "no sound offset"),
    "wrong length": (lambda m: external(m, "length", "2"), "another size than its shape"),
    "repeated": (repeated, "odd or repeated"),
}


@pytest.mark.parametrize("name", [*EMBEDDED, "toy"])
def test_a_bundle_of_ours_passes(bundle: Bundle, name: str) -> None:
    audit(bundle if name == "toy" else Bundle.open(name))


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
