"""What every bot here says: the model's reply, or a plain sentence where there is none."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from empgan_rt import (
    AsyncResponder,
    DeadlineError,
    InputError,
    QueueFullError,
    SessionPool,
    SqliteStore,
    WordGuard,
)

ABOUT = (
    "I am a program that chats about everyday things in English. I give no advice and know no "
    "facts. What we say is kept for 30 days; /reset deletes it."
)
KEPT_S = 30 * 24 * 3600.0  # after the last message
log = logging.getLogger("bot")


@asynccontextmanager
async def opened_pool(path: str, bundle: str = "default") -> AsyncIterator[SessionPool]:
    """Yield dialogues that outlive the process, in the file `path`, under a guard."""
    async with (
        SqliteStore(path) as store,
        AsyncResponder.load(bundle, guard=WordGuard()) as responder,
    ):
        yield responder.sessions(store=store, limit=10_000, ttl_s=KEPT_S)


async def answer(pool: SessionPool, key: str, text: str) -> str:
    """Return what a bot says to a message; "/reset" deletes the dialogue, "/help" tells of it."""
    command = text.strip()
    if command in ("/start", "/help"):
        return ABOUT
    if command == "/reset":
        await pool.forget(key)
        return "I have forgotten what we said."
    try:
        reply = await pool.say(key, text, deadline_s=20.0)
    except InputError:
        return "I can read words only, and not too many at once."
    except (QueueFullError, DeadlineError):
        return "I have too much to answer. Please say that again in a moment."
    if reply.verdict is not None and reply.verdict.action == "hand_over":
        log.warning("a person is needed in %s", key)
    return reply.text or "I do not know what to say."
