"""TensorRT: the graphs of a bundle as engines on an NVIDIA GPU, the decoder's memory with them.

Between two steps hidden state, values, keys and mask stay on the GPU. Token ids, parents and banned
ids go up, candidates come down.

An engine of the decoder step has a fixed number of beams and of candidates. One that is not in the
cache is built when it is first asked for, which holds up everybody else: `empgan-rt engines build`
does it beforehand. Why so: docs/decisions/0017-tensorrt-engines.md.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ...bundle.bundle import Bundle
from ...errors import InputError
from ...graph_spec import GRAPH_NAMES, PAD, STAYING, IntArray
from ..base import GraphBackend
from ..cache import EngineCache, cache_home
from .context import Scratch
from .cuda_device import CudaDevice
from .device_tensor import Transfers
from .engines import EngineRoom, Request, enough_candidates
from .graph import TrtGraph
from .machine import Machine, import_cuda
from .state import TrtState

DEVICE = "cuda"
_BANNED_STEP = 16

_log = logging.getLogger(__name__)


class TrtBackend(GraphBackend):
    """A `Backend` on TensorRT.

    Args:
        bundle: an opened bundle.
        device: "cuda": the GPU that is current for CUDA in this thread.
        precision: one of the bundle's variants.
        turn_cache: turns whose encodings are kept for when they come again.
        tf32: whether float32 products may drop 13 bits of their operands.
        captures: whether steps are captured as CUDA graphs and replayed.

    Attributes:
        gpu: what it computes on; all its work goes through that stream.

    Raises:
        InputError: unknown device, a precision that the bundle lacks, or turn_cache below 0.
        DependencyError: TensorRT, cuda-python or onnx is not installed.
        ProviderError: there is no GPU, an engine cannot be built or loaded, or memory is full.
        BundleError: TensorRT cannot read a graph.
        StorageError: an engine cannot be kept.
    """

    def __init__(
        self,
        bundle: Bundle,
        device: str = DEVICE,
        precision: str = "fp32",
        turn_cache: int = 0,
        *,
        tf32: bool = False,
        captures: bool = True,
    ) -> None:
        if device != DEVICE:
            raise InputError(f"device {device!r}", hint=f"TensorRT needs {DEVICE!r}")
        machine = Machine.here()
        self._room = EngineRoom(bundle, machine, EngineCache(cache_home(os.environ)), tf32=tf32)
        self._captures = captures
        self.gpu = CudaDevice(import_cuda())
        self._transfers = Transfers(self.gpu)
        self._graphs: dict[Request, TrtGraph] = {}
        try:
            self._scratch = Scratch(self.gpu)
            super().__init__(bundle, device, precision, turn_cache)
            self._open_graphs()
        except BaseException:
            self.gpu.close()
            raise

    def close(self) -> None:
        """Free engines and memory; further calls raise InputError."""
        super().close()
        for graph in self._graphs.values():
            graph.close()
        self._graphs.clear()
        self.gpu.close()

    def _open_graphs(self) -> None:
        """Have the encoders ready, and the decoder step that the bundle's own search needs."""
        beam = self.bundle.search.rows
        fewest = min(beam + 1, self.bundle.model.vocabulary_size)
        for which in GRAPH_NAMES:
            self._graph(self._request(which, beam, fewest))

    def _empty(self, slots: int, beam_size: int) -> Any:
        return TrtState.empty(self._transfers, slots, beam_size, self.bundle.model.hidden_size)

    def _run(self, which: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        self.gpu.ready()
        if which != "decoder_step":
            return self._graph(self._request(which)).run(feeds)
        inputs = dict(feeds)
        wanted = int(inputs.pop("num_candidates")[0])  # a constant of the engine
        banned = inputs["banned"] = widened(inputs["banned"])
        found = self._graph(self._request(which, banned.shape[1], wanted)).run(inputs)
        for name in ("candidate_ids", "candidate_log_probs"):
            found[name] = np.ascontiguousarray(found[name][:, :, :wanted])
        return found

    def _request(self, which: str, beam: int = 1, wanted: int = 1) -> Request:
        """Return which engine runs a graph, for so many beams and at least so many candidates."""
        if which != "decoder_step":
            return Request(self.precision, which)
        candidates = enough_candidates(beam, wanted, self.bundle.model.vocabulary_size)
        return Request(self.precision, which, beam, candidates)

    def _graph(self, request: Request) -> TrtGraph:
        """Return what runs an engine, which is found or built when it is needed first."""
        if request not in self._graphs:
            told: list[str] = []

            def tell(phase: str) -> None:  # called while an engine is built, not when it is found
                if not told:
                    _log.warning("no engine yet for the %s; it is built now", request)
                told.append(phase)

            self._graphs[request] = TrtGraph(
                self._room.machine.trt,
                self._room.engine(request, tell),
                STAYING[request.graph],
                self._transfers,
                self._scratch,
                captures=self._captures and request.graph == "decoder_step",
            )
        return self._graphs[request]


def widened(banned: IntArray) -> IntArray:
    """Return (B, K, S) with S raised to a multiple of 16 by PAD, so that it changes seldom."""
    wanted = -(-banned.shape[2] // _BANNED_STEP) * _BANNED_STEP
    if wanted == banned.shape[2]:
        return banned
    padded = np.full((*banned.shape[:2], wanted), PAD, np.int32)
    padded[:, :, : banned.shape[2]] = banned
    return padded
