"""One scheduler, many askers: who shares a step, who leaves when, and whose fault is whose."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from empgan_rt import DeadlineError, DivergenceError, InputError, ProviderError, SearchConfig
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import QueueFullError
from empgan_rt.graph_spec import Candidates
from empgan_rt.inference.request import Request, read_request
from empgan_rt.inference.scheduler import Scheduler
from empgan_rt.inference.ticket import Ticket
from support.counting_backend import CountingBackend

LONG = SearchConfig(beam_size=1, min_length=20, max_length=20, no_repeat_ngram=0)
SHORT = SearchConfig(beam_size=1, min_length=3, max_length=3, no_repeat_ngram=0)
WIDE = SearchConfig(beam_size=2, min_length=4, max_length=4, no_repeat_ngram=0)


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


def request(bundle: Bundle, text: str, search: SearchConfig) -> Request:
    return read_request([text], search, bundle.featurizer())


def scheduled(bundle: Bundle, max_running: int = 256) -> tuple[Scheduler, CountingBackend]:
    backend = CountingBackend(OrtBackend(bundle))
    return Scheduler(backend, bundle.model.vocabulary_size, max_running), backend


def started(
    bundle: Bundle, *searches: SearchConfig
) -> tuple[Scheduler, CountingBackend, list[Ticket]]:
    scheduler, backend = scheduled(bundle)
    tickets = [Ticket(request(bundle, "I am happy.", search)) for search in searches]
    for ticket in tickets:
        scheduler.intake.submit(ticket)
    return scheduler, backend, tickets


def finish(scheduler: Scheduler, ticket: Ticket) -> None:
    """Step until a ticket is done; raise what it failed with."""
    while not ticket.is_done:
        scheduler.step()
    ticket.check()


def test_requests_of_one_width_share_every_step(bundle: Bundle) -> None:
    scheduler, backend, tickets = started(bundle, LONG, SHORT, SHORT)
    finish(scheduler, tickets[0])
    assert backend.encodes == 1
    assert backend.rows == [3] * 3 + [1] * 17
    assert [ticket.steps for ticket in tickets] == [20, 3, 3]
    assert scheduler.intake.is_idle


def test_one_that_comes_later_joins_the_next_step(bundle: Bundle) -> None:
    scheduler, backend, (first,) = started(bundle, LONG)
    scheduler.step()
    scheduler.step()
    late = scheduler.intake.submit(Ticket(first.request))
    scheduler.step()
    assert (first.steps, late.steps) == (3, 1)
    finish(scheduler, late)
    assert backend.rows == [1, 1] + [2] * 18 + [1, 1]
    assert first.hypotheses is not None
    assert late.hypotheses is not None
    assert late.hypotheses[0].token_ids == first.hypotheses[0].token_ids


def test_widths_take_turns(bundle: Bundle) -> None:
    scheduler, backend, tickets = started(bundle, LONG, WIDE)
    finish(scheduler, tickets[1])
    assert backend.rows == [1, 1, 2, 1, 2, 1, 2, 1, 2]  # the second came in after the first step
    assert [ticket.steps for ticket in tickets] == [5, 4]


def test_whoever_takes_a_request_back_is_gone_before_the_next_step(bundle: Bundle) -> None:
    scheduler, backend, (first, second) = started(bundle, LONG, LONG)
    scheduler.step()
    second.cancel()
    scheduler.step()
    assert backend.rows == [2, 1]
    assert isinstance(second.error, DeadlineError)
    assert not first.is_done


def test_a_late_request_leaves_even_if_nobody_waits_for_it(bundle: Bundle) -> None:
    scheduler, backend, tickets = started(bundle, LONG, LONG)
    scheduler.step()
    tickets[0].deadline = waiting = time.perf_counter()
    never = scheduler.intake.submit(Ticket(tickets[0].request, deadline=waiting))
    scheduler.step()
    for ticket in (tickets[0], never):
        with pytest.raises(DeadlineError, match="time allowed"):
            finish(scheduler, ticket)
    assert backend.rows == [2, 1]
    assert backend.encodes == 1  # what is late is not begun


def test_what_is_over_the_limit_waits_in_order(bundle: Bundle) -> None:
    scheduler, backend = scheduled(bundle, max_running=2)
    tickets = [scheduler.intake.submit(Ticket(request(bundle, "you", SHORT))) for _ in range(5)]
    finish(scheduler, tickets[4])
    assert backend.rows == [2] * 6 + [1] * 3
    ends = [ticket.ended for ticket in tickets]
    assert ends == sorted(ends)
    with pytest.raises(InputError, match="max_running is 0"):
        Scheduler(backend, bundle.model.vocabulary_size, max_running=0)


def test_a_full_queue_refuses_and_forgets_nothing(bundle: Bundle) -> None:
    scheduler, _ = scheduled(bundle, max_running=2)
    asked = request(bundle, "you", SHORT)
    tickets = [scheduler.intake.submit(Ticket(asked), most_waiting=1) for _ in range(3)]
    for _ in range(2):  # two are in decoding after the first step, and one waits as before
        with pytest.raises(QueueFullError, match="requests are waiting already"):
            scheduler.intake.submit(Ticket(asked), most_waiting=1)
        scheduler.step()
    finish(scheduler, tickets[0])
    tickets.append(scheduler.intake.submit(Ticket(asked), most_waiting=0))
    for ticket in tickets:
        finish(scheduler, ticket)
    assert scheduler.intake.is_idle


def test_a_failure_is_told_to_those_who_were_in_the_step(bundle: Bundle) -> None:
    scheduler, backend, tickets = started(bundle, SHORT, SHORT, WIDE)
    healthy = backend.inner.step

    def poisoned(state: object, token_ids: np.ndarray, *arguments: object) -> Candidates:
        if token_ids.shape[1] == 1:
            raise DivergenceError("the decoder computed NaN", hint="export again")
        return healthy(state, token_ids, *arguments)

    backend.inner.step = poisoned
    for ticket in tickets[:2]:
        with pytest.raises(DivergenceError, match="export again"):
            finish(scheduler, ticket)
    backend.inside = 0
    finish(scheduler, tickets[2])
    backend.inner.step = healthy
    again = scheduler.intake.submit(Ticket(tickets[0].request))
    finish(scheduler, again)
    assert again.hypotheses


def test_a_bug_is_raised_where_it_happened_and_told_to_the_others(bundle: Bundle) -> None:
    scheduler, backend, tickets = started(bundle, SHORT, SHORT)

    def broken(*arguments: object) -> Candidates:
        raise ZeroDivisionError

    backend.inner.step = broken
    with pytest.raises(ZeroDivisionError):
        finish(scheduler, tickets[0])
    with pytest.raises(ProviderError, match="broken off by ZeroDivisionError"):
        finish(scheduler, tickets[1])
    assert scheduler.intake.is_idle
