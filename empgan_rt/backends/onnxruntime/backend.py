"""ONNX Runtime: the graphs of a bundle, fed with NumPy arrays. `device` has the other devices.

The graphs and their weights are handed over from memory: a graph that refers to any file but the
bundle's own weights is refused, and nothing is opened on the disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...bundle.bundle import Bundle
from ...errors import InputError
from ...graph_spec import CONTINUED, graph_specs
from ...threads import ProcessGuard
from ..base import GraphBackend
from .failures import translated
from .session import import_onnxruntime, open_session
from .state import OrtState
from .tidy_session import HABITS, TidySession


class OrtBackend(GraphBackend):
    """A `Backend` on ONNX Runtime.

    Args:
        bundle: an opened bundle.
        device: "cpu"; never exchanged for another one silently.
        precision: one of the bundle's variants.
        turn_cache: turns whose encodings are kept for when they come again.

    Raises:
        InputError: unknown device, a precision that the bundle lacks, or turn_cache below 0.
        DependencyError: onnxruntime is missing, too old, or installed twice.
        ProviderError: the device cannot be used.
        BundleError: the graphs are not what the manifest promises.
    """

    goes_on = True  # from turns that are kept, where a bundle has the graph for it

    def __init__(
        self,
        bundle: Bundle,
        device: str = "cpu",
        precision: str = "fp32",
        turn_cache: int = 0,
    ) -> None:
        goes_on = self.goes_on and turn_cache > 0 and CONTINUED in bundle.graph_names(precision)
        super().__init__(bundle, device, precision, turn_cache, goes_on=goes_on)
        self._specs = graph_specs(bundle.model)
        context_encoder = CONTINUED if goes_on else "context_encoder"
        names = ("turn_encoder", context_encoder, "decoder_step")
        graphs = {which: bundle.graph(precision, which) for which in names}
        self._sessions = {which: self.open_graph(which, graph) for which, graph in graphs.items()}
        self.bundle = bundle.without_weights()  # ONNX Runtime has copied what it needs of them
        self._guard = ProcessGuard()

    def open_graph(self, which: str, graph: bytes) -> Any:
        """Return what runs a graph: `run(names, feeds)` gives the outputs of these names."""
        run_options = import_onnxruntime().RunOptions
        return TidySession(self.open_session(which, graph), HABITS[which], run_options)

    def open_session(self, which: str, graph: bytes) -> Any:
        """Return the InferenceSession of a graph."""
        return open_session(graph, self.bundle.weights, self._specs[which], self.device)

    def close(self) -> None:
        """Release sessions and turns; further calls raise InputError."""
        super().close()
        self._sessions.clear()

    def _empty(self, slots: int, beam_size: int) -> Any:
        return OrtState.empty(slots, beam_size, self.bundle.model.hidden_size)

    def _run(self, which: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        if which not in self._sessions:
            raise InputError("the backend is closed", hint="load the model again")
        self._guard.check()
        names = [tensor.name for tensor in self._specs[which].outputs]
        with translated(which):
            return dict(zip(names, self._sessions[which].run(names, feeds), strict=True))
