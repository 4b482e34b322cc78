"""Engines without a model, for the bench: openers that workers name, and a worker in process."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from types import SimpleNamespace
from typing import Any

import numpy as np

from empgan_bench.engines.base import Engine, Rescore, Timing
from empgan_bench.measuring.bench import Bench
from empgan_bench.measuring.workload import Workload
from empgan_bench.workers.messages import Sample, Served
from empgan_bench.workers.requests import Arrival, Piece, RequestEvents
from empgan_rt.backend import Encoded
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import Limits, SearchConfig
from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import BundleError
from empgan_rt.graph_spec import (
    EOS,
    SPECIALS,
    STRUCK,
    Candidates,
    EncoderInput,
    FloatArray,
    IntArray,
)
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer
from empgan_rt.text.tokenizer import Tokenizer
from support.toy_bundle import MODEL, write_staging

VOCABULARY_SIZE = MODEL.vocabulary_size
WORDS = [f"word{letter}" for letter in ascii_lowercase[: VOCABULARY_SIZE - len(SPECIALS)]]


@dataclass
class _State:
    keys: list[int]  # of each slot
    steps: list[int]
    beams: int


@functools.cache
def _row(*seed: int) -> FloatArray:
    return np.random.default_rng(seed).normal(size=VOCABULARY_SIZE).astype(np.float32)


class FakeBackend:
    """A `Backend` whose log-probabilities are random numbers seeded by dialogue and step."""

    device, precision = "cpu", "fp32"

    def __init__(self, shift: int = 0) -> None:
        self.shift = shift

    def encode(self, inputs: EncoderInput) -> Encoded:
        keys = inputs.utterances.sum(axis=(1, 2)).tolist()
        return Encoded(len(keys), np.zeros((len(keys), 1, 7), np.float32), keys)

    def open(self, slots: int, beam_size: int) -> _State:
        return _State([0] * slots, [0] * slots, beam_size)

    def admit(self, state: _State, slots: IntArray, encoded: Encoded) -> None:
        for slot, key in zip(slots.tolist(), encoded.tensors, strict=True):
            state.keys[slot], state.steps[slot] = key, 0

    def rearranged(self, state: _State, slots: IntArray, count: int) -> _State:
        other = self.open(count, state.beams)
        for place, slot in enumerate(slots.tolist()):
            other.keys[place], other.steps[place] = state.keys[slot], state.steps[slot]
        return other

    def step(
        self,
        state: _State,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        state.steps = [steps + 1 for steps in state.steps]
        places = zip(state.keys, state.steps, strict=True)
        rows = [_row(key, steps, self.shift) for key, steps in places]
        scores = np.repeat(np.array(rows)[:, None], state.beams, axis=1)
        log_probs = scores - np.log(np.exp(scores).sum(axis=2, keepdims=True))
        np.put_along_axis(log_probs, banned, STRUCK, axis=2)
        log_probs[:, :, 0] = STRUCK
        best = np.argsort(-log_probs, axis=2, kind="stable")[:, :, :num_candidates]
        return Candidates(best.astype(np.int32), np.take_along_axis(log_probs, best, axis=2))

    def close(self) -> None:
        pass


class _Crashing(FakeBackend):
    def encode(self, inputs: EncoderInput) -> Encoded:
        raise ValueError("a fault of the engine")


class _Exiting(FakeBackend):
    def encode(self, inputs: EncoderInput) -> Encoded:
        os.write(2, b"the last words\n")
        os._exit(9)


def _engine(backend: Any) -> Engine:
    return Engine(backend, VOCABULARY_SIZE, {"fake": "1"})


def open_plain(bundle: str, threads: int) -> Engine:
    return _engine(FakeBackend())


def open_other(bundle: str, threads: int) -> Engine:
    return _engine(FakeBackend(shift=1))


def open_talking(bundle: str, threads: int) -> Engine:
    print("chatter on stdout", flush=True)
    os.write(1, b"chatter on descriptor 1\n")
    return _engine(FakeBackend())


def open_crashing(bundle: str, threads: int) -> Engine:
    return _engine(_Crashing())


def open_exiting(bundle: str, threads: int) -> Engine:
    return _engine(_Exiting())


def open_refusing(bundle: str, threads: int) -> Engine:
    raise BundleError("no such bundle", hint="make one")


class ScriptedWorker:
    """A worker in process: replies and times come from functions of the item.

    Served requests take `total_ms` each, one beside the other, and their first piece half of that.
    """

    def __init__(
        self,
        name: str,
        calls: list[str],
        reply: Callable[[int], list[int]] = lambda item: [5, 6, EOS],
        total_ms: Callable[[int], float] = lambda item: 10.0,
        idle_cpu_s: float = 0.0,
        sent_late_ms: float = 0.0,
        fails: bool = False,
        settings: str = "",
        on_device: bool = False,
    ) -> None:
        self.name, self.calls, self.settings = name, calls, settings
        self.on_device = on_device  # where encoder and steps take half of their time
        self.reply, self.total_ms = reply, total_ms
        self.batches: list[EncoderInput] = []
        self.searches: list[SearchConfig] = []
        self.schedules: list[list[Arrival]] = []
        self.sent_late_ms, self.fails = sent_late_ms, fails
        self._idle_cpu_s, self._cpu_s = idle_cpu_s, 0.0

    def load(self, batches: list[EncoderInput]) -> None:
        self.batches = batches

    def run(self, items: list[int], search: SearchConfig) -> list[Sample]:
        self.calls.append(self.name)
        self.searches.append(search)
        return [self._sample(item) for item in items]

    def host(self, dialogues: list[list[str]], max_batch: int, max_queue: int) -> None:
        self.hosted = dialogues

    def serve(
        self, arrivals: list[Arrival], search: SearchConfig, deadline_s: float | None
    ) -> Served:
        self.calls.append(self.name)
        self.searches.append(search)
        self.schedules.append(arrivals)
        requests = [self._events(arrival) for arrival in arrivals]
        return Served(requests, [self.reply(arrival.item) for arrival in arrivals])

    def _events(self, arrival: Arrival) -> RequestEvents:
        total_ms, due_ms = self.total_ms(arrival.item), arrival.at_ms
        return RequestEvents(
            item=arrival.item,
            scheduled_ms=due_ms,
            sent_ms=due_ms + self.sent_late_ms,
            encoding_ms=due_ms + total_ms / 4,
            pieces=[Piece(due_ms + total_ms / 2, 1), Piece(due_ms + total_ms, 2)],
            end_ms=due_ms + total_ms,
            tokens=3,
            outcome="failed" if self.fails else "answered",
            error="it broke" if self.fails else "",
        )

    def cpu_s(self) -> float:
        self._cpu_s += self._idle_cpu_s
        return self._cpu_s

    def _sample(self, item: int) -> Sample:
        rows = len(self.batches[item].emotion_labels)
        total, reply = self.total_ms(item), self.reply(item)
        timing = Timing(
            encode_ms=total * 0.2,
            step_ms=total * 0.7,
            search_ms=total * 0.1,
            total_ms=total,
            first_token_ms=total * 0.25,
            steps=len(reply),
            dialogues=rows,
            tokens=rows * len(reply),
            device_encode_ms=total * 0.1 if self.on_device else None,
            device_step_ms=total * 0.35 if self.on_device else None,
        )
        return Sample(timing, [reply] * rows, self.settings)


def bench_of(
    workers: Sequence[ScriptedWorker],
    search: SearchConfig | None = None,
    rescore: Rescore | None = None,
) -> Bench:
    """Return a bench over the toy workload, of a bundle that has search defaults alone."""
    bundle: Any = SimpleNamespace(search=search or SearchConfig())
    at_work: Any = workers
    before: Any = None
    return Bench("toy", bundle, toy_workload(), at_work, rescore, before)


@functools.cache
def toy_workload(contexts: int = 6) -> Workload:
    """Return contexts of one or two turns, all different."""
    featurizer = Featurizer(Tokenizer.from_words(WORDS), EmotionLexicon({}, []), Limits())
    dialogues = [Dialogue.of([f"{WORDS[i]} {WORDS[1]}"] * (1 + i % 2)) for i in range(contexts)]
    made = [featurizer.features(dialogue) for dialogue in dialogues]
    return Workload("toy", "0" * 64, made, dialogues, featurizer)


def write_text_bundle(folder: Path) -> Path:
    """Return a sealed toy bundle whose text files can be read."""
    fields = write_staging(folder)
    (folder / "tokenizer.json").write_bytes(Tokenizer.from_words(WORDS).to_json())
    feelings = WORDS[: MODEL.emotion_vocabulary_size - len(SPECIALS)]
    lexicon, vocabulary = EmotionLexicon(dict.fromkeys(feelings, "own"), feelings).to_files()
    (folder / "emotion_lexicon.tsv").write_bytes(lexicon)
    (folder / "emotion_vocabulary.txt").write_bytes(vocabulary)
    Bundle.seal(folder, fields)
    return folder
