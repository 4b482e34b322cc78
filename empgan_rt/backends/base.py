"""What backends over a bundle's graphs share: checks of what goes in and of what comes out.

What runs the graphs, and where the decoder's memory lies, is a subclass's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..backend import Encoded
from ..bundle.bundle import Bundle
from ..errors import InputError
from ..graph_spec import (
    CONTINUED,
    NUM_LABELS,
    UNKNOWN_LABEL,
    Candidates,
    EncoderInput,
    FloatArray,
    IntArray,
)
from .context_reader import ContextReader
from .outputs import check_finite, check_ids, check_shapes, highest
from .turn_reader import Key, TurnReader, turn_keys


class GraphBackend(ABC):
    """A `Backend` that runs the turn encoder, the context encoder and the decoder step.

    Args:
        bundle: an opened bundle.
        device: where it computes.
        precision: one of the bundle's variants.
        turn_cache: turns whose encodings are kept for when they come again.
        goes_on: whether a dialogue is read on from the turns that are kept, for which the bundle
            must have a continued encoder.

    Raises:
        InputError: turn_cache below 0.
    """

    def __init__(
        self, bundle: Bundle, device: str, precision: str, turn_cache: int, *, goes_on: bool = False
    ) -> None:
        self.device = device
        self.precision = precision
        self.bundle = bundle
        self._turns = TurnReader(self._encode_turns, sum(bundle.model.turn_sizes), turn_cache)
        width = sum(bundle.model.context_sizes)
        self._contexts = ContextReader(width, turn_cache) if goes_on else None

    def encode(self, inputs: EncoderInput) -> Encoded:
        """Run both encoders over (B, M, ...) ids and return B encoded dialogues.

        Raises:
            InputError: an array is not int32, of the wrong shape, empty, not right-padded, or holds
                a wrong id.
            BundleError: a graph computed another shape than its signature says.
            DivergenceError: the model computed NaN or infinity.
        """
        model = self.bundle.model
        labels = _checked("emotion_labels", inputs.emotion_labels, (None, None), UNKNOWN_LABEL)
        shape = (*labels.shape, None)  # (B, M, L or N)
        words = _checked("utterances", inputs.utterances, shape, model.vocabulary_size - 1)
        last_word = model.emotion_vocabulary_size - 1
        _checked("emotion_words", inputs.emotion_words, shape, last_word)
        dialogues = turn_keys(inputs)
        feeds: dict[str, Any] = {"utterances": words, "emotion_labels": labels}
        if self._contexts is None:
            feeds["turn_vectors"] = self._turns.read(dialogues)
            encoded = self._run("context_encoder", feeds)
        else:
            encoded = self._read_on(self._contexts, dialogues, feeds)
        memory = (len(labels), max((1, *encoded["mask"].shape[1:2])))  # (B, P)
        shapes = {
            "mask": memory,
            "values": (*memory, model.hidden_size),
            "keys": (*memory, model.hidden_size),
            "hidden": (len(labels), model.hidden_size),
            "label_probs": (*labels.shape, NUM_LABELS),
        }
        check_shapes("context encoder", encoded, shapes)
        check_finite("context encoder", encoded, "mask", "hidden", "label_probs")
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
        if len(set(known.tolist())) != len(known):
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
            BundleError: the graph computed another shape than its signature says, or no words.
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
        ids, log_probs = result["candidate_ids"], result["candidate_log_probs"]
        best = (*rows, num_candidates)
        if not ids.shape == log_probs.shape == best:  # two microseconds less than to call for it
            check_shapes(
                "decoder step", result, {"candidate_ids": best, "candidate_log_probs": best}
            )
        hidden = (*rows, self.bundle.model.hidden_size)
        if result["next_hidden"].shape != hidden:
            check_shapes("decoder step", result, {"next_hidden": hidden})
        check_finite("decoder step", result, "candidate_log_probs")
        check_ids("decoder step", ids, words)
        state.hidden = result["next_hidden"]
        return Candidates(ids, log_probs)

    def close(self) -> None:
        """Forget turns; a subclass releases what it holds besides, and refuses further calls."""
        self._turns.clear()
        if self._contexts is not None:
            self._contexts.clear()

    @abstractmethod
    def _empty(self, slots: int, beam_size: int) -> Any:
        """Return a state of empty slots."""

    @abstractmethod
    def _run(self, which: str, feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Return the outputs of a graph by name."""

    def _read_on(
        self, contexts: ContextReader, dialogues: Sequence[Sequence[Key]], feeds: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the outputs of a context encoder; only turns that are new are read."""
        turns_read, earlier = contexts.known(dialogues)
        new = [keys[read:] for keys, read in zip(dialogues, turns_read, strict=True)]
        vectors = self._turns.read(new)
        given = {"turn_vectors": vectors, "earlier": earlier, "turns_read": turns_read}
        encoded = self._run(CONTINUED, {**feeds, **given})
        found = encoded.pop("contexts")
        shape = (*vectors.shape[:2], earlier.shape[2])
        check_shapes("continued encoder", {"contexts": found}, {"contexts": shape})
        check_finite("continued encoder", {"contexts": found}, "contexts")
        contexts.remember(dialogues, turns_read, found)
        return encoded

    def _encode_turns(self, feeds: Mapping[str, IntArray]) -> FloatArray:
        found = self._run("turn_encoder", feeds)
        shape = (len(feeds["utterances"]), sum(self.bundle.model.turn_sizes))
        check_shapes("turn encoder", found, {"turn_vectors": shape})
        check_finite("turn encoder", found, "turn_vectors")
        vectors: FloatArray = found["turn_vectors"]
        return vectors


def _checked(name: str, array: Any, shape: tuple[int | None, ...], high: int) -> IntArray:
    """Return `array` if it is int32, of this shape (None: any length above 0), within 0..high.

    This door matters: an empty batch aborts the whole process inside ONNX Runtime's GRU, and
    negative ids are accepted there in silence.
    """
    if not isinstance(array, np.ndarray) or array.dtype != np.int32:
        raise InputError(f"{name} is {getattr(array, 'dtype', type(array).__name__)}, not int32")
    fits = array.shape == shape or (
        len(array.shape) == len(shape)
        and all(want in (None, have) for have, want in zip(array.shape, shape, strict=True))
    )
    if not fits or not array.size:
        wanted = tuple("any" if want is None else want for want in shape)
        raise InputError(f"{name} has shape {array.shape}, not {wanted} (none of them 0)")
    if highest(array) > high:
        raise InputError(
            f"{name} holds {array.min()} to {array.max()}", hint=f"give ids from 0 to {high}"
        )
    return array
