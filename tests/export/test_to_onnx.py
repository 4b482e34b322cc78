"""The traced graphs are what graph_spec promises and compute what PyTorch does."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import safetensors.torch
import torch

from empgan_export.graphs import continued_encoder_graph, decoder_step_graph, encoder_graphs
from empgan_export.to_onnx import WEIGHTS_FILE, stored_tensors
from empgan_rt.graph_spec import (
    CONTINUED,
    GRAPH_NAMES,
    STRUCK,
    UNKNOWN_LABEL,
    EncoderInput,
    graph_specs,
)
from empgan_training.checkpoint import Checkpoint
from empgan_training.eager import EagerBackend, inference_weights
from support.small_bundle import read_traces
from support.small_data import small_generator

ALL_GRAPHS = (*GRAPH_NAMES, CONTINUED)


@pytest.fixture(
    scope="module",
    params=[torch.float32, pytest.param(torch.float16, marks=pytest.mark.slow)],
    ids=["fp32", "fp16"],
)
def exported(request, small_bundle, tmp_path_factory):
    """A generator of the sizes of the small bundle's, and its graphs from the bundle's traces."""
    folder = tmp_path_factory.mktemp("graphs")
    generator = small_generator(Checkpoint.load(small_bundle[0]).config, std=0.3)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.copy_(parameter.to(request.param).float())
    stored = {n: t.to(request.param) for n, t in inference_weights(generator).items()}
    weights = safetensors.torch.save(stored)
    (folder / WEIGHTS_FILE).write_bytes(weights)
    places = stored_tensors(weights)
    with pytest.MonkeyPatch.context() as patch:
        read_traces(small_bundle[0].parent, patch)
        models = {
            **encoder_graphs(generator, places),
            CONTINUED: continued_encoder_graph(generator, places),
            "decoder_step": decoder_step_graph(generator, places),
        }
    for name, model in models.items():
        (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    return generator, folder


def _session(folder, name):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    path = str(folder / f"{name}.onnx")
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def _dialogues(rows, turns, tokens, words, seed=0):
    draw = np.random.default_rng(seed)
    utterances = draw.integers(3, 90, (rows, turns, tokens)).astype(np.int32)
    emotion_words = draw.integers(3, 30, (rows, turns, words)).astype(np.int32)
    labels = draw.integers(1, UNKNOWN_LABEL + 1, (rows, turns)).astype(np.int32)
    utterances[0, 0, tokens // 2 + 1 :] = 0
    for array in (utterances, emotion_words, labels):
        array[-1, 1:] = 0  # the last dialogue has one turn
    return EncoderInput(utterances, emotion_words, labels)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 9, 4, 2), (5, 2, 17, 3), (3, 11, 30, 8)])
def test_encoders_equal_eager_on_shapes_never_traced(exported, shape):
    generator, folder = exported
    inputs = _dialogues(*shape)
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
    found = _session(folder, "context_encoder").run(None, feeds)
    state = EagerBackend(generator).encode(inputs).tensors
    wanted = (state.values, state.keys, state.mask, state.hidden, state.label_probs)
    for array, tensor in zip(found, wanted, strict=True):
        np.testing.assert_allclose(array, tensor.numpy(), atol=1e-5)


@pytest.mark.parametrize("turns_read", [(0, 0, 0), (3, 6, 0), (8, 1, 0)])
def test_the_continued_encoder_computes_what_the_context_encoder_does(exported, turns_read):
    generator, folder = exported
    size, kept = sum(generator.config.turn_sizes), sum(generator.config.context_sizes)
    inputs = _dialogues(3, 9, 4, 2)
    first = np.array(turns_read, np.int32)
    vectors = np.random.default_rng(1).standard_normal((3, 9, size), np.float32)
    given = {"utterances": inputs.utterances, "emotion_labels": inputs.emotion_labels}
    wanted = _session(folder, "context_encoder").run(None, {"turn_vectors": vectors, **given})
    session = _session(folder, "continued_encoder")

    def continued(first, earlier, vectors):
        feeds = {"turns_read": first, "earlier": earlier, "turn_vectors": vectors}
        return session.run(None, {**feeds, **given})

    nothing = np.zeros((3, 1, kept), np.float32)
    *_, contexts = continued(np.zeros(3, np.int32), nothing, vectors)
    earlier = np.concatenate([nothing, contexts], 1)[:, : 1 + max(first)]
    new = np.zeros((3, max(9 - first), size), np.float32)
    for row, start in enumerate(first):
        earlier[row, 1 + start :] = np.nan  # which nobody reads
        new[row, : 9 - start] = vectors[row, start:]
    *found, again = continued(first, earlier, new)
    real = inputs.emotion_labels != 0
    for array, other in zip(found[:2], wanted[:2], strict=True):
        np.testing.assert_array_equal(array[real], other[real])
    for array, other in zip(found[2:4], wanted[2:4], strict=True):
        np.testing.assert_array_equal(array, other)
    np.testing.assert_array_equal(found[4][real], wanted[4][real])
    for row, start in enumerate(first):
        np.testing.assert_array_equal(again[row, : 9 - start], contexts[row, start:])


@pytest.mark.parametrize(("rows", "beams", "banned", "count"), [(1, 1, 1, 1), (3, 7, 2, 9)])
def test_thirty_steps_equal_eager(exported, rows, beams, banned, count):
    generator, folder = exported
    eager, session = EagerBackend(generator), _session(folder, "decoder_step")
    draw = np.random.default_rng(1)
    encoded = eager.encode(_dialogues(rows, 4, 6, 2))
    state = eager.open(rows, beams)
    eager.admit(state, np.arange(rows, dtype=np.int32), encoded)
    memory = {name: getattr(state, name).numpy() for name in ("values", "keys", "mask")}
    hidden = state.hidden.numpy().copy()
    for _ in range(30):
        feeds = {
            "token_ids": draw.integers(3, 90, (rows, beams)).astype(np.int32),
            "parents": draw.integers(0, beams, (rows, beams)).astype(np.int32),
            "banned": draw.integers(0, 90, (rows, beams, banned)).astype(np.int32),
        }
        wanted = eager.step(state, feeds["token_ids"], feeds["parents"], feeds["banned"], count)
        hidden, ids, log_probs = session.run(
            None,
            {**feeds, **memory, "hidden": hidden, "num_candidates": np.array([count])},
        )
        np.testing.assert_allclose(log_probs, wanted.log_probs, atol=1e-4)
        np.testing.assert_array_equal(ids, wanted.token_ids)
        taken = (ids[..., None] == feeds["banned"][:, :, None]).any(-1)
        assert not taken.any()


def test_all_candidates_are_the_whole_distribution(exported):
    generator, folder = exported
    words, size = generator.config.vocabulary_size, generator.config.hidden_size
    rows = {"hidden": np.zeros((1, 1, size), np.float32), "mask": np.zeros((1, 1), np.float32)}
    memory = {name: np.zeros((1, 1, size), np.float32) for name in ("values", "keys")}
    ids = {name: np.zeros((1, 1), np.int32) for name in ("token_ids", "parents")}
    banned = np.zeros((1, 1, 1), np.int32)
    _, found, log_probs = _session(folder, "decoder_step").run(
        None, {**rows, **memory, **ids, "banned": banned, "num_candidates": np.array([words])}
    )
    assert sorted(found.ravel()) == list(range(words))
    assert log_probs.ravel()[-1] < STRUCK / 2  # padding was struck, and nothing else
    assert 0.5 < np.exp(log_probs.ravel()[:-1].astype(np.float64)).sum() < 1.0


@pytest.mark.slow
def test_a_second_trace_in_a_row_gives_the_same_graphs(exported):
    generator, folder = exported
    places = stored_tensors((folder / WEIGHTS_FILE).read_bytes())
    for _ in range(2):
        for name, model in encoder_graphs(generator, places).items():
            assert model.SerializeToString() == (folder / f"{name}.onnx").read_bytes()


@pytest.mark.parametrize("name", ALL_GRAPHS)
def test_weights_stand_once_outside_and_nothing_tells_of_the_machine(exported, name):
    _, folder = exported
    model = onnx.load(folder / f"{name}.onnx", load_external_data=False)
    external = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert external
    assert {e.value for t in external for e in t.external_data if e.key == "location"} == {
        WEIGHTS_FILE
    }
    inline = [t for t in model.graph.initializer if t not in external]
    assert sum(int(np.prod(t.dims)) for t in inline) < 100
    assert b"/" not in b"".join(n.doc_string.encode() for n in model.graph.node)
    assert not any(n.metadata_props for n in model.graph.node)
    assert b"site-packages" not in model.SerializeToString()


@pytest.mark.parametrize("name", ALL_GRAPHS)
def test_signature_is_the_spec(exported, name):
    generator, folder = exported
    spec = graph_specs(generator.config)[name]
    graph = onnx.load(folder / f"{name}.onnx", load_external_data=False).graph
    for values, tensors in (
        (graph.input, spec.inputs),
        (graph.output, spec.outputs),
    ):
        assert [v.name for v in values] == [t.name for t in tensors]
        for value, tensor in zip(values, tensors, strict=True):
            dims = tuple(d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim)
            assert dims == tensor.axes
    onnx.checker.check_model(str(folder / f"{name}.onnx"), full_check=True)
