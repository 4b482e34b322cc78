"""Sessions that talk at a steady rate: each message is answered, in its own dialogue, as alone.

The rate is a share of what the server can do, which is measured first. Waits are told and not
judged, since they are the machine's as well: `pytest -n 0 -s -m soak` of this file shows them.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest

from empgan_rt import Responder, WordGuard
from support.keep_alive import KeptConnection
from support.served import Served, request, serve

SESSIONS = 32
MESSAGES = 6  # of a dialogue, which is deleted then and begins anew
SHARE = 0.7
JSON = "content-type: application/json"
SAID = (
    "I lost my keys number {0} today.",
    "I have looked in {0} rooms.",
    "My sister has {0} children, and one more now!",
    "I waited {0} hours for the doctor.",
    "We won {0} games.",
    "Nobody called me for {0} days.",
)
Known = tuple[str, list[str], list[str]]  # a reply, its alternatives, and the turns' emotions


def scripts() -> list[list[str]]:
    """Return what is said in each session; no two say anything that is the same."""
    return [
        [SAID[(number + place) % len(SAID)].format(number + 2) for place in range(MESSAGES)]
        for number in range(SESSIONS)
    ]


def known_answers(bundle: str) -> list[list[Known]]:
    """Return what each message of each script is answered with, by the SDK in this process."""
    responder = Responder.load(bundle, guard=WordGuard())  # as the server's
    beam = responder.search.beam_size
    search = replace(responder.search, num_hypotheses=beam)
    found = []
    for script in scripts():
        session = responder.session(search)
        found.append([known(session.say(text).to_dict()) for text in script])
    return found


def known(reply: dict[str, Any]) -> Known:
    others = [each["text"] for each in reply["alternatives"]]
    return reply["text"], others, [each["label"] for each in reply["emotions"]]


class Talker:
    """One session; its messages go one after the other, however many are due.

    Attributes:
        waits_s: from when each message was due until its reply was read.
        wrong: what was answered otherwise than it should be.
    """

    def __init__(self, port: int, number: int, script: list[str], wanted: list[Known]) -> None:
        self._connection, self._path = KeptConnection(port), f"/v1/sessions/{number}"
        self._script, self._wanted = script, wanted
        self.waits_s: list[float] = []
        self.wrong: list[str] = []
        self._said = 0
        self._turn = asyncio.Lock()

    async def say(self, due: float) -> None:
        """Say what is next, at `due` of `time.perf_counter` or when the last reply is there."""
        async with self._turn:
            place = self._said % MESSAGES
            self._said += 1
            body = json.dumps({"text": self._script[place]}).encode()
            status, read = await self._ask("POST", body)
            self.waits_s.append(time.perf_counter() - due)
            if status != 200 or known(json.loads(read)) != self._wanted[place]:
                self.wrong.append(f"{self._path} {place}: {status} {read!r}")
            if place == MESSAGES - 1:
                await self._end()

    async def _end(self) -> None:
        status, read = await self._ask("GET")
        turns = [turn["text"] for turn in json.loads(read)["turns"]] if status == 200 else []
        replies = [text for text, *_ in self._wanted]
        if (turns[::2], turns[1::2]) != (self._script, replies):
            self.wrong.append(f"{self._path}: {turns} are remembered")
        if (status := (await self._ask("DELETE"))[0]) != 200:
            self.wrong.append(f"{self._path}: {status} for DELETE")

    async def _ask(self, method: str, body: bytes = b"") -> tuple[int, bytes]:
        return await self._connection.ask(request(self._path, JSON, method=method, body=body))

    def close(self) -> None:
        self._connection.close()


@contextmanager
def talking(served: Served, wanted: list[list[Known]]) -> Iterator[list[Talker]]:
    talkers = [
        Talker(served.port, number, *each)
        for number, each in enumerate(zip(scripts(), wanted, strict=True))
    ]
    yield talkers
    for talker in talkers:
        talker.close()


async def unloaded(talkers: list[Talker], count: int) -> list[float]:
    """Return what messages wait that are said one at a time."""
    for talker in islice(cycle(talkers), count):
        await talker.say(time.perf_counter())
    return [wait_s for talker in talkers for wait_s in talker.waits_s]


async def capacity(talkers: list[Talker], seconds: float) -> float:
    """Return how many messages a second are answered if everybody talks without a pause."""
    began = time.perf_counter()

    async def talk_on(talker: Talker) -> int:
        count = 0
        while time.perf_counter() - began < seconds:
            await talker.say(time.perf_counter())
            count += 1
        return count

    counts = await asyncio.gather(*map(talk_on, talkers))
    return sum(counts) / (time.perf_counter() - began)


async def open_loop(talkers: list[Talker], rate: float, count: int) -> list[float]:
    """Return what messages wait that are due at random times, so many a second."""
    dice = random.Random(count)
    due = time.perf_counter()
    before = [len(talker.waits_s) for talker in talkers]
    async with asyncio.TaskGroup() as group:
        for talker in islice(cycle(talkers), count):
            due += dice.expovariate(rate)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            group.create_task(talker.say(due))
    waits = [talker.waits_s[count:] for talker, count in zip(talkers, before, strict=True)]
    return [wait_s for each in waits for wait_s in each]


async def talk(
    served: Served, wanted: list[list[Known]], seconds: float
) -> tuple[dict[str, Any], list[str]]:
    """Return figures of a run, and what was wrong in it."""
    with talking(served, wanted) as talkers:
        alone_s = await unloaded(talkers, 1000 if seconds > 60 else 64)
        most = await capacity(talkers, min(60.0, seconds / 5))
        rate = SHARE * most
        waits_s = await open_loop(talkers, rate, int(rate * seconds))
        figures = {
            "capacity_per_s": round(most, 1),
            "rate_per_s": round(rate, 1),
            "said": int(rate * seconds),
            "answered": len(waits_s),
            **{
                f"{name}_p{share}_ms": round(1e3 * float(np.percentile(of, share)), 1)
                for name, of in (("alone", alone_s), ("loaded", waits_s))
                for share in (50, 99)
            },
        }
        return figures, [wrong for talker in talkers for wrong in talker.wrong]


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(10.0, marks=pytest.mark.slow), pytest.param(600.0, marks=pytest.mark.soak)],
)
def test_every_session_has_its_own_answers_under_load(seconds: float) -> None:
    wanted = known_answers("tiny")
    with serve("tiny", "-q") as served:
        figures, wrong = asyncio.run(talk(served, wanted, seconds))
    print(json.dumps(figures))
    assert wrong == []
    assert figures["answered"] == figures["said"]
