"""The Discord bot, with discord.py as it is; what would go over the network is recorded instead."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from empgan_rt import SessionPool

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]
BOT, USER, OTHER, CHANNEL, GUILD = "1", "2", "3", "40", "50"


class Wire:
    """Stands for Discord: hands events to a bot and keeps what it sends."""

    def __init__(self, bot: Any, discord: ModuleType) -> None:
        self.bot, self.discord, self.count = bot, discord, 100
        self.sent: list[dict[str, Any]] = []
        self.typed = 0
        bot.http.request = self.request
        state = bot._connection
        state.user = discord.ClientUser(state=state, data=self.user(BOT, bot=True))
        guild = {
            "id": GUILD,
            "name": "g",
            "channels": [{"id": CHANNEL, "type": 0, "name": "c", "position": 0}],
            "members": [],
            "roles": [{"id": GUILD, "name": "@everyone", "permissions": "0", "position": 0}],
            "member_count": 2,
        }
        state._add_guild_from_data(guild)

    def user(self, number: str, bot: bool = False) -> dict[str, Any]:
        name = f"user{number}"
        return {"id": number, "username": name, "discriminator": "0", "avatar": None, "bot": bot}

    async def request(self, route: Any, **options: Any) -> Any:
        if route.path.endswith("/typing"):
            self.typed += 1
            return None
        assert (route.method, route.path) == ("POST", "/channels/{channel_id}/messages")
        body = options["form"] if "form" in options else options["json"]
        self.sent.append(body)
        return self.message(route.channel_id, BOT, body["content"], bot=True)

    def message(
        self, channel: Any, author: str, content: str, *, bot: bool = False, guild: bool = False
    ) -> dict[str, Any]:
        self.count += 1
        mentioned = [self.user(BOT, bot=True)] if f"<@{BOT}>" in content else []
        data = {
            "id": str(self.count),
            "channel_id": str(channel),
            "author": self.user(author, bot),
            "content": content,
            "timestamp": "2026-01-01T00:00:00+00:00",
            "edited_timestamp": None,
            "tts": False,
            "mention_everyone": False,
            "mentions": mentioned,
            "mention_roles": [],
            "attachments": [],
            "embeds": [],
            "pinned": False,
            "type": 0,
        }
        return data | ({"guild_id": GUILD, "member": {"roles": []}} if guild else {})

    async def say(self, *arguments: Any, **options: Any) -> None:
        """Hand in a message, and wait until the bot has dealt with it."""
        before = asyncio.all_tasks()
        self.bot._connection.parse_message_create(self.message(*arguments, **options))
        await asyncio.gather(*(asyncio.all_tasks() - before))


def test_it_answers_direct_messages_and_mentions_and_nothing_else(
    example: Callable[..., ModuleType], with_pool: Callable[..., None]
) -> None:
    bot_module = example("discord_bot", "discord")

    async def talk(pool: SessionPool) -> None:
        bot = bot_module.Bot(pool)
        await bot._async_setup_hook()
        wire = Wire(bot, bot_module.discord)
        await wire.say("7", USER, "I lost my keys today.")
        await wire.say(CHANNEL, USER, f"<@{BOT}> I got the job!", guild=True)
        assert len(wire.sent) == wire.typed == 2
        first, second = wire.sent
        assert first["content"]
        assert first["message_reference"]["channel_id"] == 7
        assert second["allowed_mentions"] == {"parse": []}  # whatever it says, it pings nobody
        await wire.say(CHANNEL, OTHER, "Hello everybody.", guild=True)
        await wire.say(CHANNEL, OTHER, f"<@{BOT}> Hello.", bot=True, guild=True)
        assert len(wire.sent) == 2
        asked, _ = await pool.turns(f"discord/{CHANNEL}/{USER}")
        assert asked.text.strip() == "I got the job!"
        assert len(await pool.turns(f"discord/7/{USER}")) == 2
        await wire.say("7", USER, "/reset")
        assert wire.sent[-1]["content"] == "I have forgotten what we said."
        assert await pool.turns(f"discord/7/{USER}") == ()
        assert wire.typed == 3
        await bot.close()

    with_pool(talk)


def test_it_runs_until_it_is_stopped(
    example: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bot_module = example("discord_bot", "discord")
    seen: list[Any] = []

    async def start(self: Any, token: str) -> None:
        wire = Wire(self, bot_module.discord)
        await wire.say("7", USER, "I lost my keys today.")
        seen.extend([token, *wire.sent])

    monkeypatch.setattr(bot_module.discord.Client, "start", start)
    monkeypatch.setenv("DISCORD_TOKEN", "abc")
    asyncio.run(bot_module.main())
    assert (seen[0], len(seen)) == ("abc", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["discord.db"]
