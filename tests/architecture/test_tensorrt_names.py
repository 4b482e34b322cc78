"""Every name of TensorRT that we touch exists in 10.16, in 11.4 and in TensorRT-RTX 1.7.

`tests/data/tensorrt_names.json` lists, for the classes that engines need, what all three have. The
names were read from the modules themselves: tensorrt 10.16.1.11, tensorrt 11.4.0.106 and
tensorrt_rtx 1.7.1.116.
"""

from __future__ import annotations

import ast
import importlib
import json
from collections.abc import Iterator

import pytest

from support.source_tree import ROOT, module_paths

NAMES = {
    name: {*members}
    for name, members in json.loads(
        (ROOT / "tests" / "data" / "tensorrt_names.json").read_text("utf-8")
    ).items()
}
# What our modules call TensorRT's objects.
RECEIVERS = {
    "builder": "Builder",
    "network": "INetworkDefinition",
    "parser": "OnnxParser",
    "fault": "ParserError",
    "config": "IBuilderConfig",
    "profile": "IOptimizationProfile",
    "io": "ITensor",
    "runtime": "Runtime",
    "engine": "ICudaEngine",
    "context": "IExecutionContext",
}
ROOM = "empgan_rt.backends.tensorrt.build"
RUNNING = [f"empgan_rt.backends.tensorrt.{n}" for n in ("backend", "context", "graph", "state")]
OURS = {"__name__", "__version__"}
MODULES = {
    name: path
    for name, path in module_paths().items()
    if name.startswith("empgan_rt.backends.tensorrt.")
}


def faults_of(source: str, *, receivers: bool) -> Iterator[str]:
    """Yield the names of TensorRT in a module's source that not all versions have.

    Args:
        source: its text.
        receivers: whether its variables are named as in RECEIVERS.
    """
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        owner = ast.unparse(node.value)
        if owner == "trt":
            known: set[str] | None = {*NAMES, *OURS}
        elif owner.startswith("trt."):
            known = {*NAMES.get(owner.removeprefix("trt."), ()), "__init__"}
        else:
            known = NAMES[RECEIVERS[owner]] if receivers and owner in RECEIVERS else None
        if known is not None and node.attr not in known:
            yield f"{owner}.{node.attr}"


def overridden(source: str) -> Iterator[tuple[str, str]]:
    """Yield class of TensorRT and method, for each method of ours that TensorRT would call."""
    for node in ast.walk(ast.parse(source)):
        bases = [ast.unparse(b) for b in node.bases] if isinstance(node, ast.ClassDef) else []
        for base in bases:
            if base.startswith("trt.") and isinstance(node, ast.ClassDef):
                methods = {m.name for m in node.body if isinstance(m, ast.FunctionDef)}
                yield from ((base[4:], name) for name in sorted(methods))


def test_the_modules_with_receivers_are_there() -> None:
    assert {ROOM, *RUNNING} <= {*MODULES}


@pytest.mark.parametrize("module", MODULES)
def test_every_name_exists_everywhere(module: str) -> None:
    source = MODULES[module].read_text("utf-8")
    receivers = module in (ROOM, *RUNNING)
    assert [*faults_of(source, receivers=receivers)] == []


def test_every_method_that_tensorrt_calls_has_its_name() -> None:
    found: dict[str, set[str]] = {}
    for path in MODULES.values():
        for name, method in overridden(path.read_text("utf-8")):
            found.setdefault(name, set()).add(method)
    assert found["ILogger"] - {"__init__"} == {"log"}
    assert found["IProgressMonitor"] - {"__init__", "cancel"} == NAMES["IProgressMonitor"]


@pytest.mark.parametrize(
    "source",
    [
        "trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH",  # gone in 11
        "trt.BuilderFlag.FP16",
        "trt.IAlgorithmSelector",
        "trt.init_libnvinfer_plugins(logger, '')",
        "builder.platform_has_fast_fp16",
        "engine.device_memory_size",
        "config.int8_calibrator = x",
        "builder.build_engine_with_config(network, config)",  # not in RTX
        "parser.parse_with_weight_descriptors(graph)",
    ],
)
def test_the_check_can_fail(source: str) -> None:
    assert len([*faults_of(source, receivers=True)]) == 1


def test_the_list_is_true_of_the_module_that_is_installed() -> None:
    try:
        trt = importlib.import_module("tensorrt_rtx")
    except ImportError:
        pytest.skip("tensorrt-rtx is not installed (pip install 'empgan-rt[trt-check]')")
    for name, members in NAMES.items():
        assert members <= {*dir(getattr(trt, name))}
