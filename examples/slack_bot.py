"""A Slack bot over Socket Mode: it answers direct messages, and in channels who mentions it.

pip install 'empgan-rt[cpu]' slack-bolt aiohttp
SLACK_BOT_TOKEN=xoxb-... SLACK_APP_TOKEN=xapp-... python examples/slack_bot.py
"""

from __future__ import annotations

import asyncio
import os
import re
from typing import Any

from bot_answers import answer, opened_pool
from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp, AsyncSay

from empgan_rt import SessionPool


def add_answers(app: AsyncApp, pool: SessionPool) -> None:
    """Have an app answer messages: one dialogue for each user of each thread or channel."""

    async def on_event(event: dict[str, Any], say: AsyncSay) -> None:
        is_direct = event.get("channel_type") == "im"
        if event.get("bot_id") or event.get("subtype") or not event.get("user"):
            return  # another bot's, or no message but an edit of one
        if event["type"] == "message" and not is_direct:
            return  # those that mention the bot come as `app_mention` too
        thread = event.get("thread_ts") if is_direct else event.get("thread_ts", event["ts"])
        key = f"slack/{event['channel']}/{thread or ''}/{event['user']}"
        text = re.sub(r"^\s*<@\w+>", "", event.get("text", ""))
        await say(text=await answer(pool, key, text), thread_ts=thread)

    app.event("message")(on_event)
    app.event("app_mention")(on_event)


async def main() -> None:
    """Run the bot until it is stopped."""
    async with opened_pool("slack.db") as pool:
        app = AsyncApp(token=os.environ["SLACK_BOT_TOKEN"])
        add_answers(app, pool)
        handler = AsyncSocketModeHandler(app, os.environ["SLACK_APP_TOKEN"])
        try:
            await handler.start_async()
        finally:
            await handler.close_async()


if __name__ == "__main__":
    asyncio.run(main())
