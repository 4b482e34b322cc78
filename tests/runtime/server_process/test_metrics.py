"""What is counted, under which names."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from empgan_rt.dialogue.reply import Timings
from empgan_rt.server.metrics import Metrics
from empgan_rt.server.observer import Finished

TIMINGS = Timings(
    featurize_ms=1, queue_ms=2, encode_ms=3, decode_ms=40, total_ms=46, first_token_ms=10
)
OF_VLLM = {
    "num_requests_running": "gauge",
    "num_requests_waiting": "gauge",
    "request_success_total": "counter",
    "prompt_tokens_total": "counter",
    "generation_tokens_total": "counter",
    "time_to_first_token_seconds": "histogram",
    "inter_token_latency_seconds": "histogram",
    "request_time_per_output_token_seconds": "histogram",
    "e2e_request_latency_seconds": "histogram",
    "request_queue_time_seconds": "histogram",
    "request_prefill_time_seconds": "histogram",
    "request_decode_time_seconds": "histogram",
    "request_prompt_tokens": "histogram",
    "request_generation_tokens": "histogram",
}


def made(**queues: Any) -> Metrics:
    responder: Any = SimpleNamespace(num_running=0, num_waiting=0, **queues)
    return Metrics({"tiny": responder})


def rows(metrics: Metrics) -> dict[str, float]:
    """Return the values of the page by name and labels, the only model's name left out."""
    lines = metrics.render()[1].decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    short = [re.sub(r',?model_name="tiny"', "", name).replace("{}", "") for name, _ in pairs]
    return {name: float(value) for name, (_, value) in zip(short, pairs, strict=True)}


def test_the_names_are_those_of_vllm_and_one_of_ours() -> None:
    page = made().render()[1].decode()
    types = dict(re.findall(r"^# TYPE empgan_(\S+) (\w+)$", page, re.MULTILINE))
    assert types == {**OF_VLLM, "request_refused_total": "counter"}


def test_a_reply_is_counted_with_its_parts() -> None:
    metrics = made()
    metrics.accepted("/v1/reply", "tiny")
    metrics.first_token("tiny", 0.011)
    metrics.tokens("tiny", 2, 0.01)
    metrics.finished(Finished("/v1/reply", "tiny", "stop", 0.05, 12, 4, TIMINGS))
    found = rows(metrics)
    assert found['empgan_request_success_total{finished_reason="stop"}'] == 1
    assert found["empgan_prompt_tokens_total"] == 12
    assert found["empgan_generation_tokens_total"] == 4
    assert found["empgan_time_to_first_token_seconds_sum"] == 0.011
    assert found["empgan_inter_token_latency_seconds_count"] == 2
    assert found["empgan_inter_token_latency_seconds_sum"] == 0.01
    assert found["empgan_e2e_request_latency_seconds_sum"] == 0.05
    assert found["empgan_request_queue_time_seconds_sum"] == 0.002
    assert found["empgan_request_prefill_time_seconds_sum"] == 0.003
    assert found["empgan_request_decode_time_seconds_sum"] == 0.04
    assert found["empgan_request_time_per_output_token_seconds_sum"] == 0.01
    assert found['empgan_request_prompt_tokens_bucket{le="20.0"}'] == 1
    assert found['empgan_request_prompt_tokens_bucket{le="10.0"}'] == 0
    assert found["empgan_request_generation_tokens_sum"] == 4


def test_requests_without_a_reply_have_no_parts() -> None:
    metrics = made()
    for reason in ("abort", "error", "abort"):
        metrics.finished(Finished("/v1/reply", "tiny", reason, 0.5))  # type: ignore[arg-type]
    metrics.refused("/v1/reply", 429, "overloaded")
    found = rows(metrics)
    assert found['empgan_request_success_total{finished_reason="abort"}'] == 2
    assert found['empgan_request_success_total{finished_reason="error"}'] == 1
    assert found["empgan_e2e_request_latency_seconds_count"] == 3
    assert "empgan_request_decode_time_seconds_count" not in found
    refused = 'empgan_request_refused_total{code="overloaded",endpoint="/v1/reply",status="429"}'
    assert found[refused] == 1


def test_queues_are_as_they_are_when_the_page_is_asked_for() -> None:
    responder: Any = SimpleNamespace(num_running=1, num_waiting=0)
    metrics = Metrics({"tiny": responder})
    responder.num_running, responder.num_waiting = 32, 5
    found = rows(metrics)
    assert found["empgan_num_requests_running"] == 32
    assert found["empgan_num_requests_waiting"] == 5


def test_two_of_them_do_not_count_together() -> None:
    first, second = made(), made()
    first.refused("", 404, "not_found")
    assert len(rows(second)) < len(rows(first))
