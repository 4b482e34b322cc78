"""OpenVINO on the graphs of a bundle, with the state and the search that ONNX Runtime has."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.bundle.manifest import WEIGHTS_NAME
from empgan_rt.packages import import_module

from .base import Engine, versions


class OpenVinoBackend(OrtBackend):
    """The graphs of a bundle's fp32 variant, compiled by OpenVINO.

    Args:
        bundle: an opened bundle.
        core: `openvino.Core()`.
        options: of `core.compile_model`.
    """

    def __init__(self, bundle: Bundle, core: Any, options: Mapping[str, object]) -> None:
        self._core, self._options = core, options
        super().__init__(bundle)

    def open_graph(self, which: str, graph: bytes) -> Any:
        """See `OrtBackend.open_graph`."""
        with tempfile.TemporaryDirectory() as folder:  # its reader wants files
            path = Path(folder) / f"{which}.onnx"
            path.write_bytes(graph)
            path.with_name(WEIGHTS_NAME).write_bytes(self.bundle.weights)
            model = self._core.read_model(path)
            return _Compiled(self._core.compile_model(model, "CPU", self._options))


class _Compiled:
    """A compiled model that is called as an ONNX Runtime session is."""

    def __init__(self, model: Any) -> None:
        self._request = model.create_infer_request()
        self._inputs = {name for port in model.inputs for name in port.names}

    def run(
        self, names: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]
    ) -> list[npt.NDArray[Any]]:
        wanted = {n: np.ascontiguousarray(a) for n, a in feeds.items() if n in self._inputs}
        self._request.infer(wanted, share_inputs=True)
        return [self._request.get_tensor(name).data.copy() for name in names]


def open_openvino(bundle: str, threads: int, precision: str = "f32") -> Engine:
    """Return OpenVINO; its products are in `precision` where the processor has it.

    Raises:
        DependencyError: OpenVINO is not installed, or damaged.
    """
    # When it is imported, its telemetry writes an identifier into the home folder and calls out.
    # Where that package is missing, OpenVINO takes a stub of its own; no variable stops it.
    sys.modules.setdefault("openvino_telemetry", cast(ModuleType, None))
    openvino = import_module("openvino", "openvino is not installed", hint="pip install openvino")
    options = {
        "INFERENCE_NUM_THREADS": threads,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
    }
    backend = OpenVinoBackend(Bundle.open(bundle), openvino.Core(), options)
    return Engine(backend, backend.bundle.model.vocabulary_size, versions("openvino"))


open_openvino_bf16 = partial(open_openvino, precision="bf16")
