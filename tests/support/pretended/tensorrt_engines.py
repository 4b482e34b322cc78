"""What the pretended TensorRT's engines do: they hold the ONNX bytes, and ONNX Runtime runs them.

It refuses what TensorRT refuses: shapes outside the profile, addresses that are not aligned or not
set, no memory to compute in. That memory is filled with NaN by every run.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import onnx
import onnxruntime

_NEEDED = 4096  # bytes to compute in, for each row of the batch
_TYPES = {"tensor(float)": np.float32, "tensor(int32)": np.int32, "tensor(int64)": np.int64}


def plan_of(number: int, network: Any, config: Any) -> bytes:
    """Return the number of the build, the profiles and the graph."""
    profiles = [profile.shapes for profile in config.profiles]
    return json.dumps([number, profiles]).encode() + b"\n" + network.model


class Engine:
    """What is read of a plan; `trt` is the module that reads it."""

    def __init__(self, trt: Any, plan: bytes) -> None:
        head, _, model = plan.partition(b"\n")
        self.trt, (_, self.profiles) = trt, json.loads(head)
        graph = onnx.load_model_from_string(model).graph
        read = {name for node in graph.node for name in node.input}
        self.name = graph.name
        self.session = exact_session(model)
        every = {io.name: _TYPES[io.type] for io in self.session.get_inputs()}
        # Whether TensorRT keeps inputs that nothing reads is its own affair; this one does not.
        self.inputs = {name: dtype for name, dtype in every.items() if name in read}
        self.unread = {name: dtype for name, dtype in every.items() if name not in read}
        self.outputs = {io.name: _TYPES[io.type] for io in self.session.get_outputs()}

    @property
    def num_io_tensors(self) -> int:
        return len(self.inputs) + len(self.outputs)

    @property
    def num_optimization_profiles(self) -> int:
        return len(self.profiles)

    def get_tensor_name(self, index: int) -> str:
        return [*self.inputs, *self.outputs][index]

    def run(self, names: list[str], feeds: dict[str, np.ndarray]) -> Any:
        """Return outputs; what is not read may be of any size."""
        rank = {io.name: len(io.shape) for io in self.session.get_inputs()}
        unread = {n: np.zeros((1,) * rank[n], dtype) for n, dtype in self.unread.items()}
        return self.session.run(names, {**feeds, **unread})

    def create_execution_context(self, strategy: str) -> Any:
        assert strategy == "user managed"
        self.trt.cuda.calls.append("create context")
        return _Context(self)

    def get_device_memory_size_for_profile_v2(self, profile: int) -> int:
        return 512 * _NEEDED


def exact_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return one that computes what the graph says on any processor.

    Fused, products of two signed integers overflow on processors without VNNI.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


class _Context:
    def __init__(self, engine: Engine) -> None:
        self.engine, self.trt, self.cuda = engine, engine.trt, engine.trt.cuda
        self.profile = -1
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.addresses: dict[str, int] = {}
        self.memory = (0, 0)

    def set_optimization_profile_async(self, profile: int, stream: int) -> bool:
        self.profile = profile
        return profile < len(self.engine.profiles)

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        if name not in self.engine.inputs:
            return self._refuse(f"no input {name}")
        low, _, high = self.engine.profiles[self.profile][name]
        if len(shape) != len(low) or not all(
            a <= s <= b for a, s, b in zip(low, shape, high, strict=True)
        ):
            return self._refuse(f"{name}: {shape} is not within {low} and {high}")
        self.shapes[name] = shape
        self.memory = (0, 0)  # it has to be set again
        return True

    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        zeros = {n: np.zeros(self.shapes[n], dtype) for n, dtype in self.engine.inputs.items()}
        return tuple(self.engine.run([name], zeros)[0].shape)

    def update_device_memory_size_for_shapes(self) -> int:
        return self._rows() * _NEEDED

    def set_device_memory(self, address: int, size: int) -> None:
        self.memory = (address, size)

    def set_tensor_address(self, name: str, address: int) -> bool:
        if address % 256 or name not in {**self.engine.inputs, **self.engine.outputs}:
            return self._refuse(f"{name} at {address}")
        self.cuda.calls.append("address")
        self.addresses[name] = address
        return True

    def execute_async_v3(self, stream: int) -> bool:
        self.cuda.calls.append(f"enqueue {self.engine.name}")
        if self.trt.fails:
            return self._refuse(self.trt.fails)
        address, size = self.memory
        if size < self._rows() * _NEEDED or address % 256:
            return self._refuse("no memory to compute in")
        if {*self.addresses} != {*self.engine.inputs, *self.engine.outputs}:
            return self._refuse("not all addresses are set")
        shapes, addresses, memory = dict(self.shapes), dict(self.addresses), self.memory

        def work() -> None:
            # A captured run is only as good as the shapes and the memory of its capture.
            assert (shapes, memory) == (self.shapes, self.memory)
            feeds = {
                n: self._tensor(addresses[n], shapes[n], dtype).copy()
                for n, dtype in self.engine.inputs.items()
            }
            self.cuda.bytes(*memory).fill(0xFF)
            found = self.engine.run([*self.engine.outputs], feeds)
            for (name, dtype), value in zip(self.engine.outputs.items(), found, strict=True):
                self._tensor(addresses[name], value.shape, dtype)[...] = value

        return self.cuda.put(stream, work)

    def _tensor(self, address: int, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return self.cuda.bytes(address, size).view(dtype).reshape(shape)

    def _rows(self) -> int:
        return next(iter(self.shapes.values()))[0]

    def _refuse(self, said: str) -> bool:
        self.trt.logger.log(self.trt.ILogger.ERROR, said)
        return False
