"""Graphs that compute other shapes, words or numbers than their signature says are bad bundles."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.device_backend import DeviceBackend
from empgan_rt.backends.outputs import check_finite, check_ids, check_shapes
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import BundleError, DivergenceError
from empgan_rt.graph_spec import CONTINUED, GRAPH_NAMES, SOS, graph_specs
from support.toy_bundle import MODEL, toy_inputs

SPECS = {which: graph_specs(MODEL)[which] for which in GRAPH_NAMES}  # which the toy has
OUTPUTS = [(which, out.name) for which, spec in SPECS.items() for out in spec.outputs]


def through(bundle: Bundle, which: str, output: str, make: Callable[..., list]) -> Bundle:
    """Return a bundle in which an output passes more nodes, and any shape of its rank is declared.

    Args:
        make: gives the nodes between these names, and finds constants under "zero", "one", "two".
    """
    name = f"{which}.fp32.onnx"
    model = onnx.load_model_from_string(bundle.files[name])
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = [f"{output}_before" if n == output else n for n in names]
    for number, word in enumerate(("zero", "one", "two")):
        array = np.array([number], np.int64)
        model.graph.initializer.append(numpy_helper.from_array(array, word))
    model.graph.node.extend(make(f"{output}_before", output))
    info = next(info for info in model.graph.output if info.name == output)
    for i, dim in enumerate(info.type.tensor_type.shape.dim):
        dim.dim_param = f"any_{i}"
    return dataclasses.replace(bundle, files={**bundle.files, name: model.SerializeToString()})


def compute(kind: type[OrtBackend], bundle: Bundle, turn_cache: int = 0) -> None:
    """Do all that a search does."""
    backend = kind(bundle, "cpu", turn_cache=turn_cache)
    inputs = toy_inputs(2)
    encoded = backend.encode(inputs)
    state = backend.open(2, 2)
    backend.admit(state, np.arange(2, dtype=np.int32), encoded)
    for _ in range(2):
        tokens = np.full((2, 2), SOS, np.int32)
        banned = np.zeros((2, 2, 1), np.int32)
        backend.step(state, tokens, np.zeros((2, 2), np.int32), banned, 3)


@pytest.fixture(params=[OrtBackend, DeviceBackend])
def kind(request: pytest.FixtureRequest) -> type[OrtBackend]:
    found: type[OrtBackend] = request.param
    return found


@pytest.fixture
def bundle(toy_folder: object) -> Bundle:
    return Bundle.open(str(toy_folder))


def test_the_toy_passes(kind: type[OrtBackend], bundle: Bundle) -> None:
    compute(kind, bundle)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize(("which", "output"), OUTPUTS)
def test_twice_as_many_or_none_along_an_axis(
    kind: type[OrtBackend], bundle: Bundle, which: str, output: str, axis: int
) -> None:
    spec = next(out for out in SPECS[which].outputs if out.name == output)
    if axis >= len(spec.axes):
        return

    def doubled(before: str, after: str) -> list:
        return [helper.make_node("Concat", [before, before], [after], axis=axis)]

    def none(before: str, after: str) -> list:
        words = [before, "zero", "zero", ("zero", "one", "two")[axis]]
        return [helper.make_node("Slice", words, [after])]

    for make in (doubled, none):
        with pytest.raises(BundleError):
            compute(kind, through(bundle, which, output, make))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_would_be_kept_of_turns_has_its_shape_too(axis: int) -> None:
    def doubled(before: str, after: str) -> list:
        return [helper.make_node("Concat", [before, before], [after], axis=axis)]

    with pytest.raises(BundleError, match=r"computed contexts of shape|has another signature"):
        compute(OrtBackend, through(Bundle.open("tiny"), CONTINUED, "contexts", doubled), 8)


def test_what_would_be_kept_of_turns_is_finite() -> None:
    def root(before: str, after: str) -> list:
        return [
            helper.make_node("Sub", [before, before], ["nothing"]),
            helper.make_node("Div", ["nothing", "nothing"], [after]),
        ]

    with pytest.raises(DivergenceError, match="continued encoder"):
        compute(OrtBackend, through(Bundle.open("tiny"), CONTINUED, "contexts", root), 8)


def test_words_that_are_none(kind: type[OrtBackend], bundle: Bundle) -> None:
    def negative(before: str, after: str) -> list:
        return [helper.make_node("Neg", [before], [after])]

    with pytest.raises(BundleError, match="among 23 words"):
        compute(kind, through(bundle, "decoder_step", "candidate_ids", negative))


@pytest.mark.parametrize(
    ("which", "output"),
    [
        ("turn_encoder", "turn_vectors"),
        ("context_encoder", "hidden"),
        ("context_encoder", "label_probs"),
        ("context_encoder", "mask"),
        ("decoder_step", "candidate_log_probs"),
    ],
)
def test_numbers_that_are_none(
    kind: type[OrtBackend], bundle: Bundle, which: str, output: str
) -> None:
    def root(before: str, after: str) -> list:
        twice = f"{before}_twice"
        return [
            helper.make_node("Sub", [before, before], [twice]),
            helper.make_node("Div", [twice, twice], [after]),
        ]

    with pytest.raises(DivergenceError, match=which.replace("_", " ")):
        compute(kind, through(bundle, which, output, root))


class OnDevice:
    """Tells its shape as ONNX Runtime's tensors do."""

    def shape(self) -> list[int]:
        return [2, 3]


def test_tensors_on_a_device_tell_their_shape_when_asked() -> None:
    check_shapes("graph", {"x": OnDevice()}, {"x": (2, 3)})
    with pytest.raises(BundleError, match=r"x of shape \(2, 3\), not \(2, 4\)"):
        check_shapes("graph", {"x": OnDevice()}, {"x": (2, 4)})


@pytest.mark.parametrize("ids", [[0, 5], [-1, 0], [2**31 - 1]])
def test_ids_are_words(ids: list[int]) -> None:
    check_ids("graph", np.array([0, 4], np.int32), 5)
    with pytest.raises(BundleError, match="among 5 words"):
        check_ids("graph", np.array(ids, np.int32), 5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("count", [1, 2, 6, 1000])
def test_one_number_that_is_none_is_found_wherever_it_stands(bad: float, count: int) -> None:
    numbers = np.linspace(-9.0, 0.0, count, dtype=np.float32)
    check_finite("step", {"numbers": numbers}, "numbers")
    for place in {0, count // 2, count - 1}:
        spoilt = numbers.copy()
        spoilt[place] = bad
        with pytest.raises(DivergenceError, match="NaN or infinity"):
            check_finite("step", {"numbers": spoilt.reshape(1, 1, count)}, "numbers")
