"""Tens of thousands of hostile bodies, sent to a real server over connections that stay open."""

from __future__ import annotations

import asyncio
import collections
import random

import psutil
import pytest

from support.hostile_bodies import hostile
from support.keep_alive import KeptConnection
from support.served import Served, chat, request, serve

IN_FLIGHT = 16
STORMS = 10
MIB = 1 << 20


async def storm(served: Served, dice: random.Random, count: int) -> collections.Counter[int]:
    """Return how often each status was answered to so many bodies."""
    statuses: collections.Counter[int] = collections.Counter()
    left = iter(range(count))

    async def ask_on() -> None:
        connection = KeptConnection(served.port)
        try:
            for _ in left:
                path, body = hostile(dice)
                kind = "content-type: application/json"
                status, _ = await connection.ask(request(path, kind, method="POST", body=body))
                statuses[status] += 1
        finally:
            connection.close()

    await asyncio.gather(*(ask_on() for _ in range(IN_FLIGHT)))
    return statuses


@pytest.mark.parametrize(
    "count",
    [pytest.param(2000, marks=pytest.mark.slow), pytest.param(50_000, marks=pytest.mark.soak)],
)
def test_thousands_of_hostile_bodies(count: int) -> None:
    dice = random.Random(count)
    statuses: collections.Counter[int] = collections.Counter()
    with serve("tiny", "--no-auth", "-q") as served:
        process = psutil.Process(served.process.pid)
        sizes = []
        for _ in range(STORMS):
            statuses += asyncio.run(storm(served, dice, count // STORMS))
            assert b" 200 " in served.ask(chat("connection: close"))
            sizes.append(process.memory_info().rss)
        print(f"{dict(statuses)}, RSS in MiB: {[round(size / MIB, 1) for size in sizes]}")
        assert {*statuses} <= {200, 400, 404}
        assert statuses[200] > count / 50
        assert statuses[400] > count / 2
        assert sum(statuses.values()) == count
        assert sizes[-1] - sizes[0] <= 8 * MIB, sizes
        assert process.num_fds() < 50
