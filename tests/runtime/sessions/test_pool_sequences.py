"""Whatever users do in whatever order, a pool remembers what a few lists would."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Hashable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from empgan_rt import DivergenceError, QueueFullError, Reply, SessionPool, SessionStore, SqliteStore
from empgan_rt.sessions.memory_store import MemoryStore
from support.scripted_answers import ScriptedAnswers, settle

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
    """A pool over a store in memory."""

    last_key: Hashable = 5

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.now_s, self.count = 0.0, 0
        self.keys = ("a", "b", "c", "d", self.last_key)
        self.answers = ScriptedAnswers(MAX_TURNS, MAX_QUEUE)
        self.store: SessionStore = self.opened()
        self.pool = self.new_pool()
        self.talks: dict[object, Talk] = {}

    def clock(self) -> float:
        """Return seconds that are a little more each time, as those of two uses are."""
        self.now_s += 1e-7
        return self.now_s

    def opened(self) -> SessionStore:
        return MemoryStore(clock=self.clock)

    def new_pool(self) -> SessionPool:
        return SessionPool(self.answers, store=self.store, limit=LIMIT, ttl_s=TTL_S)

    @rule(data=st.data(), streamed=st.booleans())
    def say(self, data: st.DataObject, streamed: bool) -> None:
        key = data.draw(st.sampled_from(self.keys))
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
    def block(self, data: st.DataObject) -> None:
        talk, message = self._running(data)
        self.answers.block(message.text)
        self._settle()
        assert message.task.result().verdict.action == "block"
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

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(self.keys))
        self.loop.run_until_complete(self.pool.forget(key))
        talk = self.talks.get(key, Talk())
        talk.turns = []
        for message in talk.messages[:1]:  # the others will be read in the new dialogue
            message.counts = False
        self._drop_empty()

    @precondition(lambda self: not self.answers.asked)
    @rule()
    def begin_anew(self) -> None:
        """Another pool, as of the next process, finds what the store has."""
        self.pool = self.new_pool()

    @invariant()
    def what_is_remembered_is_the_same(self) -> None:
        for key in self.keys:
            found = self.loop.run_until_complete(self.pool.turns(key))
            turns = [turn.text for turn in found]
            assert turns == self.talks.get(key, Talk()).turns[-MAX_TURNS:]
        count = self.loop.run_until_complete(self.pool.count())
        assert count == len(self.talks) <= LIMIT

    def teardown(self) -> None:
        for talk in self.talks.values():
            for message in talk.messages:
                message.task.cancel()
        self._settle()
        assert self.answers.asked == []
        self.close()
        self.loop.close()

    def close(self) -> None:
        """Close what was opened."""

    async def _streamed(self, key: object, text: str) -> Reply:
        *_, last = [chunk async for chunk in self.pool.stream(key, text)]
        return last.reply

    def _settle(self) -> None:
        self.loop.run_until_complete(settle(self.store))

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


class SqlitePoolBesideLists(PoolBesideLists):
    """A pool over a file, which the next pool opens again."""

    last_key = "5"

    def opened(self) -> SessionStore:
        self.folder = tempfile.TemporaryDirectory()
        return SqliteStore(f"{self.folder.name}/sessions.db", clock=self.clock)

    @precondition(lambda self: not self.answers.asked)
    @rule()
    def begin_anew(self) -> None:
        self.loop.run_until_complete(self.store.aclose())
        self.store = SqliteStore(f"{self.folder.name}/sessions.db", clock=self.clock)
        self.pool = self.new_pool()

    def close(self) -> None:
        self.loop.run_until_complete(self.store.aclose())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.folder.cleanup()


TestPoolBesideLists = PoolBesideLists.TestCase
TestPoolBesideLists.settings = settings(
    max_examples=100, stateful_step_count=40, deadline=None, database=None
)
TestSqlitePoolBesideLists = SqlitePoolBesideLists.TestCase
TestSqlitePoolBesideLists.settings = settings(
    max_examples=40, stateful_step_count=40, deadline=None, database=None
)
