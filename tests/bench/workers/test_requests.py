import pytest

from empgan_bench.workers.requests import Piece, RequestEvents


def events(*pieces, sent_ms=100.0, **more):
    given = {"end_ms": 300.0, "outcome": "answered", "encoding_ms": 150.0, "tokens": 9} | more
    return RequestEvents(item=0, scheduled_ms=100.0, sent_ms=sent_ms, pieces=[*pieces], **given)


def test_every_time_counts_from_when_the_request_was_due():
    prompt, late = (
        events(Piece(200.0, 1), Piece(300.0, 8), sent_ms=sent_ms) for sent_ms in (100.0, 140.0)
    )
    for request in (prompt, late):
        assert (request.e2e_ms, request.ttft_ms, request.queue_ms) == (200.0, 100.0, 50.0)
    assert (prompt.lateness_ms, late.lateness_ms) == (0.0, 40.0)


def test_time_per_token_leaves_out_the_first_text_and_what_came_with_it():
    word_by_word = events(*(Piece(200.0 + 10 * i, 1) for i in range(9)))
    assert word_by_word.tpot_ms == pytest.approx(80 / 8)  # (last - first) / (tokens - 1)
    in_lumps = events(Piece(200.0, 5), Piece(230.0, 2), Piece(280.0, 2))
    assert in_lumps.tpot_ms == pytest.approx(80 / 4)
    waited = events(*(Piece(290.0 + i, 1) for i in range(9)))
    assert waited.tpot_ms == pytest.approx(1.0)  # however long the first took


def test_the_end_may_come_after_the_last_text():
    request = events(Piece(200.0, 1), Piece(220.0, 1), end_ms=260.0)
    assert request.tpot_ms == 20.0
    assert request.e2e_ms == 160.0


def test_what_never_came_has_no_time():
    assert events(Piece(200.0, 9)).tpot_ms is None
    assert events().ttft_ms is None
    assert events().tpot_ms is None
    refused = events(outcome="refused", encoding_ms=None)
    assert refused.queue_ms is None
    assert refused.e2e_ms == 200.0
