"""Thousands of hostile connections to a real server, which answers everybody else meanwhile."""

from __future__ import annotations

import asyncio
import re

import psutil
import pytest

from support.hostile_clients import KINDS, MANNERS, attack
from support.served import Served, chat, request, serve, wait_until

AT_ONCE = 500
PATIENCE_S = 20.0  # longer than headers or a body may take
MIB = 1 << 20


async def storm(port: int, seeds: range) -> list[bytes]:
    pairs = [(kind, manner) for kind in KINDS for manner in MANNERS]
    calls = [attack(port, *pairs[seed % len(pairs)], seed, PATIENCE_S) for seed in seeds]
    return await asyncio.gather(*calls)


def connections(served: Served) -> int:
    return sum(
        each.status != psutil.CONN_LISTEN
        for each in psutil.Process(served.process.pid).net_connections("tcp")
    )


@pytest.mark.parametrize(
    "count",
    [pytest.param(2500, marks=pytest.mark.slow), pytest.param(5000, marks=pytest.mark.soak)],
)
def test_thousands_of_hostile_connections(count: int) -> None:
    with serve("tiny", "--no-auth", "-q") as served:
        process = psutil.Process(served.process.pid)
        statuses: set[bytes] = set()
        sizes = []
        for first in range(0, count, AT_ONCE):
            for got in asyncio.run(storm(served.port, range(first, first + AT_ONCE))):
                statuses |= {*re.findall(rb"HTTP/1\.1 (\d\d\d) ", got)}
            assert b" 200 " in served.ask(chat("connection: close"))
            sizes.append(process.memory_info().rss)
        assert not [status for status in statuses if status >= b"500"]
        assert {b"200", b"400", b"404", b"405", b"408", b"413", b"431"} <= statuses
        wait_until(lambda: connections(served) == 0)
        # Bodies of the first storms make the heap as large as it will be.
        assert min(sizes[-3:]) - min(sizes[1:4]) <= 8 * MIB, sizes
        assert b" 200 " in served.ask(request("/ready", "connection: close"))
        assert process.num_fds() < 50
