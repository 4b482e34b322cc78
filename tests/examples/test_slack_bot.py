"""The Slack bot, with Bolt as it is, against a server on loopback that stands for Slack's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from empgan_rt import SessionPool

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


class Slack:
    """Keeps what is posted."""

    def __init__(self) -> None:
        self.posted: list[dict[str, Any]] = []

    async def answer(self, request: Any) -> Any:
        from aiohttp import web

        if request.path.endswith("auth.test"):
            who = {"ok": True, "user_id": "UBOT", "bot_id": "B1", "team_id": "T1", "url": "x"}
            return web.json_response(who)
        assert request.path.endswith("chat.postMessage")
        self.posted.append(await request.json())
        return web.json_response({"ok": True, "ts": "9.9", "channel": "C1"})


def event(kind: str, text: str, **more: Any) -> dict[str, Any]:
    told = {"type": kind, "channel": "C1", "user": "U1", "text": text, "ts": "5.5", **more}
    return {"type": "event_callback", "team_id": "T1", "event": told, "authorizations": []}


def test_it_answers_direct_messages_and_mentions_and_nothing_else(
    example: Callable[..., ModuleType], with_pool: Callable[..., None]
) -> None:
    bot = example("slack_bot", "slack_bolt")

    async def talk(pool: SessionPool) -> None:
        from aiohttp import web
        from aiohttp.test_utils import TestServer
        from slack_bolt.request.async_request import AsyncBoltRequest
        from slack_sdk.web.async_client import AsyncWebClient

        slack, site = Slack(), web.Application()
        site.router.add_post("/api/{method}", slack.answer)
        async with TestServer(site) as server:
            client = AsyncWebClient(token="xoxb-1", base_url=str(server.make_url("/api/")))
            app = bot.AsyncApp(client=client, process_before_response=True)
            bot.add_answers(app, pool)

            async def hand_in(body: dict[str, Any]) -> None:
                request = AsyncBoltRequest(body=body, mode="socket_mode")
                assert (await app.async_dispatch(request)).status == 200

            await hand_in(event("message", "I lost my keys today.", channel_type="im"))
            await hand_in(event("app_mention", "<@UBOT> I got the job!"))
            await hand_in(event("message", "<@UBOT> I got the job!", channel_type="channel"))
            await hand_in(event("message", "Hello.", channel_type="im", bot_id="B2"))
            await hand_in(event("message", "", channel_type="im", subtype="message_changed"))
        assert [post.get("thread_ts") for post in slack.posted] == [None, "5.5"]
        assert all(post["text"] for post in slack.posted)
        assert len(await pool.turns("slack/C1//U1")) == 2
        assert (await pool.turns("slack/C1/5.5/U1"))[0].text.strip() == "I got the job!"
        assert await pool.count() == 2

    with_pool(talk)


def test_it_runs_until_it_is_stopped(
    example: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bot = example("slack_bot", "slack_bolt")
    seen: list[Any] = []
    opened: list[Any] = []

    async def start(self: Any) -> None:
        seen.extend([self.app.client.token, self.app_token, len(self.app._async_listeners)])
        opened.append(self.client.aiohttp_client_session)

    monkeypatch.setattr(bot.AsyncSocketModeHandler, "start_async", start)
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setenv("SLACK_APP_TOKEN", "xapp-1")
    asyncio.run(bot.main())
    assert seen == ["xoxb-1", "xapp-1", 2]
    assert [session.closed for session in opened] == [True]
    assert [path.name for path in tmp_path.iterdir()] == ["slack.db"]
