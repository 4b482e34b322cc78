"""TensorRT's module: it notes the order of calls, and what it builds, it runs on the CPU."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any

import onnx

from support.pretended.cuda_runtime import CudaRuntime
from support.pretended.tensorrt_engines import Engine, plan_of


class _Flag(int):
    """An enumeration value that can be converted to int, as TensorRT's can."""


class _Severity(Enum):
    INTERNAL_ERROR, ERROR, WARNING, INFO, VERBOSE = range(5)


class _DataType(Enum):
    FLOAT, INT32, INT64 = range(3)


_TYPES = {
    onnx.TensorProto.FLOAT: _DataType.FLOAT,
    onnx.TensorProto.INT32: _DataType.INT32,
    onnx.TensorProto.INT64: _DataType.INT64,
}


class _ILogger:
    INTERNAL_ERROR = _Severity.INTERNAL_ERROR
    ERROR = _Severity.ERROR
    WARNING = _Severity.WARNING
    INFO = _Severity.INFO
    VERBOSE = _Severity.VERBOSE


class _IProgressMonitor:
    pass


class TensorRt:
    """One pretended module.

    Args:
        name: of the module.
        version: of it.
        says: the error that the builder logs ("" for none) and builds nothing; None if it builds.
        refuses: what the parser says against a graph.
        during: called in the middle of a build.
        cuda: the GPU that engines run on.

    Attributes:
        fails: what the next runs say and then do not run; empty if they run.
        damaged: whether engines do not load.
        engines: those that are alive.
    """

    ILogger = _ILogger
    IProgressMonitor = _IProgressMonitor
    DataType = _DataType
    NetworkDefinitionCreationFlag = SimpleNamespace(STRONGLY_TYPED=_Flag(1))
    BuilderFlag = SimpleNamespace(TF32="TF32")
    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user managed")

    def __init__(
        self,
        name: str = "tensorrt",
        version: str = "11.4.0",
        says: str | None = None,
        refuses: str = "",
        during: Callable[[Any], None] | None = None,
        cuda: CudaRuntime | None = None,
    ) -> None:
        self.__name__, self.__version__ = name, version
        self.says, self.refuses, self.during = says, refuses, during
        self.calls: list[tuple[Any, ...]] = []
        self.profiles: list[dict[str, tuple[Any, ...]]] = []
        self.cuda = cuda or CudaRuntime()
        self.fails = ""
        self.damaged = False
        self.engines: weakref.WeakSet[Engine] = weakref.WeakSet()

    def Builder(self, logger: Any) -> Any:  # noqa: N802 - TensorRT's name
        self.logger = logger
        return _Builder(self)

    def OnnxParser(self, network: Any, logger: Any) -> Any:  # noqa: N802 - TensorRT's name
        return _Parser(self, network)

    def Runtime(self, logger: Any) -> Any:  # noqa: N802 - TensorRT's name
        self.logger = logger
        return SimpleNamespace(
            deserialize_cuda_engine=self._deserialise, engine_host_code_allowed=False
        )

    def _deserialise(self, plan: bytes) -> Engine | None:
        if self.damaged:
            self.logger.log(self.ILogger.ERROR, "Serialization assertion failed")
            return None
        engine = Engine(self, plan)
        self.engines.add(engine)
        return engine

    def names(self) -> list[str]:
        """Return the calls without their arguments."""
        return [call[0] for call in self.calls]


class _Builder:
    def __init__(self, trt: TensorRt) -> None:
        self.trt = trt

    def create_network(self, flags: int) -> Any:
        self.trt.calls.append(("create_network", flags))
        return SimpleNamespace(tensors={"input": [], "output": []})

    def create_builder_config(self) -> Any:
        return _Config(self.trt)

    def create_optimization_profile(self) -> Any:
        shapes: dict[str, tuple[Any, ...]] = {}
        self.trt.profiles.append(shapes)

        def set_shape(name: str, *sizes: Any) -> None:
            shapes[name] = sizes

        return SimpleNamespace(set_shape=set_shape, shapes=shapes)

    def build_serialized_network(self, network: Any, config: Any) -> bytes | None:
        self.trt.calls.append(("build",))
        config.progress_monitor.phase_start("Timing tactics", None, 2)
        if self.trt.during is not None:
            self.trt.during(config)
        if not config.progress_monitor.step_complete("Timing tactics", 0):
            return None
        if self.trt.says is not None:
            if self.trt.says:
                self.trt.logger.log(_Severity.ERROR, self.trt.says)
            return None
        return plan_of(len(self.trt.calls), network, config)


class _Config:
    def __init__(self, trt: TensorRt) -> None:
        self.trt = trt
        self.progress_monitor: Any = None
        self.profiles: list[Any] = []

    def set_flag(self, flag: str) -> None:
        self.trt.calls.append(("set_flag", flag))

    def clear_flag(self, flag: str) -> None:
        self.trt.calls.append(("clear_flag", flag))

    def add_optimization_profile(self, profile: Any) -> None:
        self.trt.calls.append(("add_optimization_profile",))
        self.profiles.append(profile)

    def create_timing_cache(self, data: bytes) -> bytes:
        self.trt.calls.append(("create_timing_cache", data))
        return data

    def set_timing_cache(self, cache: bytes, *, ignore_mismatch: bool) -> bool:
        self.trt.calls.append(("set_timing_cache", ignore_mismatch))
        return True

    def get_timing_cache(self) -> Any:
        return SimpleNamespace(serialize=lambda: b"timings")


class _Parser:
    def __init__(self, trt: TensorRt, network: Any) -> None:
        self.trt, self.network = trt, network
        self.num_errors = 0

    def parse(self, model: bytes) -> bool:
        self.trt.calls.append(("parse",))
        if self.trt.refuses:
            self.num_errors = 1
            return False
        graph = onnx.load_model_from_string(model).graph
        self.network.model = model
        for field in ("input", "output"):
            values = [_tensor(value) for value in getattr(graph, field)]
            setattr(self.network, f"num_{field}s", len(values))
            setattr(self.network, f"get_{field}", values.__getitem__)
        return True

    def get_error(self, index: int) -> Any:
        return SimpleNamespace(
            node_operator=lambda: "QuantizeLinear",
            node_name=lambda: "node 7",
            desc=lambda: self.trt.refuses,
        )


def _tensor(value: Any) -> Any:
    kind = value.type.tensor_type
    shape = [axis.dim_value if axis.HasField("dim_value") else -1 for axis in kind.shape.dim]
    return SimpleNamespace(name=value.name, dtype=_TYPES[kind.elem_type], shape=shape)
