"""The floor: the bare matrix products of a bundle's graphs, in ONNX Runtime, and nothing else.

It writes no replies and is no engine. What is timed are the products of both encoders, for the
runs of turns that our backend makes of a batch, and those of a decoder step as often as the
reference took one. Shapes and values are the real ones: before its time is taken, each batch goes
once through graphs that show what their products read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from empgan_rt import threads as runtime_threads
from empgan_rt.backend import Backend, Encoded
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.session import import_onnxruntime, session_of_any_signature
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import GRAPH_NAMES, PAD, SOS, EncoderInput

from .base import Prepared, Timing, versions
from .floor_graph import FloorGraph, floor_graph

_Arrays = dict[str, npt.NDArray[Any]]
_Runs = list[tuple[str, _Arrays]]
"""(graph, what its products read) of each time a graph was run."""


def open_floor(bundle: str, threads: int, precision: str = "fp32") -> Floor:
    """Return the floor of a variant, on `threads` threads; errors as `Floor`.

    In int8 the product with the vocabulary is one of integers.
    """
    runtime_threads.set_num_threads(threads)
    return Floor(Bundle.open(bundle), precision)


open_floor_int8 = partial(open_floor, precision="int8")


class Floor:
    """The products of a bundle's graphs; see `engines.base.Yardstick`.

    Args:
        bundle: an opened bundle.
        precision: one of its variants.

    Raises:
        InputError: the bundle lacks the precision.
        DependencyError: onnx or onnxruntime is missing.
    """

    def __init__(self, bundle: Bundle, precision: str) -> None:
        graphs = {which: floor_graph(bundle.graph(precision, which)) for which in GRAPH_NAMES}
        self.versions = versions("onnxruntime", "onnxruntime-gpu")
        self._probes = _Probes(bundle, precision, graphs)
        self._sessions = {
            which: session_of_any_signature(graph.floor, bundle.weights, f"{which}'s floor", "cpu")
            for which, graph in graphs.items()
        }

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        """Return a batch's products, those of a step to be computed `search.max_length` times."""
        *encoders, step = [
            _Bound(self._sessions[which], arrays)
            for which, arrays in self._probes.runs(inputs, search.rows)
        ]
        rows = len(inputs.emotion_labels)
        return Prepared(lambda: _timed(encoders, step, search.max_length, rows))


class _Probes(OrtBackend):
    """Our backend, on graphs that return what their products read."""

    def __init__(self, bundle: Bundle, precision: str, graphs: Mapping[str, FloorGraph]) -> None:
        self._graphs = graphs
        self._seen: _Runs = []
        super().__init__(bundle, precision=precision)

    def open_graph(self, which: str, graph: bytes) -> Any:
        """See `OrtBackend.open_graph`."""
        probe = self._graphs[which]
        session = session_of_any_signature(probe.probe, self.bundle.weights, which, "cpu")
        return _Probe(session, which, probe.activations, self._seen)

    def runs(self, inputs: EncoderInput, beam_size: int) -> _Runs:
        """Return what the encoders' runs and one decoder step read for a batch, in their order."""
        self._seen.clear()
        encoded = self.encode(inputs)
        take_first_step(self, encoded, beam_size)
        return self._seen.copy()


class _Probe:
    """A session that remembers what the products of its graph read."""

    def __init__(self, session: Any, which: str, activations: Sequence[str], seen: _Runs) -> None:
        self._session, self._which = session, which
        self._activations, self._seen = activations, seen

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> list[npt.NDArray[Any]]:
        wanted = dict.fromkeys([*names, *(a for a in self._activations if a not in feeds)])
        found = dict(zip(wanted, self._session.run([*wanted], feeds), strict=True)) | {**feeds}
        self._seen.append((self._which, {name: found[name] for name in self._activations}))
        return [found[name] for name in names]


class _Bound:
    """The products of one run of a graph, with buffers that are kept: no copies, no allocation."""

    def __init__(self, session: Any, arrays: _Arrays) -> None:
        value = import_onnxruntime().OrtValue.ortvalue_from_numpy
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        results = session.run(None, contiguous)
        # ONNX Runtime reads and writes the arrays in place, so they must live as long
        self._arrays = [*contiguous.values(), *results]
        self._session, self._binding = session, session.io_binding()
        for name, array in contiguous.items():
            self._binding.bind_ortvalue_input(name, value(array))
        for output, array in zip(session.get_outputs(), results, strict=True):
            self._binding.bind_ortvalue_output(output.name, value(array))

    def run(self) -> None:
        """Compute the products once."""
        self._session.run_with_iobinding(self._binding)


def take_first_step(backend: Backend, encoded: Encoded, beam_size: int) -> None:
    """Let a backend compute the first decoder step of encoded dialogues."""
    state = backend.open(encoded.rows, beam_size)
    backend.admit(state, np.arange(encoded.rows, dtype=np.int32), encoded)
    tokens = np.full((encoded.rows, beam_size), SOS, np.int32)
    banned = np.full((*tokens.shape, 1), PAD, np.int32)
    backend.step(state, tokens, np.zeros_like(tokens), banned, 1)


def _timed(encoders: Sequence[_Bound], step: _Bound, steps: int, rows: int) -> Timing:
    """Return the time of the encoders' products and of those of some decoder steps."""
    start = time.perf_counter()
    for run in encoders:
        run.run()
    encode_ended = time.perf_counter()
    step.run()
    first_ended = time.perf_counter()
    for _ in range(steps - 1):
        step.run()
    end = time.perf_counter()
    parts = (encode_ended - start, first_ended - encode_ended, end - first_ended)
    return floor_timing(*(seconds * 1e3 for seconds in parts), steps=steps, rows=rows)


def floor_timing(
    encode_ms: float, first_step_ms: float, later_steps_ms: float, *, steps: int, rows: int
) -> Timing:
    """Return the time of a floor, which has no search and writes no tokens."""
    return Timing(
        encode_ms=encode_ms,
        step_ms=first_step_ms + later_steps_ms,
        search_ms=0.0,
        total_ms=encode_ms + first_step_ms + later_steps_ms,
        first_token_ms=encode_ms + first_step_ms,
        steps=steps,
        dialogues=rows,
        tokens=0,
    )
