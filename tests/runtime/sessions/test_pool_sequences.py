"""Whatever users do in whatever order, a pool remembers what a few lists would."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from empgan_rt import DivergenceError, QueueFullError, Reply, SessionPool
from support.scripted_answers import ScriptedAnswers, settle

KEYS = ("a", "b", "c", "d", 5)
LIMIT, TTL_S, MAX_QUEUE, MAX_TURNS = 3, 10, 2, 5


@dataclass
class Message:
    text: str
    task: asyncio.Task[Reply]
    counts: bool = True  # not forgotten while its reply was to come


@dataclass
class Talk:
    """What should be remembered of one key."""

    turns: list[str] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    unused_since: float = 0.0
    order: int = 0  # of its last end among all ends


class PoolBesideLists(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now_s, self.count = 0.0, 0
        self.answers = ScriptedAnswers(MAX_TURNS, MAX_QUEUE)
        self.pool = SessionPool(self.answers, limit=LIMIT, ttl_s=TTL_S, clock=lambda: self.now_s)
        self.talks: dict[object, Talk] = {}

    @rule(key=st.sampled_from(KEYS), streamed=st.booleans())
    def say(self, key: object, streamed: bool) -> None:
        self.count += 1
        text = str(self.count)
        speak = self._streamed if streamed else self.pool.say
        task = self.loop.create_task(speak(key, text))
        self._settle()
        if self._accepts(key):
            self.talks.setdefault(key, Talk()).messages.append(Message(text, task))
        else:
            assert isinstance(task.exception(), QueueFullError)

    @precondition(lambda self: self.answers.asked)
    @rule(data=st.data(), answer=st.sampled_from(["", "Oh."]))
    def answer(self, data: st.DataObject, answer: str) -> None:
        talk, message = self._running(data)
        known = talk.turns if message.counts else None
        self.answers.answer(message.text, answer)
        self._settle()
        reply = message.task.result()
        assert reply.text == answer
        if known is not None:
            assert self.answers.read[message.text] == [*known, message.text][-MAX_TURNS:]
            assert reply.turns_dropped == max(0, len(known) + 1 - MAX_TURNS)
            known += [message.text, answer] if answer else [message.text]
        self._end(talk, message)

    @precondition(lambda self: self.answers.asked)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        talk, message = self._running(data)
        self.answers.fail(message.text, DivergenceError("NaN"))
        self._settle()
        assert isinstance(message.task.exception(), DivergenceError)
        self._end(talk, message)

    @precondition(lambda self: self.answers.asked)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        talk = data.draw(st.sampled_from([t for t in self.talks.values() if t.messages]))
        message = data.draw(st.sampled_from(talk.messages))
        message.task.cancel()
        self._settle()
        assert message.task.cancelled()
        self._end(talk, message)

    @rule(seconds=st.sampled_from([1, TTL_S - 1, TTL_S]))
    def wait(self, seconds: int) -> None:
        self.now_s += seconds
        for key, talk in [*self.talks.items()]:
            if not talk.messages and self.now_s - talk.unused_since >= TTL_S:
                del self.talks[key]

    @rule(key=st.sampled_from(KEYS))
    def forget(self, key: object) -> None:
        self.pool.forget(key)
        talk = self.talks.get(key, Talk())
        talk.turns = []
        for message in talk.messages[:1]:  # the others will be read in the new dialogue
            message.counts = False
        self._drop_empty()

    @invariant()
    def what_is_remembered_is_the_same(self) -> None:
        for key in KEYS:
            turns = [turn.text for turn in self.pool.turns(key)]
            assert turns == self.talks.get(key, Talk()).turns[-MAX_TURNS:]
        assert len(self.pool) == len(self.talks) <= LIMIT

    def teardown(self) -> None:
        for talk in self.talks.values():
            for message in talk.messages:
                message.task.cancel()
        self._settle()
        assert self.answers.asked == []
        self.loop.close()

    async def _streamed(self, key: object, text: str) -> Reply:
        *_, last = [chunk async for chunk in self.pool.stream(key, text)]
        return last.reply

    def _settle(self) -> None:
        self.loop.run_until_complete(settle())

    def _accepts(self, key: object) -> bool:
        """Return whether a message is accepted, and make room for it."""
        if key in self.talks:
            return len(self.talks[key].messages) <= MAX_QUEUE
        unused = {k: talk.order for k, talk in self.talks.items() if not talk.messages}
        if len(self.talks) < LIMIT:
            return True
        if unused:
            del self.talks[min(unused, key=unused.get)]
        return bool(unused)

    def _running(self, data: st.DataObject) -> tuple[Talk, Message]:
        """Return a dialogue and the message of it that the model has."""
        talk = data.draw(st.sampled_from([t for t in self.talks.values() if t.messages]))
        assert talk.messages[0].text in self.answers.asked
        assert all(message.text not in self.answers.asked for message in talk.messages[1:])
        return talk, talk.messages[0]

    def _end(self, talk: Talk, message: Message) -> None:
        talk.messages.remove(message)
        self.count += 1
        talk.unused_since, talk.order = self.now_s, self.count
        self._drop_empty()

    def _drop_empty(self) -> None:
        self.talks = {key: t for key, t in self.talks.items() if t.turns or t.messages}


TestPoolBesideLists = PoolBesideLists.TestCase
TestPoolBesideLists.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, database=None
)
