"""What a guard does to replies: alone, in batches, in pieces, late and cancelled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from empgan_rt import (
    AsyncResponder,
    DeadlineError,
    Emotion,
    EmpganError,
    InputError,
    Reply,
    Responder,
    SearchConfig,
    Turn,
    Verdict,
)
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from support.counting_backend import CountingBackend, counting_async, same
from support.guards import ALLOW, ScriptedGuard, SlowGuard, stops, without_first

SEARCH = SearchConfig(beam_size=4, min_length=3, max_length=8)
BAD, GOOD = ["that bad day"], ["I am happy."]


@pytest.fixture(scope="module")
def plain(toy_folder: Path) -> Responder:
    return Responder.load(toy_folder, search=SEARCH)


def guarded(folder: Path, guard: Any) -> Responder:
    return Responder.load(folder, search=SEARCH, guard=guard)


def is_models(reply: Reply, other: Reply) -> bool:
    """Whether a guarded reply is what the model says without a guard."""
    return reply.verdict == ALLOW and same(replace(reply, verdict=None), other)


def test_without_a_guard_nothing_is_said_of_one(plain: Responder) -> None:
    reply = plain.reply(GOOD)
    assert (reply.source, reply.verdict) == ("model", None)


def test_what_is_allowed_is_what_the_model_says(toy_folder: Path, plain: Responder) -> None:
    for search in (SEARCH, SearchConfig(beam_size=4, num_hypotheses=2), SearchConfig(beam_size=1)):
        reply = guarded(toy_folder, ScriptedGuard()).reply(GOOD, search)
        assert is_models(reply, plain.reply(GOOD, search))
        assert len(reply.alternatives) == search.num_hypotheses - 1
        assert reply.source == "model"


def test_a_guard_hears_the_emotions_that_the_model_recognised(toy_folder: Path) -> None:
    guard = ScriptedGuard()
    responder = guarded(toy_folder, guard)
    turns = [Turn("we", Emotion.FEAR), Turn("what?"), Turn("I am happy.")] * 20
    reply = responder.reply(turns)
    assert reply.turns_dropped > 0
    assert guard.heard[0][reply.turns_dropped :] == [each.label for each in reply.emotions]
    assert guard.heard[0][: reply.turns_dropped] == [
        t.emotion for t in turns[: reply.turns_dropped]
    ]
    assert guard.heard[0][-3] == Emotion.FEAR
    assert guard.read[0] == [turn.text for turn in turns]
    asyncio.run(_answered(AsyncResponder.load(toy_folder, guard=guard), turns))
    assert guard.heard[1] == guard.heard[0]


async def _answered(responder: AsyncResponder, turns: list[Turn]) -> None:
    async with responder:
        await responder.reply(turns)


@pytest.mark.parametrize("action", ["replace", "block", "hand_over"])
def test_the_model_does_not_see_what_is_stopped(toy_folder: Path, action: str) -> None:
    bundle = Bundle.open(toy_folder)
    backend = CountingBackend(OrtBackend(bundle))
    responder = Responder(bundle, backend, guard=ScriptedGuard(stops("bad", action)))
    reply = responder.reply(["we", "what?", *BAD])
    assert (reply.text, reply.source) == ("Please stop.", "guard")
    assert reply.verdict is not None
    assert (reply.verdict.action, reply.verdict.category) == (action, "test")
    assert (reply.token_ids, reply.alternatives, reply.emotions) == ((), (), ())
    assert reply.timings.total_ms == reply.timings.featurize_ms
    assert backend.encodes == 0
    assert responder.reply(GOOD).source == "model"


def test_tokens_that_were_read_are_counted_whoever_answers(toy_folder: Path) -> None:
    guarded = Responder.load(toy_folder, guard=ScriptedGuard(stops("happy")))
    model, guard = guarded.reply(["we are here"]), guarded.reply(["I am happy."])
    assert (model.source, model.context_tokens) == ("model", 3)
    assert (guard.source, guard.context_tokens) == ("guard", 4)


def test_a_guard_reads_the_whole_dialogue_and_every_candidate(toy_folder: Path) -> None:
    guard = ScriptedGuard()
    turns = ["we", Turn("what?"), "I am happy."]
    reply = guarded(toy_folder, guard).reply(iter(turns))  # type: ignore[arg-type]
    assert guard.read == [["we", "what?", "I am happy."]]
    assert guard.candidates[0][0] == reply.text
    assert len(guard.candidates[0]) == SEARCH.beam_size


def test_the_next_best_is_the_second_chance(toy_folder: Path, plain: Responder) -> None:
    wide = SearchConfig(beam_size=4, num_hypotheses=4, min_length=3, max_length=8)
    found = plain.reply(GOOD, wide)
    reply = guarded(toy_folder, ScriptedGuard(on_reply=without_first)).reply(GOOD, wide)
    assert reply.text == found.alternatives[0].text
    assert (reply.score, reply.token_ids) == (
        found.alternatives[0].score,
        found.alternatives[0].token_ids,
    )
    assert reply.alternatives == found.alternatives[1:]
    assert reply.source == "model"
    narrow = guarded(toy_folder, ScriptedGuard(on_reply=without_first)).reply(GOOD)
    assert (narrow.text, narrow.alternatives) == (reply.text, ())


def test_a_reply_without_a_second_chance_is_replaced(toy_folder: Path) -> None:
    guard = ScriptedGuard(on_reply=lambda _: Verdict.replace("Let me think.", rule="all"))
    reply = guarded(toy_folder, guard).reply(GOOD)
    assert (reply.text, reply.source, reply.token_ids) == ("Let me think.", "guard", ())
    assert len(reply.emotions) == 1  # the model was asked


def test_what_the_guard_did_is_ready_for_json(toy_folder: Path) -> None:
    told = guarded(toy_folder, ScriptedGuard(stops("bad", "block"))).reply(BAD).to_dict()
    assert (told["text"], told["source"]) == ("Please stop.", "guard")
    assert told["verdict"] == {"action": "block", "category": "test", "rule": "bad", "message": ""}


def test_bad_turns_are_refused_before_the_guard(toy_folder: Path) -> None:
    guard = ScriptedGuard()
    for turns in ([], [""], ["\ud800"], [7]):
        with pytest.raises(InputError):
            guarded(toy_folder, guard).reply(turns)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a search of type"):
        guarded(toy_folder, guard).reply(GOOD, 3)  # type: ignore[arg-type]
    assert guard.read == []


def test_a_call_may_name_its_own_guard(toy_folder: Path, plain: Responder) -> None:
    strict = ScriptedGuard(stops("happy"))
    assert plain.reply(GOOD, guard=strict).source == "guard"
    assert guarded(toy_folder, ScriptedGuard(stops("bad"))).reply(BAD, guard=strict).source == (
        "model"
    )
    assert plain.reply_batch([GOOD], guard=strict)[0].source == "guard"
    assert [*plain.stream(GOOD, guard=strict)][-1].text == "Please stop."


@pytest.mark.parametrize("guard", [object(), SlowGuard(ScriptedGuard())])
def test_a_guard_that_cannot_be_asked_is_refused_at_once(
    toy_folder: Path, plain: Responder, guard: Any
) -> None:
    with pytest.raises(InputError, match="a guard"):
        Responder.load("nowhere", guard=guard)
    for ask in (plain.reply, plain.stream):
        with pytest.raises(InputError, match="a guard"):
            ask(GOOD, guard=guard)
    with pytest.raises(InputError, match="a guard"):
        plain.session(guard=guard)


# Batches


DIALOGUES = [GOOD, BAD, ["the day", "we"], ["you are bad"], ["great"], ["that is great", "we"]]


def test_a_batch_has_a_verdict_for_each(toy_folder: Path, plain: Responder) -> None:
    responder = guarded(toy_folder, ScriptedGuard(stops("bad")))
    together = responder.reply_batch(DIALOGUES, max_batch=2)
    assert [reply.source for reply in together] == [
        "guard" if "bad" in dialogue[-1] else "model" for dialogue in DIALOGUES
    ]
    for reply, dialogue in zip(together, DIALOGUES, strict=True):
        assert same(reply, responder.reply(dialogue))
        if reply.source == "model":
            assert is_models(reply, plain.reply(dialogue))
    assert responder.reply_batch([BAD, BAD])[1].text == "Please stop."


def test_no_dialogue_disturbs_another(toy_folder: Path, plain: Responder) -> None:
    def on_input(text: str) -> Verdict:
        if text == "great":
            raise RuntimeError(text)
        return stops("bad", "block")(text)

    dialogues = [*DIALOGUES, [""]]
    outcomes = guarded(toy_folder, ScriptedGuard(on_input)).outcomes(dialogues)
    assert isinstance(outcomes[-1], InputError)
    for dialogue, outcome in zip(dialogues[:-1], outcomes[:-1], strict=True):
        assert isinstance(outcome, Reply)
        if "bad" in dialogue[-1] or dialogue == ["great"]:
            assert outcome.source == "guard"
        else:
            assert is_models(outcome, plain.reply(dialogue))


def test_a_guard_does_not_hide_a_fault(toy_folder: Path) -> None:
    responder = guarded(toy_folder, ScriptedGuard(stops("bad")))
    responder.close()
    with pytest.raises(EmpganError, match="closed"):
        responder.reply(GOOD)
    with pytest.raises(EmpganError, match="closed"):
        responder.reply_batch([GOOD, BAD])


# In pieces


def test_a_guarded_stream_is_one_piece(toy_folder: Path) -> None:
    responder = guarded(toy_folder, ScriptedGuard(stops("bad")))
    (chunk,) = responder.stream(GOOD)
    assert chunk.reply is not None
    assert chunk.text == chunk.reply.text == responder.reply(GOOD).text
    assert chunk.tokens == len(chunk.reply.token_ids)
    (stopped,) = responder.stream(BAD)
    assert stopped.text == "Please stop."


def test_nothing_of_a_refused_reply_is_streamed(toy_folder: Path, plain: Responder) -> None:
    guard = ScriptedGuard(on_reply=lambda _: Verdict.replace("Let me think."))
    assert "".join(c.text for c in guarded(toy_folder, guard).stream(GOOD)) == "Let me think."

    async def main() -> str:
        async with AsyncResponder.load(toy_folder, guard=SlowGuard(guard)) as responder:
            return "".join([chunk.text async for chunk in responder.stream(GOOD)])

    assert asyncio.run(main()) == "Let me think."


def test_a_stream_that_is_closed_asks_nobody(toy_folder: Path) -> None:
    guard = ScriptedGuard()
    stream = guarded(toy_folder, guard).stream(GOOD)
    stream.close()
    assert guard.read == []


# Coroutines


@pytest.mark.parametrize("is_async", [False, True])
def test_coroutines_are_guarded_as_threads_are(toy_folder: Path, is_async: bool) -> None:
    inner = ScriptedGuard(stops("bad"), without_first)
    guard: Any = SlowGuard(inner) if is_async else inner

    async def main() -> list[Reply]:
        async with AsyncResponder.load(toy_folder, search=SEARCH, guard=guard) as responder:
            return await asyncio.gather(*(responder.reply(each) for each in DIALOGUES))

    wanted = guarded(toy_folder, ScriptedGuard(stops("bad"), without_first))
    for reply, dialogue in zip(asyncio.run(main()), DIALOGUES, strict=True):
        assert same(reply, wanted.reply(dialogue))


def test_an_async_guard_that_fails_says_no(toy_folder: Path) -> None:
    def on_input(text: str) -> Verdict:
        raise TimeoutError

    async def main() -> Reply:
        guard = SlowGuard(ScriptedGuard(on_input))
        async with AsyncResponder.load(toy_folder, guard=guard) as responder:
            return await responder.reply(GOOD, deadline_s=30.0)

    reply = asyncio.run(main())
    assert reply.verdict is not None
    assert (reply.source, reply.verdict.rule) == ("guard", "TimeoutError")


def test_a_deadline_counts_the_guard(toy_folder: Path) -> None:
    slow = SlowGuard(ScriptedGuard(stops("bad")), pause_s=30.0)

    async def main() -> None:
        async with AsyncResponder.load(toy_folder, guard=slow) as responder:
            for dialogue in (GOOD, BAD):
                with pytest.raises(DeadlineError):
                    await responder.reply(dialogue, deadline_s=0.05)

    asyncio.run(main())


def test_a_deadline_counts_a_guard_that_blocks(toy_folder: Path) -> None:
    def on_reply(candidates: Sequence[str]) -> Verdict:
        time.sleep(0.3)
        return ALLOW

    def on_input(text: str) -> Verdict:
        time.sleep(0.3)
        return Verdict.block("No.")

    for guard in (ScriptedGuard(on_input), ScriptedGuard(on_reply=on_reply)):
        with pytest.raises(DeadlineError):
            guarded(toy_folder, guard).reply(GOOD, deadline_s=0.2)
        with pytest.raises(DeadlineError):
            list(guarded(toy_folder, guard).stream(GOOD, deadline_s=0.2))
        session = guarded(toy_folder, guard).session(turns=["we", "what?"])
        with pytest.raises(DeadlineError):
            session.say(GOOD[0], deadline_s=0.2)
        assert len(session.turns) == 2

    async def main() -> None:
        async with AsyncResponder.load(toy_folder, guard=ScriptedGuard(on_input)) as responder:
            with pytest.raises(DeadlineError):
                await responder.reply(GOOD, deadline_s=0.2)

    asyncio.run(main())


def test_a_cancelled_guard_asks_no_model(toy_folder: Path) -> None:
    async def main() -> None:
        answers, backend = counting_async(Bundle.open(toy_folder))
        guard = SlowGuard(ScriptedGuard(), pause_s=30.0)
        async with answers:
            task = asyncio.create_task(answers.reply(GOOD, guard=guard))
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert backend.encodes == 0

    asyncio.run(main())
