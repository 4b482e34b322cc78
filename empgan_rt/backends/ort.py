"""ONNX Runtime: both graphs of a bundle, on the CPU or on CUDA.

The graphs and their weights are handed over from memory: a graph that refers to any file but the
bundle's own weights is refused, and nothing is opened on the disk. Both sessions share one thread
pool (see `threads`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..backend import Encoded
from ..bundle import Bundle
from ..errors import DivergenceError, InputError, ProviderError
from ..graph_spec import (
    STRUCK,
    UNKNOWN_LABEL,
    Candidates,
    EncoderInput,
    FloatArray,
    IntArray,
    graph_specs,
)
from .ort_session import PROVIDERS, open_session

_NAN_HINT = "the weights are damaged; export the bundle again"


@dataclass
class OrtState:
    """Decoder memory of S slots of K beams; P is the longest memory among them.

    Attributes:
        hidden: (S, K, H) float32.
        values, keys: (S, P, H) float32, zero where a slot has fewer positions.
        mask: (S, P) float32, 0 where it is read, else STRUCK.
        lengths: (S,) positions of each slot; 0 while a slot is empty.
    """

    hidden: FloatArray
    values: FloatArray
    keys: FloatArray
    mask: FloatArray
    lengths: npt.NDArray[np.int64]

    def resize(self, length: int) -> None:
        """Cut or pad the memory to `length` positions."""
        missing = max(0, length - self.mask.shape[1])
        pad = ((0, 0), (0, missing))
        self.values = np.pad(self.values[:, :length], (*pad, (0, 0)))
        self.keys = np.pad(self.keys[:, :length], (*pad, (0, 0)))
        self.mask = np.pad(self.mask[:, :length], pad, constant_values=STRUCK)


class OrtBackend:
    """A `Backend` on ONNX Runtime.

    Args:
        bundle: an opened bundle.
        device: "cpu" or "cuda"; never exchanged for another one silently.
        precision: one of the bundle's variants.

    Raises:
        InputError: unknown device, or a precision that the bundle lacks.
        DependencyError: onnxruntime is missing, too old, or installed twice.
        ProviderError: the device cannot be used.
        BundleError: the graphs are not what the manifest promises.
    """

    def __init__(self, bundle: Bundle, device: str = "cpu", precision: str = "fp32") -> None:
        if device not in PROVIDERS:
            raise InputError(f"device {device!r}", hint=f"use one of {', '.join(PROVIDERS)}")
        self.device = device
        self.precision = precision
        self.bundle = bundle
        self._specs = graph_specs(bundle.model.hidden_size)
        graphs = {which: bundle.graph(precision, which) for which in self._specs}
        self._sessions = {
            which: open_session(graph, bundle.weights, self._specs[which], device)
            for which, graph in graphs.items()
        }
        self._process = os.getpid()

    def encode(self, inputs: EncoderInput) -> Encoded:
        """Run the encoder over (B, M, ...) ids and return B encoded dialogues.

        Raises:
            InputError: an array is not int32, of the wrong shape, empty, or holds a wrong id.
            DivergenceError: the model computed NaN or infinity.
        """
        model = self.bundle.model
        labels = _checked("emotion_labels", inputs.emotion_labels, (None, None), UNKNOWN_LABEL)
        shape = (*labels.shape, None)  # (B, M, L or N)
        feeds = {
            "utterances": _checked(
                "utterances", inputs.utterances, shape, model.vocabulary_size - 1
            ),
            "emotion_words": _checked(
                "emotion_words", inputs.emotion_words, shape, model.emotion_vocabulary_size - 1
            ),
            "emotion_labels": labels,
        }
        encoded = self._run("encoder", feeds)
        if not np.isfinite(encoded["hidden"]).all():
            raise DivergenceError("the encoder computed NaN or infinity", hint=_NAN_HINT)
        return Encoded(len(labels), encoded.pop("label_probs"), encoded)

    def open(self, slots: int, beam_size: int) -> OrtState:
        """Return a state of empty slots, which may be stepped but say nothing of interest.

        Raises:
            InputError: a number is below 1.
        """
        if slots < 1 or beam_size < 1:
            raise InputError(f"{slots} slots of {beam_size} beams", hint="give at least 1 of each")
        width = self.bundle.model.hidden_size
        return OrtState(
            hidden=np.zeros((slots, beam_size, width), np.float32),
            values=np.zeros((slots, 1, width), np.float32),
            keys=np.zeros((slots, 1, width), np.float32),
            mask=np.full((slots, 1), STRUCK, np.float32),
            lengths=np.zeros(slots, np.int64),
        )

    def admit(self, state: OrtState, slots: IntArray, encoded: Encoded) -> None:
        """Put row i of `encoded` into slot `slots[i]`; all its beams start alike.

        Raises:
            InputError: there are not as many slots as rows, or one is unknown or named twice.
        """
        count = len(state.lengths)
        known = _checked("slots", np.asarray(slots, np.int32), (encoded.rows,), count - 1)
        if len(np.unique(known)) != len(known):
            raise InputError("a slot is named twice", hint="give each row a slot of its own")
        fresh: Mapping[str, FloatArray] = encoded.tensors
        # Columns up to the last one read; the batch may have been padded further.
        columns = np.arange(1, fresh["mask"].shape[1] + 1)
        state.lengths[known] = ((fresh["mask"] == 0) * columns).max(axis=1)
        length = max(1, int(state.lengths.max()))
        if length != state.mask.shape[1]:
            state.resize(length)
        shared = min(length, fresh["mask"].shape[1])
        state.mask[known] = STRUCK
        state.mask[known, :shared] = fresh["mask"][:, :shared]
        for old, new in ((state.values, fresh["values"]), (state.keys, fresh["keys"])):
            old[known] = 0
            old[known, :shared] = new[:, :shared]
        state.hidden[known] = fresh["hidden"][:, None]  # (B, 1, H) to every beam

    def rearranged(self, state: OrtState, slots: IntArray, count: int) -> OrtState:
        """Return a state of `count` slots: first these ones as they stand, then empty ones.

        Raises:
            InputError: a slot is unknown, or they are more than `count`.
        """
        other = self.open(count, state.hidden.shape[1])
        kept = len(slots)
        if kept > count:
            raise InputError(f"{kept} slots among {count}", hint="leave some out")
        if kept == 0:
            return other
        known = _checked("slots", slots, (kept,), len(state.lengths) - 1)
        other.lengths[:kept] = state.lengths[known]
        length = max(1, int(other.lengths.max()))
        other.resize(length)
        other.hidden[:kept] = state.hidden[known]
        other.values[:kept] = state.values[known, :length]
        other.keys[:kept] = state.keys[known, :length]
        other.mask[:kept] = state.mask[known, :length]
        return other

    def step(
        self,
        state: OrtState,
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
        rows = state.hidden.shape[:2]  # (B, K)
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
        """Release both sessions; further calls raise InputError."""
        self._sessions.clear()

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
        try:
            return dict(zip(names, self._sessions[which].run(names, feeds), strict=True))
        except Exception as error:  # ONNX Runtime's errors have no common base of their own
            raise ProviderError(
                f"ONNX Runtime failed in the {which}: {type(error).__name__}",
                hint="if memory ran out, use smaller batches",
            ) from error


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
    low_id, high_id = int(array.min()), int(array.max())
    if low_id < 0 or high_id > high:
        raise InputError(f"{name} holds {low_id} to {high_id}", hint=f"give ids from 0 to {high}")
    return array
