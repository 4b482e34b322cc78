"""A Discord bot: it answers direct messages, and in channels who mentions it.

pip install 'empgan-rt[cpu]' discord.py
DISCORD_TOKEN=... python examples/discord_bot.py
"""

from __future__ import annotations

import asyncio
import os
import re

import discord
from bot_answers import answer, opened_pool

from empgan_rt import SessionPool


class Bot(discord.Client):
    """One dialogue for each user of each channel."""

    def __init__(self, pool: SessionPool) -> None:
        # Direct messages and mentions come with their words; others need no reading.
        super().__init__(
            intents=discord.Intents(guilds=True, messages=True),
            allowed_mentions=discord.AllowedMentions.none(),
        )
        self.pool = pool

    async def on_message(self, message: discord.Message) -> None:
        """Answer a message that is meant for the bot."""
        if message.author.bot or not (message.guild is None or self.user in message.mentions):
            return
        key = f"discord/{message.channel.id}/{message.author.id}"
        text = re.sub(rf"<@!?{self.user.id}>", "", message.content)
        async with message.channel.typing():
            said = await answer(self.pool, key, text)
        await message.reply(said)


async def main() -> None:
    """Run the bot until it is stopped."""
    async with opened_pool("discord.db") as pool, Bot(pool) as bot:
        await bot.start(os.environ["DISCORD_TOKEN"])


if __name__ == "__main__":
    discord.utils.setup_logging()
    asyncio.run(main())
