"""A batch on its way from requests to replies, beside other batches on the same backend.

The lock is held for one step at a time. So threads share a backend in turns, a slow reader of a
stream delays nobody, and whoever stops asking for steps has cancelled.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from .backend import Backend
from .beam_search import BeamSearch, decode_steps
from .dialogue import Alternative, Emotion, RecognisedEmotion, Reply, Timings
from .errors import DeadlineError, ProviderError
from .graph_spec import UNKNOWN_LABEL, FloatArray
from .request import Request
from .text.featurizer import Featurizer, TurnFeatures, encoder_input


class ProcessLock:
    """A lock of the process that made it; to a forked child it could seem held for ever."""

    def __init__(self) -> None:
        self._lock, self._process = threading.Lock(), os.getpid()

    @contextmanager
    def held(self, deadline: float | None = None) -> Iterator[None]:
        """Hold the lock during the block.

        Raises:
            ProviderError: this is another process.
            DeadlineError: the lock cannot be had before this `time.perf_counter()`.
        """
        if os.getpid() != self._process:
            raise ProviderError(
                "the model was loaded before this process was forked",
                hint="load it in the child, or start the child with the spawn method",
            )
        left = threading.TIMEOUT_MAX if deadline is None else deadline - time.perf_counter()
        if left <= 0 or not self._lock.acquire(timeout=min(left, threading.TIMEOUT_MAX)):
            raise DeadlineError(
                "no reply within the time allowed",
                hint="allow more time, or choose a smaller beam_size or max_length",
            )
        try:
            yield
        finally:
            self._lock.release()


class Decoding:
    """The search for the replies to one batch.

    Args:
        backend: computes; other decodings may use it between two steps.
        lock: held whenever the backend is in use.
        requests: at least one.
        featurizer: writes the text.
        bundle_id: which model answers.
        deadline: no step begins after this `time.perf_counter()`; None for no limit.
    """

    def __init__(
        self,
        backend: Backend,
        lock: ProcessLock,
        requests: Sequence[Request],
        featurizer: Featurizer,
        bundle_id: str,
        deadline: float | None = None,
    ) -> None:
        self._backend, self._lock, self._deadline = backend, lock, deadline
        self._requests, self._featurizer, self._bundle_id = requests, featurizer, bundle_id
        self._encode_s = self._decode_s = self._first_step_s = 0.0

    def steps(self) -> Iterator[BeamSearch]:
        """Yield the search after each step, until the replies are there.

        Raises:
            DeadlineError: the time allowed is over.
            DivergenceError: the model computed NaN or infinity.
            ProviderError: this process was forked after the model was loaded.
        """
        requests = self._requests
        started = time.perf_counter()
        inputs = encoder_input([request.features for request in requests])
        with self._lock.held(self._deadline):
            encoded = self._backend.encode(inputs)
            self._label_probs = encoded.label_probs
            self._encode_s = time.perf_counter() - started
            steps = decode_steps(
                self._backend,
                encoded,
                [request.search for request in requests],
                [request.banned for request in requests],
                len(self._featurizer.tokenizer.vocabulary),
            )
            self._search = next(steps)
        self._decode_s = time.perf_counter() - started - self._encode_s
        self._first_step_s = self._encode_s + self._decode_s
        yield self._search
        while not self._search.is_finished:
            resumed = time.perf_counter()
            with self._lock.held(self._deadline):
                next(steps)
            self._decode_s += time.perf_counter() - resumed
            yield self._search

    def shared_text(self) -> str:
        """Return the text that the first reply will begin with; after at least one step."""
        return self._featurizer.text_of(self._search.shared_prefix(0))

    def replies(self) -> list[Reply]:
        """Return the reply to each request; after the last step."""
        featurize_ms = sum(request.featurize_ms for request in self._requests)
        encode_ms, decode_ms = self._encode_s * 1e3, self._decode_s * 1e3
        timings = Timings(
            featurize_ms=featurize_ms,
            encode_ms=encode_ms,
            decode_ms=decode_ms,
            total_ms=featurize_ms + encode_ms + decode_ms,
            first_token_ms=featurize_ms + self._first_step_s * 1e3,
        )
        return [self._reply(row, timings) for row in range(len(self._requests))]

    def _reply(self, row: int, timings: Timings) -> Reply:
        found = [
            Alternative(
                self._featurizer.text_of(h.token_ids), h.score, h.token_ids, h.finish_reason
            )
            for h in self._search.results(row)
        ]
        best, features = found[0], self._requests[row].features
        return Reply(
            text=best.text,
            score=best.score,
            token_ids=best.token_ids,
            emotions=tuple(
                _emotion(turn, self._label_probs[row, place])
                for place, turn in enumerate(features.turns)
            ),
            alternatives=tuple(found[1:]),
            finish_reason=best.finish_reason,
            timings=timings,
            unk_ratio=features.unk_ratio,
            turns_dropped=features.turns_dropped,
            tokens_dropped=features.tokens_dropped,
            bundle_id=self._bundle_id,
        )


def _emotion(turn: TurnFeatures, probabilities: FloatArray) -> RecognisedEmotion:
    """Return a turn's emotion, given by the caller or else from (7,) probabilities."""
    given = turn.label != UNKNOWN_LABEL
    if given:
        probabilities = np.eye(len(Emotion), dtype=np.float32)[turn.label - 1]
    label = Emotion(int(probabilities.argmax()) + 1)
    return RecognisedEmotion(label, dict(zip(Emotion, probabilities.tolist(), strict=True)), given)
