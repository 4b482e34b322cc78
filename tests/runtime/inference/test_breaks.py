"""An interrupt or a MemoryError at any line: nobody waits for ever, nobody gets another's reply."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from empgan_rt.backend import Encoded
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DivergenceError, EmpganError, InputError, ProviderError
from empgan_rt.graph_spec import EncoderInput, FloatArray, IntArray
from empgan_rt.inference.batch import Batch
from empgan_rt.inference.executor import Executor
from empgan_rt.inference.request import Request
from empgan_rt.inference.scheduler import Scheduler
from empgan_rt.inference.ticket import Ticket
from empgan_rt.search.decode import decode
from empgan_rt.search.hypothesis import Hypothesis
from empgan_rt.text.bans import Bans
from empgan_rt.text.featurizer import DialogueFeatures, TurnFeatures
from support.breaks import Break
from support.scripted_backend import ScriptedBackend, random_model

WORDS = 9
SEARCH = [
    f"empgan_rt.{name}"
    for name in [
        "bans",
        "inference.batch",
        "inference.intake",
        "inference.lane",
        "inference.request_queue",
        "inference.scheduler",
        "inference.ticket",
        "search.beam_search",
        "search.expansion",
        "search.hypothesis",
        "search.ngram",
        "search.phrase_ends",
        "search.progress",
        "search.rows",
        "search.rules",
        "search.sampling",
    ]
]
CALLER = [*SEARCH, "empgan_rt.inference.executor"]
CONFIGS = [
    SearchConfig(beam_size=2, max_length=5, num_hypotheses=2),
    SearchConfig(beam_size=2, max_length=3),
    SearchConfig(beam_size=2, max_length=6, early_stopping=False, no_repeat_ngram=2),
    SearchConfig(sample=True, num_hypotheses=2, max_length=4, seed=3, top_k=3),
    SearchConfig(beam_size=2, max_length=4, repetition_penalty=1.5),
]
LIMIT_S = 60.0


class Numbered(ScriptedBackend):
    """Knows a dialogue by its first token, whatever batch it comes in."""

    def encode(self, inputs: EncoderInput) -> Encoded:
        return self.encoded(inputs.utterances[:, 0, 0].tolist())


def backend() -> Numbered:
    return Numbered(random_model(5, WORDS), WORDS)


def asked(dialogue: int) -> Request:
    turn = TurnFeatures([dialogue], [3], label=8, tokens_dropped=0)
    return Request(DialogueFeatures((turn,), 0), config_of(dialogue), Bans(), 0.0)


def config_of(dialogue: int) -> SearchConfig:
    return CONFIGS[dialogue % len(CONFIGS)]


def wanted(dialogues: range) -> dict[int, list[Hypothesis]]:
    """Return what each dialogue is answered when it is alone."""
    alone = backend()
    return {
        d: decode(alone, alone.encoded([d]), [config_of(d)], [Bans()], WORDS)[0] for d in dialogues
    }


DIALOGUES = range(4, 16)
ALONE = wanted(range(4, 24))


def scenario(scheduler: Scheduler) -> dict[int, Ticket | None]:
    """Ask for replies that come and go, with holes and newcomers; None where that was refused.

    Three more come at once as a batch, one is taken back.
    """
    asking: Iterator[int] = iter(DIALOGUES)
    found: dict[int, Ticket | None] = {}
    batch = None
    for wave in (4, 1, 2, 3):
        for _, dialogue in zip(range(wave), asking, strict=False):
            ticket = None
            with suppress(KeyboardInterrupt, MemoryError, InputError):
                ticket = scheduler.intake.submit(Ticket(asked(dialogue)))
            found[dialogue] = ticket
        if wave == 1:
            with suppress(KeyboardInterrupt, MemoryError, InputError):
                batch = scheduler.intake.submit_batch(Batch([asked(d) for d in range(16, 19)], 2))
        if wave == 2 and (first := found[DIALOGUES[4]]):
            with suppress(KeyboardInterrupt, MemoryError):
                first.cancel()
        for _ in range(2):
            step(scheduler)
    for _ in range(200):
        step(scheduler)
        with suppress(KeyboardInterrupt, MemoryError):
            if scheduler.intake.is_idle:
                break
    if batch is not None:
        found |= {16 + place: ticket for place, ticket in enumerate(batch.tickets)}
    return found


def step(scheduler: Scheduler) -> None:
    with suppress(KeyboardInterrupt, MemoryError):
        scheduler.step()


def verdict(ticket: Ticket | None, dialogue: int) -> str:
    """Return what a caller met: "answered", "told", "crossed" or "lost"."""
    if ticket is None:
        return "told"
    if ticket.hypotheses is not None:
        return "answered" if ticket.hypotheses == ALONE[dialogue] else "crossed"
    if ticket.error is None:
        return "told" if ticket.cancelled else "lost"
    assert isinstance(ticket.error, EmpganError)
    return "told"


def verdicts(found: dict[int, Ticket | None]) -> Counter[str]:
    return Counter(verdict(ticket, dialogue) for dialogue, ticket in found.items())


def broken(at: int | None, kind: type[BaseException]) -> tuple[Counter[str], Break, Scheduler]:
    scheduler = Scheduler(backend(), WORDS, 6)
    with Break(SEARCH, at, kind).here() as met:
        found = scenario(scheduler)
    return verdicts(found), met, scheduler


def sample_of(count: int, most: int) -> range:
    """Return at least `most` places among `count`, spread evenly; all if it has fewer."""
    return range(0, count, max(1, count // most))


def check_all(most: dict[type[BaseException], int]) -> int:
    """Break the scenario at so many lines with each kind; return at how many it was."""
    whole, met, _ = broken(None, KeyboardInterrupt)
    assert whole == {"answered": len(DIALOGUES) - 2 + 3 - 1, "told": 1}
    faults = []
    breaks = 0
    for kind, count in most.items():
        for at in sample_of(met.lines, count):
            found, broke, scheduler = broken(at, kind)
            assert broke.place
            breaks += 1
            if found["crossed"] or found["lost"] or not scheduler.intake.is_idle:
                faults.append((broke.place, kind.__name__, dict(found), scheduler.intake.is_idle))
            after = scheduler.intake.submit(Ticket(asked(20)))
            while not after.is_done:
                scheduler.step()
            if after.hypotheses != ALONE[20]:
                faults.append((broke.place, "the next one"))
    assert not faults, f"{len(faults)} of {breaks}: {faults[:5]}"
    return breaks


def test_whatever_line_breaks_nobody_is_lost_or_crossed() -> None:
    assert check_all({KeyboardInterrupt: 30, MemoryError: 30}) >= 60


@pytest.mark.slow
def test_hundreds_of_lines_may_break() -> None:
    assert check_all({KeyboardInterrupt: 300, MemoryError: 700}) >= 1_000


@pytest.mark.soak
def test_every_line_may_break() -> None:
    assert check_all({KeyboardInterrupt: 2_000, MemoryError: 10**9}) >= 10_000


def test_the_check_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "abandon", lambda self, error: None)
    with pytest.raises(AssertionError, match="'lost'"):
        check_all({MemoryError: 60})


def ask_together(executor: Executor, dialogues: range) -> dict[int, Ticket | None]:
    """Ask from this thread for all at once; None where that ended with an interrupt."""
    tickets: dict[int, Ticket | None] = {}
    for dialogue in dialogues:
        tickets[dialogue] = None
        with suppress(KeyboardInterrupt, InputError):
            tickets[dialogue] = executor.submit(Ticket(asked(dialogue)))
    for dialogue, ticket in tickets.items():
        try:
            if ticket is not None:
                executor.wait(ticket)
        except KeyboardInterrupt:
            tickets[dialogue] = None
        except EmpganError:
            pass
    return tickets


def in_time(work: Callable[[], object], where: str) -> None:
    """Do something in another thread, which must end."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(LIMIT_S)
    assert not thread.is_alive(), f"{where}: somebody waits for ever"


def break_thread(at: int | None) -> Break:
    """Break the thread that takes the steps at a line; nobody may wait for ever."""
    with Break(CALLER, at, MemoryError).in_new_threads() as met:
        executor = Executor(backend(), WORDS, 6)
    found: dict[int, Ticket | None] = {}
    in_time(lambda: found.update(ask_together(executor, DIALOGUES)), met.place)
    counts = verdicts(found)
    assert counts["answered"] + counts["told"] == len(DIALOGUES), (met.place, counts)

    def next_one() -> None:
        ticket = Ticket(asked(20))
        with suppress(InputError):  # "closed", if the thread broke beyond repair
            executor.wait(executor.submit(ticket))
            assert ticket.hypotheses == ALONE[20]

    in_time(next_one, met.place)
    in_time(executor.close, met.place)
    in_time(executor._thread.join, met.place)  # or pytest lays its exception to the next test
    return met


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    "most",
    [30, pytest.param(150, marks=pytest.mark.slow), pytest.param(500, marks=pytest.mark.soak)],
)
def test_a_thread_that_breaks_tells_everybody(most: int) -> None:
    lines = break_thread(None).lines
    assert lines > 1000
    for at in sample_of(lines, most):
        break_thread(at)


def break_caller(at: int | None) -> Break:
    """Break a caller at a line; the others are answered, and so is whoever comes next."""
    executor = Executor(backend(), WORDS, 6)
    others = [executor.submit(Ticket(asked(d))) for d in DIALOGUES[:3]]
    with Break(CALLER, at, KeyboardInterrupt).here() as met:
        found = ask_together(executor, DIALOGUES[3:6])
        with suppress(KeyboardInterrupt):
            for _ in executor.completed(Batch([asked(d) for d in DIALOGUES[6:8]], 1)):
                pass
    counts = verdicts(found)
    assert not counts["crossed"] + counts["lost"], (met.place, counts)

    def rest() -> None:
        for ticket, dialogue in zip(others, DIALOGUES, strict=False):
            executor.wait(ticket)
            assert ticket.hypotheses == ALONE[dialogue], met.place
        ticket = executor.submit(Ticket(asked(20)))
        executor.wait(ticket)
        assert ticket.hypotheses == ALONE[20], met.place

    in_time(rest, met.place)
    in_time(executor.close, met.place)
    assert executor.is_idle, met.place
    return met


@pytest.mark.parametrize("most", [30, pytest.param(10**9, marks=pytest.mark.slow)])
def test_a_caller_that_is_interrupted_harms_nobody(most: int) -> None:
    lines = break_caller(None).lines
    assert lines > 100
    for at in sample_of(lines, most):
        break_caller(at)


@pytest.mark.parametrize("error", [DivergenceError("NaN"), ProviderError("full"), MemoryError()])
@pytest.mark.parametrize("where", ["encode", "admit", "step"])
def test_a_request_at_fault_fails_alone(where: str, error: Exception) -> None:
    culprits = {7, 13}

    class Fragile(Numbered):
        def encode(self, inputs: EncoderInput) -> Encoded:
            encoded = super().encode(inputs)
            if where == "encode" and culprits & {*encoded.tensors}:
                raise error
            return encoded

        def admit(self, state: Any, slots: IntArray, encoded: Encoded) -> None:
            if where == "admit" and culprits & {*encoded.tensors}:
                raise error
            super().admit(state, slots, encoded)

    def model(dialogue: int, prefix: tuple[int, ...]) -> FloatArray:
        if where == "step" and dialogue in culprits and len(prefix) == 2:
            raise error
        return random_model(5, WORDS)(dialogue, prefix)

    scheduler = Scheduler(Fragile(model, WORDS), WORDS, 8)
    tickets = {d: Ticket(asked(d), streams=True) for d in DIALOGUES}
    prefixes: dict[int, list[tuple[int, ...]]] = {d: [()] for d in DIALOGUES}
    for ticket in [*tickets.values()][:6]:
        scheduler.intake.submit(ticket)
    scheduler.step()
    for ticket in [*tickets.values()][6:]:
        scheduler.intake.submit(ticket)
    while not scheduler.intake.is_idle:
        scheduler.step()
        for dialogue, ticket in tickets.items():
            prefixes[dialogue].append(ticket.prefix)
    for dialogue, ticket in tickets.items():
        if dialogue in culprits:
            with pytest.raises(EmpganError, match=r"NaN|full|MemoryError"):
                ticket.check()
        else:
            assert ticket.hypotheses == ALONE[dialogue]
            told = prefixes[dialogue]  # what was said is not taken back when it begins again
            assert all(new[: len(old)] == old for old, new in pairwise(told))


def test_a_seed_that_nobody_gave_stays_the_same_when_a_search_begins_again() -> None:
    request = replace(asked(4), search=SearchConfig(sample=True, num_hypotheses=2, top_k=5))
    first, second = Ticket(request), Ticket(request)
    assert first.search.seed is not None
    assert first.search.seed != second.search.seed
