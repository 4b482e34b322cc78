"""A program that talks through a pool over a file, and is killed while it does, again and again.

Run as `python killed_talkers.py PATH KILLS SEED`, it prints a JSON object: `kills`; `acknowledged`,
how many messages were answered and told before; `lost`, those of them that the file does not have;
`faults`, whatever else is wrong with it: a dialogue that is no beginning of what was said, or by
half, or that was forgotten. `python killed_talkers.py PATH full` fills a file that may not grow on.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import resource
import signal
import sys
import time
from typing import Any

from empgan_rt import Limits, Reply, SessionPool, SqliteStore, StorageError
from support.replies import reply_saying

KEYS = [f"user {number}" for number in range(6)]
FOR_EVER = 9e9


class Echo:
    """Answers at once, with what was said last."""

    limits = Limits(max_turns=1000)
    max_queue = 256

    async def reply(self, turns: Any, search: Any = None, **options: Any) -> Reply:
        await asyncio.sleep(0)
        return reply_saying(f"You said {turns[-1].text}.")


async def talk(path: str, told: int) -> None:
    """Talk in every dialogue until the end of the process, and tell of each answer."""
    pool = SessionPool(Echo(), store=SqliteStore(path), ttl_s=FOR_EVER)

    async def speak(key: str) -> None:
        number = len(await pool.turns(key)) // 2
        while True:
            text = f"{key}, message {number} " + "word " * (number % 40)
            await pool.say(key, text)
            os.write(told, json.dumps(["say", key, text]).encode() + b"\n")
            number += 1
            if number % 50 == 0:
                os.write(told, json.dumps(["forgets", key]).encode() + b"\n")
                await pool.forget(key)
                os.write(told, json.dumps(["forgot", key]).encode() + b"\n")
                number = 0

    await asyncio.gather(*(speak(key) for key in KEYS))


def killed_talk(path: str, wait_s: float) -> list[list[str]]:
    """Return what a child told that was killed a while after its first word."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.close(reader)
        try:
            asyncio.run(talk(path, writer))
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        lines = [file.readline()]
        time.sleep(wait_s)
        os.kill(child, signal.SIGKILL)
        lines += file.readlines()
    os.waitpid(child, 0)
    return [json.loads(line) for line in lines if line.endswith(b"\n")]


async def read(path: str) -> dict[str, list[str]]:
    async with SqliteStore(path, create=False) as store:
        found = {key: await store.get(key, FOR_EVER) for key in await store.keys()}
    return {key: [turn.text for turn in talk.turns] for key, talk in found.items() if talk}


def kill_often(path: str, kills: int, seed: int) -> dict[str, Any]:
    draw, acknowledged, lost = random.Random(seed), 0, 0
    faults: list[str] = []
    kept: dict[str, list[str]] = {}
    for _ in range(kills):
        forgets: set[str] = set()
        for what, key, *text in killed_talk(path, draw.uniform(0, 0.03)):
            if what == "say":
                acknowledged += 1
                kept.setdefault(key, []).extend([text[0], f"You said {text[0]}."])
            elif what == "forgets":
                forgets.add(key)
            else:
                forgets.discard(key)
                kept.pop(key, None)
        found = asyncio.run(read(path))
        for key in KEYS:
            have, want = found.get(key, []), kept.get(key, [])
            if key in forgets and not have:  # whether it was forgotten was not told
                want = []
            if have[: len(want)] != want:
                lost += 1
            more = have[len(want) :]  # was not told, and may be there whole
            if more and (len(more) != 2 or more[1] != f"You said {more[0]}."):
                faults.append(f"{key}: {len(more)} more turns")
        kept = found
    return {"kills": kills, "acknowledged": acknowledged, "lost": lost, "faults": faults}


async def fill_up(path: str) -> dict[str, Any]:
    """Say more than a file may hold, then let it grow again."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    acknowledged: list[str] = []
    errors: list[str] = []
    async with SqliteStore(path) as store:
        pool = SessionPool(Echo(), store=store)
        for number in range(300):
            if number == 20:
                resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, most))
            elif number == 200:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
            try:
                await pool.say("a", f"{number} " + "word " * 20)
                acknowledged.append(str(number))
            except StorageError as error:
                errors.append(str(error))
        remembered = await pool.turns("a")
    stored = (await read(path))["a"]
    return {
        "acknowledged": len(acknowledged),
        "errors": sorted(set(errors)),
        "failed": len(errors),
        "is_remembered": [turn.text.split()[0] for turn in remembered[::2]] == acknowledged,
        "is_stored": [text.split()[0] for text in stored[::2]] == acknowledged,
    }


if __name__ == "__main__":
    if sys.argv[2] == "full":
        print(json.dumps(asyncio.run(fill_up(sys.argv[1]))))
    else:
        print(json.dumps(kill_often(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))))
