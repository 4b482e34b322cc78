"""The Telegram bot, with python-telegram-bot as it is over a transport of ours."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from empgan_rt import SessionPool

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


def new_wire(*updates: dict[str, Any]) -> Any:
    """Return a transport that stands for Telegram, has updates, and keeps what it is sent."""
    from telegram.request import BaseRequest

    class Wire(BaseRequest):
        def __init__(self) -> None:
            self.sent: list[tuple[str, dict[str, Any]]] = []
            self.updates = [*updates]

        read_timeout = 1.0

        async def initialize(self) -> None: ...

        async def shutdown(self) -> None: ...

        async def do_request(self, url: str, *arguments: Any, **options: Any) -> tuple[int, bytes]:
            method, data = url.rpartition("/")[2], options.get("request_data")
            if data is None and len(arguments) > 1:
                data = arguments[1]
            values = {} if data is None else data.parameters
            self.sent.append((method, values))
            result: Any = True
            if method == "getMe":
                result = {"id": 1, "is_bot": True, "first_name": "Bot", "username": "bot"}
            elif method == "getUpdates":
                result, self.updates = self.updates, []
                if not result and values.get("timeout"):
                    await asyncio.sleep(3600)
            elif method == "sendMessage":
                result = message(99, values["chat_id"], 1, values["text"])
            return 200, json.dumps({"ok": True, "result": result}).encode()

    return Wire()


def message(number: int, chat: int, user: int, text: str) -> dict[str, Any]:
    return {
        "message_id": number,
        "date": 1_800_000_000,
        "chat": {"id": chat, "type": "private"},
        "from": {"id": user, "is_bot": False, "first_name": "Somebody"},
        "text": text,
    }


def test_it_answers_every_text_and_no_edit(
    example: Callable[..., ModuleType], with_pool: Callable[..., None]
) -> None:
    bot = example("telegram_bot", "telegram")

    async def talk(pool: SessionPool) -> None:
        wire = new_wire()
        builder = bot.ApplicationBuilder().token("1:abc").request(wire)
        builder = builder.get_updates_request(new_wire()).concurrent_updates(True)
        async with builder.build() as application:
            bot.add_answers(application, pool)
            await application.start()

            async def hand_in(number: int, kind: str, *content: Any) -> None:
                data = {"update_id": number, kind: message(number, *content)}
                await application.update_queue.put(bot.Update.de_json(data, application.bot))

            await hand_in(1, "message", 7, 2, "I lost my keys today.")
            await hand_in(2, "message", 7, 2, "I have looked everywhere.")
            await hand_in(3, "message", 8, 3, "I got the job!")
            await hand_in(4, "edited_message", 8, 3, "I got the job?")
            await asyncio.wait_for(application.update_queue.join(), 60)
            await application.stop()
        said = [values for method, values in wire.sent if method == "sendMessage"]
        assert sorted(values["chat_id"] for values in said) == [7, 7, 8]
        assert all(values["text"] for values in said)
        assert [method for method, _ in wire.sent].count("sendChatAction") == 3
        turns = [turn.text for turn in await pool.turns("telegram/7/2")]
        assert turns[::2] == ["I lost my keys today.", "I have looked everywhere."]
        assert len(await pool.turns("telegram/8/3")) == 2

    with_pool(talk)


def test_it_runs_until_it_is_stopped(
    example: Callable[..., ModuleType], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bot = example("telegram_bot", "telegram")
    from telegram.request import HTTPXRequest

    wire = new_wire({"update_id": 1, "message": message(1, 7, 2, "I lost my keys today.")})

    async def do_request(self: Any, *arguments: Any, **options: Any) -> tuple[int, bytes]:
        return await wire.do_request(*arguments, **options)

    monkeypatch.setattr(HTTPXRequest, "do_request", do_request)
    monkeypatch.setenv("TELEGRAM_TOKEN", "1:abc")

    async def stopped_when_it_has_answered() -> None:
        task = asyncio.create_task(bot.main())
        while "sendMessage" not in [method for method, _ in wire.sent]:
            await asyncio.sleep(0.01)
            assert not task.done()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()

    asyncio.run(asyncio.wait_for(stopped_when_it_has_answered(), 60))
    assert [path.name for path in tmp_path.iterdir()] == ["telegram.db"]
