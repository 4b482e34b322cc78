"""Requests sent on time to a responder of the toy bundle, and what became of them."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from empgan_bench.engines.base import written
from empgan_bench.workers.load_generator import LoadGenerator
from empgan_bench.workers.messages import Served
from empgan_bench.workers.requests import Arrival
from empgan_rt import Responder, SearchConfig
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from support.counting_backend import CountingBackend

DIALOGUES = [["I am happy."], ["the day", "we"], ["you are sad"]]
SEARCH = SearchConfig(beam_size=2, max_length=8)
LONG = SearchConfig(beam_size=1, min_length=20, max_length=20, no_repeat_ngram=0)


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


def served(
    bundle: Bundle,
    times_ms: Sequence[float],
    search: SearchConfig = SEARCH,
    *,
    dialogues: Sequence[Sequence[str]] = DIALOGUES,
    pause_s: float = 0.0,
    deadline_s: float | None = None,
    max_batch: int = 32,
    max_queue: int = 256,
) -> Served:
    backend = CountingBackend(OrtBackend(bundle), pause_s)
    generator = LoadGenerator(bundle, backend, dialogues, max_batch, max_queue)
    arrivals = [Arrival(at_ms, i % len(dialogues)) for i, at_ms in enumerate(times_ms)]
    return generator.run(arrivals, search, deadline_s)


def outcomes(found: Served) -> list[str]:
    return [request.outcome for request in found.requests]


def test_replies_are_those_of_the_responder(bundle: Bundle, toy_folder: Path) -> None:
    found = served(bundle, [0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert outcomes(found) == ["answered"] * 6
    alone = [Responder.load(toy_folder).reply(turns, SEARCH) for turns in DIALOGUES]
    wanted = [written(reply.token_ids, reply.finish_reason) for reply in alone]
    assert found.replies == wanted * 2
    assert [request.tokens for request in found.requests[:3]] == [len(r.token_ids) for r in alone]
    assert [request.item for request in found.requests] == [0, 1, 2, 0, 1, 2]


def test_events_come_in_their_order(bundle: Bundle) -> None:
    for request in served(bundle, [0.0, 5.0], LONG, pause_s=0.001).requests:
        assert request.encoding_ms is not None
        times = [request.scheduled_ms, request.sent_ms, request.encoding_ms]
        times += [piece.at_ms for piece in request.pieces]
        times.append(request.end_ms)
        assert times == sorted(times)
        assert len(request.pieces) > 1
        assert sum(piece.tokens for piece in request.pieces) == request.tokens == 20


def test_nobody_waits_for_earlier_ones_to_be_done(bundle: Bundle) -> None:
    found = served(bundle, [0.0, 1.0, 2.0, 3.0], LONG, pause_s=0.005).requests
    assert max(request.sent_ms for request in found) < min(request.end_ms for request in found)


class _Slow(Sequence[Sequence[str]]):
    """Dialogues that take their time, so that the generator falls behind."""

    def __getitem__(self, item: int) -> Sequence[str]:  # type: ignore[override]  # no slices
        time.sleep(0.02)
        return DIALOGUES[item]

    def __len__(self) -> int:
        return len(DIALOGUES)

    def __iter__(self) -> Iterator[Sequence[str]]:
        return iter(DIALOGUES)


def test_a_generator_that_falls_behind_says_so_and_hides_nothing(bundle: Bundle) -> None:
    first, second = served(bundle, [0.0, 0.0], dialogues=_Slow()).requests
    late = max(first, second, key=lambda request: request.lateness_ms)
    assert late.lateness_ms >= 20.0
    assert late.e2e_ms >= late.lateness_ms
    assert late.e2e_ms == pytest.approx(late.lateness_ms + late.end_ms - late.sent_ms)


def test_a_full_queue_refuses_and_that_is_no_failure(bundle: Bundle) -> None:
    found = served(bundle, [0.0] * 4, LONG, pause_s=0.002, max_batch=1, max_queue=1)
    assert sorted(outcomes(found)) == ["answered", "answered", "refused", "refused"]
    refused = next(request for request in found.requests if request.outcome == "refused")
    assert "waiting already" in refused.error
    assert (refused.encoding_ms, refused.pieces, refused.tokens) == (None, [], 0)


def test_a_deadline_counts_from_when_the_request_was_due(bundle: Bundle) -> None:
    assert outcomes(served(bundle, [0.0], LONG, pause_s=0.02, deadline_s=0.05)) == ["late"]
    found = served(bundle, [0.0, 0.0], dialogues=_Slow(), deadline_s=0.02)
    assert outcomes(found)[1] == "late"  # before it could be sent
    assert outcomes(served(bundle, [0.0], deadline_s=60.0)) == ["answered"]


def test_what_else_goes_wrong_is_a_failure(bundle: Bundle) -> None:
    found = served(bundle, [0.0, 1.0], dialogues=[[""], ["we"]])
    assert outcomes(found) == ["failed", "answered"]
    assert "without any word" in found.requests[0].error
    assert found.replies[0] == []
