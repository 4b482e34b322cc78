"""The thread behind a model: shared by callers, ended by closing, by forgetting, by a signal."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import AsyncResponder, InputError, ProviderError, Responder, SearchConfig
from empgan_rt.bundle.bundle import Bundle
from support.counting_backend import counting

LONG = SearchConfig(beam_size=1, min_length=20, max_length=20, no_repeat_ngram=0)
SHORT = SearchConfig(beam_size=1, min_length=3, max_length=3, no_repeat_ngram=0)


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


@pytest.fixture
def at_alarm() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Calls a function in a signal handler of the main thread, shortly."""
    before = signal.getsignal(signal.SIGALRM)

    def arrange(handler: Callable[[], None]) -> None:
        signal.signal(signal.SIGALRM, lambda *_: handler())
        signal.setitimer(signal.ITIMER_REAL, 0.05)

    yield arrange
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


def eventually(condition: Callable[[], bool], within_s: float = 30.0) -> None:
    until = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def threads_of_models() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "empgan-rt"]


def test_threads_share_steps(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    responder, backend = counting(bundle)
    searches = [LONG, SHORT, LONG, SHORT]
    gate, encode = threading.Barrier(len(searches) + 1), backend.encode

    def encode_when_all_wait(inputs: Any) -> Any:
        if not backend.encodes:
            gate.wait()
        return encode(inputs)

    submit = responder._executor.submit

    def submit_and_say_so(*arguments: Any) -> Any:
        ticket = submit(*arguments)
        gate.wait()
        return ticket

    monkeypatch.setattr(backend, "encode", encode_when_all_wait)
    monkeypatch.setattr(responder._executor, "submit", submit_and_say_so)
    threads = [threading.Thread(target=responder.reply, args=(["I am"], s)) for s in searches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # Some are being encoded when the others come, and are a step ahead of them.
    assert sum(backend.widths) == 4
    assert sum(backend.rows) == 20 + 3 + 20 + 3
    assert len(backend.rows) <= 21  # 46 if each had been alone
    assert responder._executor.is_idle


def test_closing_ends_the_thread_and_fails_what_is_under_way(bundle: Bundle) -> None:
    responder, backend = counting(bundle, pause_s=0.01)
    ticket = responder._executor.submit(responder._ticket(["I am"], LONG))
    eventually(lambda: backend.steps > 1)
    responder.close()
    with pytest.raises(InputError, match="closed"):
        responder._executor.wait(ticket)
    with pytest.raises(InputError, match="closed"):
        responder.reply(["I am"])
    with pytest.raises(InputError, match="closed"):
        responder.reply_batch([["I am"], ["you"]])
    assert backend.steps < 20
    responder.close()  # once more does nothing


@pytest.mark.parametrize("kind", [Responder, AsyncResponder])
def test_one_that_is_forgotten_unclosed_is_freed(toy_folder: Path, kind: Any) -> None:
    before = len(threads_of_models())
    for _ in range(10):
        kind.load(toy_folder)
    gc.collect()
    eventually(lambda: len(threads_of_models()) <= before)


def test_closing_in_a_signal_handler_returns(bundle: Bundle, at_alarm: Any) -> None:
    responder, _ = counting(bundle, pause_s=0.02)
    at_alarm(responder.close)
    with pytest.raises(InputError, match="closed"):
        responder.reply(["I am"], LONG)


def test_asking_in_a_signal_handler_is_answered(bundle: Bundle, at_alarm: Any) -> None:
    responder, _ = counting(bundle, pause_s=0.02)
    found: list[str] = []
    at_alarm(lambda: found.append(responder.reply(["I am"], SHORT).text))
    reply = responder.reply(["I am"], LONG)
    assert len(reply.token_ids) == 20
    assert len(found) == 1


def test_an_interrupt_leaves_the_model_as_it_was(bundle: Bundle, at_alarm: Any) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    responder, backend = counting(bundle, pause_s=0.02)
    wanted = responder.reply(["I am"], LONG).token_ids
    at_alarm(interrupt)
    before = backend.steps
    with pytest.raises(KeyboardInterrupt):
        responder.reply(["I am"], LONG)
    eventually(lambda: responder._executor.is_idle)
    assert backend.steps - before < 20  # its slot was given back
    assert responder.reply(["I am"], LONG).token_ids == wanted


def test_where_no_thread_can_be_had_loading_says_so(
    toy_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(ProviderError, match="no thread for the model: can't start new thread"):
        Responder.load(toy_folder)
