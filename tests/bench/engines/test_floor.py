import dataclasses
import sys
from collections import Counter

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from empgan_bench.engines.floor import open_floor, open_floor_int8
from empgan_bench.engines.floor_graph import floor_graph
from empgan_bench.measuring.workload import load_workload
from empgan_bench.workers.messages import Open, Ran, Run
from empgan_bench.workers.worker import _Worker
from empgan_export.best_words import BLOCK, RESCORED
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError
from empgan_rt.graph_spec import GRAPH_NAMES

OPENERS = {"fp32": open_floor, "int8": open_floor_int8}
BEAMS = 3
SEARCH = SearchConfig(beam_size=BEAMS, min_length=5, max_length=5)


@pytest.fixture(scope="module")
def bundle(small_bundle):
    return Bundle.open(small_bundle[1])


@pytest.fixture(scope="module")
def batch(bundle):
    return load_workload(None, bundle.featurizer()).batches(4, seed=1)[0]


@pytest.fixture(scope="module", params=OPENERS)
def floor(small_bundle, request):
    return request.param, OPENERS[request.param](str(small_bundle[1]), 1)


def computed(floor, batch):
    """Return (graph, name -> product) of every run that is timed for a batch."""
    runs = floor._probes.runs(batch, BEAMS)
    for which, arrays in runs:
        session = floor._sessions[which]
        names = [output.name for output in session.get_outputs()]
        yield which, dict(zip(names, session.run(names, arrays), strict=True))


@pytest.mark.parametrize("precision", OPENERS)
def test_the_floor_has_every_product_of_the_graphs_and_nothing_else(bundle, precision):
    for which in GRAPH_NAMES:
        whole = onnx.load_model_from_string(bundle.graph(precision, which)).graph
        floor = onnx.load_model_from_string(floor_graph(bundle.graph(precision, which)).floor).graph
        products = Counter(node.op_type for node in whole.node)
        weights = {tensor.name for tensor in floor.initializer}
        left = Counter()
        for node in floor.node:
            if all(name in weights for name in node.input):
                weights.update(node.output)  # computed once, when the session is made
            else:
                left[node.op_type] += 1
        recurrences = products["GRU"]
        assert left == Counter(
            MatMul=products["MatMul"] + recurrences,
            Gemm=products["Gemm"],
            DequantizeLinear=4 if (precision, which) == ("int8", "decoder_step") else 0,
            Loop=recurrences,
            Shape=recurrences,
        )
        assert all(len(node.input) == 2 for node in floor.node if node.op_type == "Gemm")


def test_the_products_of_a_step_have_its_shapes(bundle, floor, batch):
    precision, opened = floor
    which, products = [*computed(opened, batch)][-1]
    model, (rows, turns) = bundle.model, batch.emotion_labels.shape
    hidden, beams = model.hidden_size, (rows, BEAMS)
    words = -(-model.vocabulary_size // BLOCK) * BLOCK
    assert which == "decoder_step"
    assert Counter(array.shape for array in products.values()) == Counter(
        [
            *[(*beams, 3 * hidden)] * 2,  # the GRU's, from token and state
            *[(*beams, hidden)] * 3,  # the attention's query and its sum, W_od d
            (*beams, turns, 1),  # its scores
            (*beams, words),
            *([(*beams, RESCORED, 1)] if precision == "int8" else []),  # the best words once more
        ]
    )


def test_the_floor_of_int8_multiplies_integers(bundle, tmp_path):
    graph = floor_graph(bundle.graph("int8", "decoder_step")).floor
    (tmp_path / "weights.safetensors").write_bytes(bundle.weights)
    (tmp_path / "floor.onnx").write_bytes(graph)
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3  # an optimised model depends on the machine: it says so
    ort.InferenceSession(tmp_path / "floor.onnx", options, providers=["CPUExecutionProvider"])
    optimised = onnx.load(tmp_path / "optimised.onnx", load_external_data=False).graph
    operators = Counter(node.op_type for node in optimised.node)
    assert operators["MatMulIntegerToFloat"] == 4
    assert operators["MatMul"] == 4  # the score of a turn, Eq. 5, W_od, the best words once more


def test_the_products_of_the_encoders_have_the_shapes_of_their_runs(bundle, floor, batch):
    _, opened = floor
    model, (rows, turns) = bundle.model, batch.emotion_labels.shape
    sizes = [3 * model.hidden_size] * 2 + [3 * model.recogniser_size]
    *turn_runs, (context, products), _ = computed(opened, batch)
    *turn_reads, _, _ = opened._probes.runs(batch, BEAMS)
    for (which, found), (_, arrays) in zip(turn_runs, turn_reads, strict=True):
        read = sorted(array.shape[:2] for array in arrays.values() if array.shape[0] != 1)
        inputs = [array.shape for name, array in found.items() if name.endswith("/inputs")]
        states = [array.shape for name, array in found.items() if name.endswith("/states")]
        assert which == "turn_encoder"
        assert sorted(shape[:2] for shape in inputs if shape[0] != 1) == read  # steps and turns
        assert sorted(shape[2] for shape in inputs) == sorted(sizes)
        assert Counter(states) == Counter((1, inputs[0][1], size) for size in sizes)
    assert context == "context_encoder"
    shapes = Counter(array.shape for array in products.values())
    assert shapes[(turns, rows, 3 * model.hidden_size)] == 3  # words, emotion words, labels
    assert shapes[(turns, rows, 3 * model.recogniser_size)] == 1
    assert shapes[(rows, turns, model.hidden_size)] == 2  # keys and values
    assert shapes[(rows, model.hidden_size)] == 1  # the first state
    assert len(products) == 3 * 2 + 1 * 2 + 2 + 1 + 2  # and the recogniser's and label's layers


def test_the_products_are_those_of_the_bundle(bundle, floor, batch):
    precision, opened = floor
    encoded = OrtBackend(bundle, precision=precision).encode(batch).tensors
    products = next(found for which, found in computed(opened, batch) if which == "context_encoder")
    for name in ("keys", "values"):
        np.testing.assert_allclose(products[name], encoded[name], rtol=1e-5, atol=1e-6)


def test_a_worker_takes_the_steps_it_is_told_and_prepares_a_batch_once(small_bundle, bundle, batch):
    worker = _Worker()
    worker.answer(Open("empgan_bench.engines.floor:open_floor", str(small_bundle[1]), 1))
    worker._batches = [batch]
    seen = []
    worker._engine = Recording(worker._engine, seen)
    answer = worker.answer(Run([0, 0], SEARCH))
    assert isinstance(answer, Ran)
    assert len(seen) == 1
    for sample in answer.samples:
        assert sample.replies == []
        timing = sample.timing
        assert (timing.steps, timing.dialogues, timing.tokens) == (5, 4, 0)
        assert timing.encode_ms + timing.step_ms == pytest.approx(timing.total_ms)
        assert timing.encode_ms < timing.first_token_ms < timing.total_ms


@dataclasses.dataclass
class Recording:
    """Passes on to a yardstick what is to be prepared, and counts it."""

    yardstick: object
    seen: list

    def prepared(self, inputs, search):
        self.seen.append(search)
        return self.yardstick.prepared(inputs, search)


def test_a_missing_onnx_is_named(monkeypatch, bundle):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(DependencyError, match="onnx is not installed") as caught:
        floor_graph(bundle.graph("fp32", "decoder_step"))
    assert "empgan-rt[export]" in caught.value.hint
