"""What is counted for Prometheus: vLLM's names behind `empgan_`, so that its dashboards fit.

Several processes count into files of one folder (prometheus-client's multiprocess mode), and each
of them answers for all; a process that was killed stays counted, except in the gauges.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client import metrics as library
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

from ..inference.async_responder import AsyncResponder
from .observer import Finished

# Seconds. A step of a small model takes 1 to 30 ms, a reply about 20 steps.
STEP_S = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.015, 0.03, 0.06, 0.12, 0.25, 0.5, 1.0, 2.0)
REPLY_S = (0.005, 0.01, 0.02, 0.04, 0.08, 0.15, 0.3, 0.6, 1.2, 2.5, 5.0, 10.0, 20.0, 40.0, 80.0)
TOKENS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
MODEL = "model_name"

Metric = TypeVar("Metric", Counter, Gauge, Histogram)


class Metrics:
    """The observer that `GET /metrics` shows.

    Args:
        responders: whose queues are told, by the model's name.
        folder: where several processes count; None for a process of its own. In such a process
            the environment's PROMETHEUS_MULTIPROC_DIR named it before this module was imported.
    """

    def __init__(
        self, responders: Mapping[str, AsyncResponder], *, folder: str | None = None
    ) -> None:
        self._responders = responders
        self._registry = CollectorRegistry()
        if folder is not None:
            MultiProcessCollector(self._registry, folder)  # type: ignore[no-untyped-call]
        own = self._registry if folder is None else None
        # Otherwise each row has one more with the time when it was made.
        library.disable_created_metrics()  # type: ignore[no-untyped-call]

        def gauge(name: str, about: str) -> Gauge:
            return Gauge(
                f"empgan_{name}", about, (MODEL,), registry=own, multiprocess_mode="livesum"
            )

        def counter(name: str, about: str, *labels: str) -> Counter:
            return Counter(f"empgan_{name}", about, labels, registry=own)

        def histogram(name: str, about: str, buckets: tuple[float, ...]) -> Histogram:
            return Histogram(f"empgan_{name}", about, (MODEL,), registry=own, buckets=buckets)

        self._running = gauge("num_requests_running", "Requests in decoding.")
        self._waiting = gauge("num_requests_waiting", "Requests that wait for a slot.")
        self._ended = counter(
            "request_success", "Requests that ended, by how.", MODEL, "finished_reason"
        )
        self._refused = counter(
            "request_refused", "Answers that are errors.", "endpoint", "status", "code"
        )
        self._read = counter("prompt_tokens", "Tokens of dialogues that were read.", MODEL)
        self._written = counter("generation_tokens", "Tokens of replies.", MODEL)
        self._first = histogram(
            "time_to_first_token_seconds", "From a request's head to its first token.", REPLY_S
        )
        self._between = histogram(
            "inter_token_latency_seconds", "Between two tokens of a stream.", STEP_S
        )
        self._each = histogram(
            "request_time_per_output_token_seconds", "Decoding, for each token.", STEP_S
        )
        self._whole = histogram(
            "e2e_request_latency_seconds", "From a request's head to its end.", REPLY_S
        )
        self._queued = histogram(
            "request_queue_time_seconds", "Until a request's batch is encoded.", REPLY_S
        )
        self._encoded = histogram(
            "request_prefill_time_seconds", "A request's batch in the encoder.", STEP_S
        )
        self._decoded = histogram(
            "request_decode_time_seconds", "From there to the last step.", REPLY_S
        )
        self._prompt = histogram("request_prompt_tokens", "Tokens read for a request.", TOKENS)
        self._reply = histogram("request_generation_tokens", "Tokens given to a request.", TOKENS)
        self.look()

    def look(self) -> None:
        """Set the gauges to what is so now; to be called about once a second."""
        for name, responder in self._responders.items():
            self._running.labels(name).set(responder.num_running)
            self._waiting.labels(name).set(responder.num_waiting)

    def accepted(self, endpoint: str, model: str) -> None:
        """Count nothing: the gauges tell of it."""

    def first_token(self, model: str, elapsed_s: float) -> None:
        """Count the time to a first token."""
        self._first.labels(model).observe(elapsed_s)

    def tokens(self, model: str, count: int, elapsed_s: float) -> None:
        """Count the time between tokens; of those that come together each has its share."""
        between = self._between.labels(model)
        for _ in range(count):
            between.observe(elapsed_s / count)

    def finished(self, finished: Finished) -> None:
        """Count a request and its parts."""
        model, timings = finished.model, finished.timings
        self._ended.labels(model, finished.finished_reason).inc()
        self._whole.labels(model).observe(finished.elapsed_s)
        if timings is None:
            return
        self._read.labels(model).inc(finished.prompt_tokens)
        self._written.labels(model).inc(finished.generation_tokens)
        self._prompt.labels(model).observe(finished.prompt_tokens)
        self._reply.labels(model).observe(finished.generation_tokens)
        self._queued.labels(model).observe(timings.queue_ms / 1e3)
        self._encoded.labels(model).observe(timings.encode_ms / 1e3)
        self._decoded.labels(model).observe(timings.decode_ms / 1e3)
        if finished.generation_tokens:
            each_ms = timings.decode_ms / finished.generation_tokens
            self._each.labels(model).observe(each_ms / 1e3)

    def refused(self, endpoint: str, status: int, code: str) -> None:
        """Count a refusal."""
        self._refused.labels(endpoint, str(status), code).inc()

    def render(self) -> tuple[str, bytes]:
        """Return the page, of all processes."""
        self.look()
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)
