"""Which files a variant has, and what the fp16 graphs compute in which type."""

from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import safetensors.torch
import torch
from onnx import TensorProto, helper

from empgan_export.half_precision import in_float16
from empgan_export.to_onnx import WEIGHTS_FILE
from empgan_export.variants import (
    PRECISIONS,
    chosen_variants,
    references,
    variant_graphs,
    write_graphs,
)
from empgan_rt.config import GeneratorConfig
from empgan_rt.errors import ParityError
from empgan_rt.graph_spec import GRAPH_NAMES, graph_specs
from empgan_rt.verification.goldens import seeded_goldens
from empgan_training.eager import inference_weights
from support.small_data import small_generator

pytestmark = pytest.mark.long

CONFIG = GeneratorConfig(90, 30, 12, 10, 8, 16, 6)
HALF, FLOAT = TensorProto.FLOAT16, TensorProto.FLOAT


@pytest.fixture(
    scope="module",
    params=[torch.float16, pytest.param(torch.float32, marks=pytest.mark.slow)],
    ids=["fp16", "fp32"],
)
def exported(request, tmp_path_factory):
    """The fp16 graphs of a generator over weights of either type, and their reference."""
    folder = tmp_path_factory.mktemp("variants")
    generator = in_float16(small_generator(CONFIG, std=0.3)).float()
    weights = {n: t.to(request.param) for n, t in inference_weights(generator).items()}
    file = safetensors.torch.save(weights)
    (folder / WEIGHTS_FILE).write_bytes(file)
    variants = {"fp16": chosen_variants(["fp16"], 1e-4)["fp16"]}
    backends = references(generator, variants)
    models = variant_graphs(backends, variants, file)
    write_graphs(models, folder)
    graphs = {which: models[name] for which, name in variants["fp16"].graphs.items()}
    return graphs, folder, backends["fp16"], request.param


def _session(folder, which):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(folder / f"{which}.fp16.onnx")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _types(model):
    """Element type of every value of a graph."""
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    values = (*graph.value_info, *graph.input, *graph.output)
    types = {value.name: value.type.tensor_type.elem_type for value in values}
    return types | {tensor.name: tensor.data_type for tensor in graph.initializer}


def test_variants_share_what_they_can():
    variants = chosen_variants(["fp16", "int8"], 1e-3)
    assert [*variants] == [*PRECISIONS] == ["fp32", "int8", "fp16"]
    assert variants["int8"].turn_encoder == variants["fp32"].turn_encoder
    assert variants["fp16"].context_encoder == "context_encoder.fp16.onnx"
    assert len({v.decoder_step for v in variants.values()}) == 3
    assert [v.atol for v in variants.values()] == [1e-3, 0.05, 0.05]
    assert [*chosen_variants([], 1e-4)] == ["fp32"]


def test_states_of_float16_are_not_gone_on_from():
    variants = chosen_variants(["int8", "fp16"], 1e-4)
    named = {name: variant.continued_encoder for name, variant in variants.items()}
    graph = "continued_encoder.fp32.onnx"
    assert named == {"fp32": graph, "int8": graph, "fp16": None}


@pytest.mark.parametrize("which", GRAPH_NAMES)
def test_products_are_of_float16_and_softmaxes_of_float32(exported, which):
    model = exported[0][which]
    types = _types(model)
    found = Counter(
        (node.op_type, types[node.input[0]])
        for node in model.graph.node
        if node.op_type in ("MatMul", "Gemm", "GRU", "LogSoftmax", "Softmax")
    )
    assert (
        found
        == {
            "turn_encoder": {("GRU", HALF): 3},
            # the labels' embedding, the recogniser, keys, values and the first state
            "context_encoder": {("GRU", HALF): 4, ("MatMul", HALF): 4, ("Gemm", HALF): 1}
            | {("Softmax", HALF): 1},  # of seven labels
            "decoder_step": {("MatMul", HALF): 7, ("Softmax", FLOAT): 1, ("LogSoftmax", FLOAT): 1},
        }[which]
    )


@pytest.mark.parametrize("which", GRAPH_NAMES)
def test_large_constants_stay_out_of_float16(exported, which):
    model = exported[0][which]
    for tensor in model.graph.initializer:
        if tensor.data_location != TensorProto.EXTERNAL and tensor.data_type == HALF:
            assert np.abs(onnx.numpy_helper.to_array(tensor)).max(initial=0.0) <= 1


@pytest.mark.parametrize("which", GRAPH_NAMES)
def test_weights_are_read_as_they_are_stored_or_cast_once(exported, which):
    graphs, _, _, stored = exported
    graph = graphs[which].graph
    weights = {t.name for t in graph.initializer if t.data_location == TensorProto.EXTERNAL}
    cast = {n.input[0] for n in graph.node if n.op_type == "Cast"}
    biases = {"decoder.vocabulary.bias"} & weights  # added to logits of float32
    tables = {name for name in weights if name.endswith("embedding.weight")}
    assert cast & weights == (biases if stored == torch.float16 else weights - tables)
    rows = {n.output[0] for n in graph.node if n.op_type == "Gather" and n.input[0] in tables}
    assert cast & rows == (set() if stored == torch.float16 else rows)


@pytest.mark.parametrize("which", GRAPH_NAMES)
def test_the_signature_is_that_of_float32(exported, which):
    spec = graph_specs(CONFIG)[which]
    session = _session(exported[1], which)
    for values, wanted in (
        (session.get_inputs(), spec.inputs),
        (session.get_outputs(), spec.outputs),
    ):
        types = [(value.name, value.type) for value in values]
        kinds = {"float32": "float"}
        assert types == [(t.name, f"tensor({kinds.get(t.dtype, t.dtype)})") for t in wanted]


def test_graphs_compute_what_pytorch_does_in_float16(exported):
    _, folder, reference, _ = exported
    golden = seeded_goldens(CONFIG)[1]
    inputs = golden.inputs
    rows, turns = inputs.emotion_labels.shape
    flat = {
        name: getattr(inputs, name).reshape(rows * turns, -1)
        for name in ("utterances", "emotion_words")
    }
    (vectors,) = _session(folder, "turn_encoder").run(None, flat)
    feeds = {
        "turn_vectors": vectors.reshape(rows, turns, -1),
        "utterances": inputs.utterances,
        "emotion_labels": inputs.emotion_labels,
    }
    values, keys, mask, hidden, _ = _session(folder, "context_encoder").run(None, feeds)
    encoded = reference.encode(inputs)
    wanted = encoded.tensors
    for array, tensor in ((values, wanted.values), (keys, wanted.keys), (hidden, wanted.hidden)):
        np.testing.assert_allclose(array, tensor.float().numpy(), atol=0.01)
    np.testing.assert_array_equal(mask, wanted.mask.numpy())

    state = reference.open(rows, 1)
    reference.admit(state, np.arange(rows, dtype=np.int32), encoded)
    ids = np.full((rows, 1), 5, np.int32)
    none = np.zeros((rows, 1), np.int32)
    candidates = reference.step(state, ids, none, none[..., None], 6)
    feeds = {"token_ids": ids, "parents": none, "hidden": hidden[:, None], "mask": mask}
    feeds |= {"values": values, "keys": keys, "banned": none[..., None]}
    _, found, log_probs = _session(folder, "decoder_step").run(
        None, {**feeds, "num_candidates": np.array([6])}
    )
    np.testing.assert_allclose(log_probs, candidates.log_probs, atol=0.01)
    np.testing.assert_array_equal(found, candidates.token_ids)


def test_an_invalid_graph_is_refused(tmp_path):
    missing = helper.make_node("Add", ["x", "nowhere"], ["y"])
    value = helper.make_tensor_value_info("x", FLOAT, [1])
    result = helper.make_tensor_value_info("y", FLOAT, [1])
    graph = helper.make_graph([missing], "trial", [value], [result])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    with pytest.raises(ParityError, match=r"trial\.onnx is no valid ONNX"):
        write_graphs({"trial.onnx": model}, tmp_path)
