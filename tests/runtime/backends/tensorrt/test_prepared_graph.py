"""What TensorRT is given computes what the bundle's graph does."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from empgan_rt.backends.onnxruntime.session import open_session
from empgan_rt.backends.tensorrt.prepared_graph import fixed_spec, prepared_graph
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import GeneratorConfig
from empgan_rt.errors import BundleError
from empgan_rt.graph_spec import GRAPH_NAMES, GraphSpec, graph_specs
from support.pretended.tensorrt_engines import exact_session

BEAM, CANDIDATES = 5, 12
SIZES = {"U": 4, "B": 3, "M": 4, "L": 6, "N": 2, "P": 4, "S": 2, "K": BEAM}


@pytest.fixture(scope="module")
def tiny() -> Bundle:
    return Bundle.open("tiny")


def feeds(spec: GraphSpec, model: GeneratorConfig) -> dict[str, np.ndarray]:
    """Return random inputs of a graph, within what its ids may be."""
    draw = np.random.default_rng(0)
    most = {
        "utterances": model.vocabulary_size,
        "token_ids": model.vocabulary_size,
        "banned": model.vocabulary_size,
        "emotion_words": model.emotion_vocabulary_size,
        "emotion_labels": 9,
        "parents": BEAM,
    }
    found: dict[str, np.ndarray] = {}
    for tensor in spec.inputs:
        shape = [SIZES[axis] if isinstance(axis, str) else axis for axis in tensor.axes]
        if tensor.name == "num_candidates":
            found[tensor.name] = np.array([CANDIDATES])
        elif tensor.name == "mask":
            found[tensor.name] = np.zeros(shape, np.float32)
        elif tensor.dtype == "int32":
            low = 0 if tensor.name == "parents" else 1
            found[tensor.name] = draw.integers(low, most[tensor.name], shape).astype(np.int32)
        else:
            found[tensor.name] = np.tanh(draw.standard_normal(shape)).astype(np.float32)
    return found


@pytest.mark.parametrize("which", GRAPH_NAMES)
@pytest.mark.parametrize("precision", Bundle.open("tiny").manifest.variants)
def test_it_computes_the_same(tiny: Bundle, precision: str, which: str) -> None:
    spec = graph_specs(tiny.model)[which]
    fixed = (BEAM, CANDIDATES) if which == "decoder_step" else (None, None)
    given = feeds(spec, tiny.model)
    graph = tiny.graph(precision, which)
    before = open_session(graph, tiny.weights, spec, "cpu").run(None, given)
    ready = prepared_graph(graph, tiny.weights, *fixed)
    session = exact_session(ready)
    given.pop("num_candidates", None)
    after = session.run(None, given)
    for tensor, one, other in zip(spec.outputs, before, after, strict=True):
        if tensor.dtype == "int32":
            assert (one == other).all()
        else:
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.parametrize("precision", Bundle.open("tiny").manifest.variants)
def test_what_quantises_is_constant_and_signed(tiny: Bundle, precision: str) -> None:
    ready = prepared_graph(tiny.graph(precision, "decoder_step"), tiny.weights, BEAM, CANDIDATES)
    model = onnx.load_model_from_string(ready)
    tensors = {tensor.name: tensor for tensor in model.graph.initializer}
    kinds = ("QuantizeLinear", "DequantizeLinear")
    quantising = [node for node in model.graph.node if node.op_type in kinds]
    assert bool(quantising) == (precision == "int8")
    for node in quantising:
        for name in node.input[1:]:
            assert name in tensors
        assert tensors[node.input[2]].data_type == TensorProto.INT8
        assert not onnx.numpy_helper.to_array(tensors[node.input[2]]).any()


def test_nothing_lies_outside(tiny: Bundle) -> None:
    model = onnx.load_model_from_string(
        prepared_graph(tiny.graph("fp32", "turn_encoder"), tiny.weights)
    )
    assert not any(tensor.external_data for tensor in model.graph.initializer)
    onnx.checker.check_model(model, full_check=True)


def test_the_signature_is_fixed(tiny: Bundle) -> None:
    spec = fixed_spec(graph_specs(tiny.model)["decoder_step"], BEAM, CANDIDATES)
    ready = prepared_graph(tiny.graph("fp32", "decoder_step"), tiny.weights, BEAM, CANDIDATES)
    model = onnx.load_model_from_string(ready)
    assert [value.name for value in model.graph.input] == [tensor.name for tensor in spec.inputs]
    assert "num_candidates" not in [tensor.name for tensor in spec.inputs]
    axes = {tensor.name: tensor.axes for tensor in (*spec.inputs, *spec.outputs)}
    assert axes["parents"] == ("B", BEAM)
    assert axes["candidate_ids"] == ("B", BEAM, CANDIDATES)


def test_the_same_graph_gives_the_same_bytes(tiny: Bundle) -> None:
    graph = tiny.graph("fp32", "decoder_step")
    once = prepared_graph(graph, tiny.weights, 1, 2)
    assert once == prepared_graph(graph, tiny.weights, 1, 2)
    assert once != prepared_graph(graph, tiny.weights, 1, 3)


@pytest.mark.parametrize(
    "place",
    [
        {"location": "other.bin", "offset": "0", "length": "4"},
        {"location": "weights.safetensors", "offset": "8", "length": "4"},
        {"location": "weights.safetensors", "offset": "-4", "length": "4"},
        {"location": "weights.safetensors", "offset": "4", "length": "-4"},
        {"location": "weights.safetensors", "offset": "0"},
        {"location": "weights.safetensors", "offset": "x", "length": "4"},
    ],
)
def test_data_from_elsewhere_is_refused(place: dict[str, str]) -> None:
    tensor = TensorProto(
        name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL
    )
    for key, value in place.items():
        tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph([], "g", [], [], [tensor])
    with pytest.raises(BundleError, match="'w' refers to data"):
        prepared_graph(helper.make_model(graph).SerializeToString(), b"\0" * 8)


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(BundleError, match="no ONNX model"):
        prepared_graph(b"\xff\xff", b"")
