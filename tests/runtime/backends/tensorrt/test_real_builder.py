"""The real TensorRT-RTX parser and builder, which need no GPU to make an engine.

Nothing here is executed: that takes a GPU.
"""

from __future__ import annotations

import importlib
import importlib.util
import signal
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest

from empgan_rt.backends.tensorrt import prepared_graph as prepared_graph_module
from empgan_rt.backends.tensorrt.build import build
from empgan_rt.backends.tensorrt.engines import Request, requests
from empgan_rt.backends.tensorrt.log import logger
from empgan_rt.backends.tensorrt.prepared_graph import fixed_spec, prepared_graph
from empgan_rt.backends.tensorrt.profiles import profiles
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import BundleError, ProviderError
from empgan_rt.graph_spec import GRAPH_NAMES, graph_specs
from empgan_training.systems import SYSTEMS, SystemName

HAS_RTX = importlib.util.find_spec("tensorrt_rtx") is not None
pytestmark = pytest.mark.skipif(
    not HAS_RTX, reason="tensorrt-rtx is not installed (pip install 'empgan-rt[trt-check]')"
)
# The last rows of the table share one shape, and with it their graphs.
SHAPES: dict[Any, SystemName] = {}
for _name, _system in SYSTEMS.items():
    SHAPES.setdefault(_system.generator_config(vocabulary_size=9, emotion_vocabulary_size=9), _name)

IN_CI = ("EmpG", "SeqGAN")  # a memory of turns, and one of words


@pytest.fixture(scope="module")
def trt() -> Any:
    return importlib.import_module("tensorrt_rtx")


def check(trt: Any, bundle: Bundle, request: Request, only: slice = slice(None)) -> None:
    """Assert that an engine parses without a fault, has the promised tensors, and is built."""
    spec = fixed_spec(graph_specs(bundle.model)[request.graph], request.beam, request.candidates)
    graph = prepared_graph(
        bundle.graph(request.precision, request.graph),
        bundle.weights,
        request.beam,
        request.candidates,
    )
    builder = trt.Builder(logger(trt))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, logger(trt))
    assert parser.parse(graph)
    assert parser.num_errors == 0
    names = {trt.DataType.FLOAT: "float32", trt.DataType.INT32: "int32"}
    for count, get, tensors in (
        (network.num_inputs, network.get_input, spec.inputs),
        (network.num_outputs, network.get_output, spec.outputs),
    ):
        found = [get(i) for i in range(count)]
        assert [(t.name, names[t.dtype]) for t in found] == [(t.name, t.dtype) for t in tensors]
        for one, wanted in zip(found, tensors, strict=True):
            axes = [axis if isinstance(axis, int) else -1 for axis in wanted.axes]
            assert list(one.shape) == axes
            assert not one.is_shape_tensor
    ranges = profiles(request.graph, bundle.model, bundle.limits, request.beam or 1)
    assert len(build(trt, graph, spec, ranges[only]).plan) > 10_000


def distinct_graphs() -> list[tuple[str, str]]:
    """Return precision and graph of everything in the tiny model; variants may share a file."""
    variants = Bundle.open("tiny").manifest.variants
    found = {v.graphs[w]: (p, w) for p, v in variants.items() for w in GRAPH_NAMES}
    return sorted(found.values())


@pytest.mark.parametrize(("precision", "which"), distinct_graphs())
def test_the_tiny_model(trt: Any, precision: str, which: str) -> None:
    bundle = Bundle.open("tiny")
    encodes = which != "decoder_step"
    request = Request(precision, which) if encodes else Request(precision, which, 5, 6)
    check(trt, bundle, request, slice(1, 2))


def test_phases_are_told(trt: Any) -> None:
    phases: list[str] = []
    _build_step(trt, listener=phases.append)
    assert "Building engine" in phases


def test_ctrl_c_cancels(trt: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        _build_step(trt, listener=lambda phase: signal.raise_signal(signal.SIGINT))


def test_topk_beyond_its_limit_fails_in_the_build(trt: Any) -> None:
    """Parsing is no proof: TensorRT's own limit, which `requests` keeps to."""
    with pytest.raises(ProviderError, match=r"decoder_step: .*(TopK|topk|3840)"):
        _build_step(trt, candidates=3841, bundle="default")


def test_a_zero_point_that_is_not_prepared_is_refused(
    trt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Bundle.open("tiny")
    spec = graph_specs(bundle.model)["decoder_step"]
    monkeypatch.setattr(prepared_graph_module, "_make_signed", lambda onnx, graph: None)
    graph = prepared_graph(bundle.graph("int8", "decoder_step"), bundle.weights, 5, 6)
    with pytest.raises(BundleError, match=r"QuantizeLinear .*[Zz]ero"):
        build(trt, graph, fixed_spec(spec, 5, 6), [])


def _build_step(trt: Any, candidates: int = 2, bundle: str = "tiny", **options: Any) -> None:
    opened = Bundle.open(bundle)
    spec = fixed_spec(graph_specs(opened.model)["decoder_step"], 1, candidates)
    graph = prepared_graph(opened.graph("fp32", "decoder_step"), opened.weights, 1, candidates)
    ranges = profiles("decoder_step", opened.model, opened.limits)[:1]
    build(trt, graph, spec, ranges, **options)


@cache
def exported(system: SystemName) -> Bundle:
    """Return a bundle of small widths with every precision that the exporter offers."""
    from empgan_export.cli import export
    from empgan_export.options import ExportOptions
    from empgan_export.package import export_bundle
    from support.small_data import small_checkpoint

    [option] = [p for p in export.params if p.name == "precisions"]
    offered: Any = option.type.to_info_dict()["choices"]
    others = tuple(precision for precision in offered if precision != "fp32")
    folder = Path(mkdtemp(prefix="empgan-trt-"))
    out = folder / "small.empgan"
    options = ExportOptions(num_contexts=1, precisions=others)
    export_bundle(small_checkpoint(folder, system=system), out, options)
    bundle = Bundle.open(out)
    assert {*bundle.manifest.variants} == {*offered}
    return bundle


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in IN_CI else pytest.mark.soak)
        for name in (*SHAPES.values(), "default")
    ],
)
def test_every_graph_with_every_profile(trt: Any, name: Any) -> None:
    bundle = Bundle.open(name) if name == "default" else exported(name)
    built = set()
    for request in requests(bundle):
        graphs = bundle.manifest.variants[request.precision].graphs
        if (graphs[request.graph], request.beam) not in built:
            built.add((graphs[request.graph], request.beam))
            check(trt, bundle, request)
    assert len(built) >= 2 + 2 * len(bundle.manifest.variants)


def test_every_system_has_one_of_these_shapes() -> None:
    sizes = {"vocabulary_size": 9, "emotion_vocabulary_size": 9}
    assert len(SYSTEMS) == 9
    assert {system.generator_config(**sizes) for system in SYSTEMS.values()} == {*SHAPES}
