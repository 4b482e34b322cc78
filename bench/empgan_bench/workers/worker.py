"""The process that holds one engine and decodes batches, or serves, when it is told to.

It reads requests from stdin and answers on stdout; whatever else would be printed goes to stderr.
It ends when stdin does.
"""

from __future__ import annotations

import gc
import os
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from empgan_rt.backend import Backend, Encoded
from empgan_rt.backends.heap import release_free_memory
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import EmpganError
from empgan_rt.graph_spec import Candidates, EncoderInput, IntArray
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans

from ..engines.base import DeviceClock, Engine, Prepared, Timing, Yardstick, resolve, written
from . import messages
from .load_generator import LoadGenerator


class StepClock:
    """A `Backend` that passes everything on and adds up the time of its steps.

    Args:
        backend: what is measured.
        on_device: is started and stopped around the encoder and around each step.
    """

    def __init__(self, backend: Backend, on_device: DeviceClock) -> None:
        self._backend, self._on_device = backend, on_device
        self.device, self.precision = backend.device, backend.precision
        self.open, self.admit = backend.open, backend.admit
        self.rearranged, self.close = backend.rearranged, backend.close
        self.seconds = 0.0
        self.steps = 0
        self.first_ended = 0.0  # time.perf_counter() after the first step

    def encode(self, inputs: EncoderInput) -> Encoded:
        """See `Backend.encode`."""
        self._on_device.start()
        encoded = self._backend.encode(inputs)
        self._on_device.stop()
        return encoded

    def step(
        self,
        state: Any,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """See `Backend.step`."""
        start = time.perf_counter()
        self._on_device.start()
        candidates = self._backend.step(state, token_ids, parents, banned, num_candidates)
        self._on_device.stop()
        end = time.perf_counter()
        self.seconds += end - start
        self.steps += 1
        if self.steps == 1:
            self.first_ended = end
        return candidates


def measure(engine: Engine, inputs: EncoderInput, search: SearchConfig) -> messages.Sample:
    """Return the replies to a batch and where the time went."""
    rows = len(inputs.emotion_labels)
    clock = StepClock(engine.backend, engine.clock)
    start = time.perf_counter()
    encoded = clock.encode(inputs)
    encode_ended = time.perf_counter()
    found = decode(clock, encoded, [search] * rows, [Bans()] * rows, engine.vocabulary_size)
    end = time.perf_counter()
    on_device = engine.clock.read()  # the encoder's, then those of the steps
    best = [hypotheses[0] for hypotheses in found]
    timing = Timing(
        encode_ms=(encode_ended - start) * 1e3,
        step_ms=clock.seconds * 1e3,
        search_ms=(end - encode_ended - clock.seconds) * 1e3,
        total_ms=(end - start) * 1e3,
        first_token_ms=(clock.first_ended - start) * 1e3,
        steps=clock.steps,
        dialogues=rows,
        tokens=sum(len(hypothesis.token_ids) for hypothesis in best),
        device_encode_ms=on_device[0] if on_device else None,
        device_step_ms=sum(on_device[1:]) if on_device else None,
    )
    return messages.Sample(timing, [written(h.token_ids, h.finish_reason) for h in best])


class _Worker:
    """Answers requests, one engine and one set of batches at a time."""

    def __init__(self) -> None:
        self._engine: Engine | Yardstick | None = None
        self._bundle = ""
        self._batches: Sequence[EncoderInput] = ()
        self._prepared: dict[tuple[int, SearchConfig], Prepared] = {}
        self._generator: LoadGenerator | None = None

    def answer(self, request: messages.Request) -> messages.Answer:
        """Return the answer; an error is one too."""
        try:
            if isinstance(request, messages.Open):
                return self._open(request)
            if isinstance(request, messages.Load):
                self._batches = [batch.inputs() for batch in request.batches]
                self._prepared.clear()
                return messages.Done()
            if isinstance(request, messages.Host):
                return self._host(request)
            if isinstance(request, messages.Serve):
                return self._serve(request)
            return self._run(request)
        except EmpganError as error:
            return messages.Failed(error.code, error.message, error.hint)
        except Exception as error:
            traceback.print_exc()
            return messages.Failed("internal", f"{type(error).__name__}: {str(error)[:300]}", "")

    def _open(self, request: messages.Open) -> messages.Opened:
        start = time.perf_counter()
        self._bundle = request.bundle
        self._engine = resolve(request.opener)(request.bundle, request.threads)
        return messages.Opened(
            load_ms=(time.perf_counter() - start) * 1e3,
            versions=dict(self._engine.versions),
            gc="enabled" if gc.isenabled() else "disabled",
            allocator=Path(os.environ.get("LD_PRELOAD", "")).name or "system",
        )

    def _run(self, request: messages.Run) -> messages.Ran:
        engine = self._opened()
        if isinstance(engine, Engine) and engine.backend.device != "cpu" and request.items:
            # Not counted: a GPU that comes from another process, and has rested, starts slowly.
            measure(engine, self._batches[request.items[0]], request.search)
        return messages.Ran([self._sample(engine, item, request.search) for item in request.items])

    def _sample(
        self, engine: Engine | Yardstick, item: int, search: SearchConfig
    ) -> messages.Sample:
        if isinstance(engine, Engine):
            return measure(engine, self._batches[item], search)
        if (item, search) not in self._prepared:
            self._prepared[item, search] = engine.prepared(self._batches[item], search)
        prepared = self._prepared[item, search]
        return messages.Sample(prepared.run(), [], prepared.settings)

    def _host(self, request: messages.Host) -> messages.Done:
        engine = self._opened()
        if not isinstance(engine, Engine):
            raise EmpganError("a yardstick was asked to host dialogues, which it cannot answer")
        self._generator = LoadGenerator(
            Bundle.open(self._bundle).without_weights(),  # the engine has them
            engine.backend,
            request.dialogues,
            request.max_batch,
            request.max_queue,
        )
        release_free_memory()
        return messages.Done()

    def _serve(self, request: messages.Serve) -> messages.Served:
        if self._generator is None:
            raise EmpganError("a worker was asked to serve before it hosted dialogues")
        return self._generator.run(request.arrivals, request.search, request.deadline_s)

    def _opened(self) -> Engine | Yardstick:
        if self._engine is None:
            raise EmpganError("a worker was asked to work before it opened an engine")
        return self._engine


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """Answer requests until there are no more."""
    worker = _Worker()
    for line in requests:
        messages.send(answers, worker.answer(messages.decode_request(line)))


def main() -> None:
    """Serve on stdin and stdout."""
    # Engines may print to file descriptor 1; the protocol keeps a private copy of it.
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        serve(sys.stdin.buffer, answers)
