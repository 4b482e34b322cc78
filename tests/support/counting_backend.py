"""A backend that counts what it is asked for, and how replies are compared."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from empgan_rt import AsyncResponder, Reply, Responder
from empgan_rt.backend import Encoded
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.graph_spec import Candidates, EncoderInput


class CountingBackend:
    """Counts the calls to another backend, and notices two threads inside it."""

    def __init__(self, inner: OrtBackend, pause_s: float = 0.0) -> None:
        self.inner, self.pause_s = inner, pause_s
        self.encodes = self.steps = self.inside = 0
        self.widths: list[int] = []  # dialogues of each run of the encoder
        self.rows: list[int] = []  # of each step
        self.device, self.precision = inner.device, inner.precision

    def encode(self, inputs: EncoderInput) -> Encoded:
        self.encodes += 1
        self.widths.append(len(inputs.utterances))
        return self.inner.encode(inputs)

    def open(self, slots: int, beam_size: int) -> Any:
        return self.inner.open(slots, beam_size)

    def admit(self, state: Any, slots: np.ndarray, encoded: Encoded) -> None:
        self.inner.admit(state, slots, encoded)

    def rearranged(self, state: Any, slots: np.ndarray, count: int) -> Any:
        return self.inner.rearranged(state, slots, count)

    def step(self, state: Any, *arguments: Any) -> Candidates:
        self.steps += 1
        self.rows.append(arguments[0].size)
        self.inside += 1
        assert self.inside == 1, "two threads in one backend"
        time.sleep(self.pause_s)
        try:
            return self.inner.step(state, *arguments)
        finally:
            self.inside -= 1

    def close(self) -> None:
        self.inner.close()


def counting_async(bundle: Bundle, pause_s: float = 0.0) -> tuple[AsyncResponder, CountingBackend]:
    backend = CountingBackend(OrtBackend(bundle), pause_s)
    return AsyncResponder(bundle, backend, max_batch=256), backend


def counting(bundle: Bundle, pause_s: float = 0.0) -> tuple[Responder, CountingBackend]:
    backend = CountingBackend(OrtBackend(bundle), pause_s)
    return Responder(bundle, backend), backend


def same(one: Reply, other: Reply) -> bool:
    """Whether two replies say the same; numbers may differ by what sums in another order do."""

    def words(reply: Reply) -> Reply:
        return replace(
            reply,
            score=0.0,
            timings=None,
            alternatives=tuple(replace(other, score=0.0) for other in reply.alternatives),
            emotions=tuple(replace(emotion, probabilities={}) for emotion in reply.emotions),
        )

    def numbers(reply: Reply) -> list[float]:
        scores = [reply.score, *(other.score for other in reply.alternatives)]
        return [*scores, *(p for emotion in reply.emotions for p in emotion.probabilities.values())]

    return words(one) == words(other) and numbers(one) == pytest.approx(numbers(other), abs=1e-5)
