"""ONNX Runtime: the graphs of a bundle, fed with NumPy arrays. `device` has the other devices.

The graphs and their weights are handed over from memory: a graph that refers to any file but the
bundle's own weights is refused, and nothing is opened on the disk. All sessions share one thread
pool (see `threads`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..backend import Encoded
from ..bundle import Bundle
from ..errors import DivergenceError, InputError, ProviderError
from ..graph_spec import (
    UNKNOWN_LABEL,
    Candidates,
    EncoderInput,
    FloatArray,
    IntArray,
    graph_specs,
)
from .ort_failures import translated
from .ort_session import open_session
from .ort_state import OrtState
from .turn_reader import TurnReader

_NAN_HINT = "the weights are damaged; export the bundle again"


class OrtBackend:
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

    def __init__(
        self,
        bundle: Bundle,
        device: str = "cpu",
        precision: str = "fp32",
        turn_cache: int = 0,
    ) -> None:
        self.device = device
        self.precision = precision
        self.bundle = bundle
        self._turns = TurnReader(self._encode_turns, sum(bundle.model.turn_sizes), turn_cache)
        self._specs = graph_specs(bundle.model)
        graphs = {which: bundle.graph(precision, which) for which in self._specs}
        self._sessions = {which: self.open_graph(which, graph) for which, graph in graphs.items()}
        self._process = os.getpid()

    def open_graph(self, which: str, graph: bytes) -> Any:
        """Return what runs a graph: `run(names, feeds)` gives the outputs of these names."""
        return open_session(graph, self.bundle.weights, self._specs[which], self.device)

    def encode(self, inputs: EncoderInput) -> Encoded:
        """Run both encoders over (B, M, ...) ids and return B encoded dialogues.

        Raises:
            InputError: an array is not int32, of the wrong shape, empty, not right-padded, or holds
                a wrong id.
            DivergenceError: the model computed NaN or infinity.
        """
        model = self.bundle.model
        labels = _checked("emotion_labels", inputs.emotion_labels, (None, None), UNKNOWN_LABEL)
        shape = (*labels.shape, None)  # (B, M, L or N)
        words = _checked("utterances", inputs.utterances, shape, model.vocabulary_size - 1)
        last_word = model.emotion_vocabulary_size - 1
        _checked("emotion_words", inputs.emotion_words, shape, last_word)
        vectors = self._turns.read(inputs)
        encoded = self._run(
            "context_encoder",
            {"turn_vectors": vectors, "utterances": words, "emotion_labels": labels},
        )
        if not np.isfinite(encoded["hidden"]).all():
            raise DivergenceError("the encoders computed NaN or infinity", hint=_NAN_HINT)
        return Encoded(len(labels), encoded.pop("label_probs"), encoded)

    def open(self, slots: int, beam_size: int) -> Any:
        """Return a state of empty slots, which may be stepped but say nothing of interest.

        Raises:
            InputError: a number is below 1.
        """
        if slots < 1 or beam_size < 1:
            raise InputError(f"{slots} slots of {beam_size} beams", hint="give at least 1 of each")
        return self._empty(slots, beam_size)

    def admit(self, state: Any, slots: IntArray, encoded: Encoded) -> None:
        """Put row i of `encoded` into slot `slots[i]`; all its beams start alike.

        Raises:
            InputError: there are not as many slots as rows, or one is unknown or named twice.
        """
        count = state.rows[0]
        known = _checked("slots", np.asarray(slots, np.int32), (encoded.rows,), count - 1)
        if len(np.unique(known)) != len(known):
            raise InputError("a slot is named twice", hint="give each row a slot of its own")
        state.put(known, encoded.tensors)

    def rearranged(self, state: Any, slots: IntArray, count: int) -> Any:
        """Return a state of `count` slots: first these ones as they stand, then empty ones.

        Raises:
            InputError: a slot is unknown, or they are more than `count`.
        """
        if len(slots) > count:
            raise InputError(f"{len(slots)} slots among {count}", hint="leave some out")
        if len(slots):
            _checked("slots", slots, (len(slots),), state.rows[0] - 1)
        return state.rearranged(slots, count)

    def step(
        self,
        state: Any,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """Advance every slot by one token and return the best next ones; see `Backend.step`.

        Raises:
            InputError: an array is not int32, of the wrong shape, or holds a wrong id, or more
                candidates are wanted than there are words.
            DivergenceError: the model computed NaN or infinity.
        """
        words = self.bundle.model.vocabulary_size
        rows = state.rows  # (B, K)
        if not 1 <= num_candidates <= words:
            raise InputError(f"{num_candidates} candidates", hint=f"ask for 1 to {words}")
        result = self._run(
            "decoder_step",
            {
                "token_ids": _checked("token_ids", token_ids, rows, words - 1),
                "parents": _checked("parents", parents, rows, rows[1] - 1),
                "hidden": state.hidden,
                "values": state.values,
                "keys": state.keys,
                "mask": state.mask,
                "banned": _checked("banned", banned, (*rows, None), words - 1),
                "num_candidates": np.array([num_candidates], np.int64),
            },
        )
        if not np.isfinite(result["candidate_log_probs"]).all():
            raise DivergenceError("the decoder computed NaN or infinity", hint=_NAN_HINT)
        state.hidden = result["next_hidden"]
        return Candidates(result["candidate_ids"], result["candidate_log_probs"])

    def close(self) -> None:
        """Release sessions and turns; further calls raise InputError."""
        self._sessions.clear()
        self._turns.clear()

    def _empty(self, slots: int, beam_size: int) -> Any:
        """Return a state of empty slots; other devices have another class for it."""
        return OrtState.empty(slots, beam_size, self.bundle.model.hidden_size)

    def _encode_turns(self, feeds: Mapping[str, IntArray]) -> FloatArray:
        vectors: FloatArray = self._run("turn_encoder", feeds)["turn_vectors"]
        return vectors

    def _run(self, which: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs of a graph by name."""
        if which not in self._sessions:
            raise InputError("the backend is closed", hint="load the model again")
        if os.getpid() != self._process:
            raise ProviderError(
                "the model was loaded before this process was forked",
                hint="load it in the child, or start the child with the spawn method",
            )
        names = [tensor.name for tensor in self._specs[which].outputs]
        with translated(which):
            return dict(zip(names, self._sessions[which].run(names, feeds), strict=True))


def _checked(name: str, array: Any, shape: tuple[int | None, ...], high: int) -> IntArray:
    """Return `array` if it is int32, of this shape (None: any length above 0), within 0..high.

    This door matters: an empty batch aborts the whole process inside ONNX Runtime's GRU, and
    negative ids are accepted there in silence.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.int32:
        raise InputError(f"{name} is {getattr(array, 'dtype', type(array).__name__)}, not int32")
    fits = len(array.shape) == len(shape) and all(
        have > 0 and want in (None, have) for have, want in zip(array.shape, shape, strict=True)
    )
    if not fits:
        wanted = tuple("any" if want is None else want for want in shape)
        raise InputError(f"{name} has shape {array.shape}, not {wanted} (none of them 0)")
    if array.view(np.uint32).max() > high:  # one pass for both ends: negative ids become huge
        raise InputError(
            f"{name} holds {array.min()} to {array.max()}", hint=f"give ids from 0 to {high}"
        )
    return array
