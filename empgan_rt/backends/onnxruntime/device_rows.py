"""Rows of tensors put together on the device: a graph of our own, run by ONNX Runtime itself.

Slots are filled, closed up and widened by gathers alone, which every provider has. The graph is
written as the protobuf bytes that it is (onnx.proto has the numbers of the fields), because the
runtime does without the `onnx` package.

    wide_old   = Gather(old, old_columns, axis=1)        # (S, W, H)
    wide_fresh = Gather(fresh, fresh_columns, axis=1)    # (B, W, H)
    joined     = Gather(Concat(wide_old, wide_fresh, axis=0), rows, axis=0)
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...graph_spec import FloatArray, IntArray
from .device_session import DEVICE_ID, DeviceSession, OrtValue
from .failures import translated
from .session import import_onnxruntime, session_of_any_signature

_FLOAT, _INT64 = 1, 7  # TensorProto.DataType
_INPUTS = (
    ("old", _FLOAT, ("S", "P", "H")),
    ("fresh", _FLOAT, ("B", "Q", "H")),
    ("old_columns", _INT64, ("W",)),
    ("fresh_columns", _INT64, ("W",)),
    ("rows", _INT64, ("R",)),
)
_OUTPUT = ("joined", _FLOAT, ("R", "W", "H"))
_NODES = (
    ("Gather", ("old", "old_columns"), "wide_old", 1),
    ("Gather", ("fresh", "fresh_columns"), "wide_fresh", 1),
    ("Concat", ("wide_old", "wide_fresh"), "all", 0),
    ("Gather", ("all", "rows"), "joined", 0),
)


class DeviceRows:
    """Tensors of one device.

    Args:
        device: a key of `providers.DEVICES`, "cpu" or "cuda".

    Raises:
        InputError: unknown device.
        DependencyError: see `import_onnxruntime`.
        ProviderError: the device cannot be used.
    """

    def __init__(self, device: str) -> None:
        session = session_of_any_signature(rows_graph(), b"", "rows", device, whole=True)
        self._session = DeviceSession(session, device, frozenset({"joined"}))
        self._device = device
        self._values = import_onnxruntime().OrtValue

    def uploaded(self, array: FloatArray) -> OrtValue:
        """Return a copy of an array on the device."""
        # A value on the CPU would share the array's memory.
        with translated("decoder's memory"):
            return self._values.ortvalue_from_numpy(array.copy(), self._device, DEVICE_ID)

    def joined(
        self, old: OrtValue, fresh: OrtValue | FloatArray, rows: IntArray, width: int
    ) -> OrtValue:
        """Return (R, width, H) float32: row r is row `rows[r]` of `old` and `fresh` in one count.

        Columns beyond `width` are cut off; where there are too few, the last one is repeated.

        Args:
            old: (S, P, H).
            fresh: (B, Q, H), counted on from S.
            rows: (R,) from 0 to S + B - 1.
            width: above 0.
        """
        feeds = {
            "old": old,
            "fresh": fresh,
            "old_columns": _columns(old, width),
            "fresh_columns": _columns(fresh, width),
            "rows": rows.astype(np.int64),
        }
        with translated("decoder's memory"):
            return self._session.run(["joined"], feeds)[0]


def _columns(tensor: Any, width: int) -> Any:
    have = tensor.shape[1] if isinstance(tensor, np.ndarray) else tensor.shape()[1]
    return np.minimum(np.arange(width), have - 1)


def rows_graph() -> bytes:
    """Return the graph as an ONNX model of opset 18."""
    nodes = b"".join(_field(1, _node(*node)) for node in _NODES)
    inputs = b"".join(_field(11, _value_info(*value)) for value in _INPUTS)
    graph = nodes + _field(2, "rows") + inputs + _field(12, _value_info(*_OUTPUT))
    return _field(1, 8) + _field(7, graph) + _field(8, _field(2, 18))  # IR 8, graph, opset


def _node(kind: str, inputs: tuple[str, ...], output: str, axis: int) -> bytes:
    attribute = _field(1, "axis") + _field(3, axis) + _field(20, 2)  # name, i, type INT
    names = b"".join(_field(1, name) for name in inputs)
    return names + _field(2, output) + _field(4, kind) + _field(5, attribute)


def _value_info(name: str, dtype: int, axes: tuple[str, ...]) -> bytes:
    shape = b"".join(_field(1, _field(2, axis)) for axis in axes)  # each a named dimension
    return _field(1, name) + _field(2, _field(1, _field(1, dtype) + _field(2, shape)))


def _field(number: int, value: int | str | bytes) -> bytes:
    """Return one protobuf field: a varint, or bytes behind their length."""
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    data = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + _varint(high) if high else bytes([low])
