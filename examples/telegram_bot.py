"""A Telegram bot: it answers every text message of a chat.

pip install 'empgan-rt[cpu]' python-telegram-bot
TELEGRAM_TOKEN=... python examples/telegram_bot.py
"""

from __future__ import annotations

import asyncio
import os

from bot_answers import answer, opened_pool
from telegram import Update
from telegram.constants import ChatAction
from telegram.ext import Application, ApplicationBuilder, ContextTypes, MessageHandler, filters

from empgan_rt import SessionPool


def add_answers(application: Application, pool: SessionPool) -> None:
    """Have an application answer texts: one dialogue for each user of each chat."""

    async def on_message(update: Update, context: ContextTypes.DEFAULT_TYPE) -> None:
        message = update.effective_message
        await message.chat.send_action(ChatAction.TYPING)
        key = f"telegram/{message.chat_id}/{message.from_user.id}"
        await message.reply_text(await answer(pool, key, message.text))

    application.add_handler(MessageHandler(filters.TEXT & ~filters.UpdateType.EDITED, on_message))


async def main() -> None:
    """Run the bot until it is stopped."""
    # Without concurrent updates each user would wait for all others.
    builder = ApplicationBuilder().token(os.environ["TELEGRAM_TOKEN"]).concurrent_updates(True)
    async with opened_pool("telegram.db") as pool, builder.build() as application:
        add_answers(application, pool)
        await application.start()
        await application.updater.start_polling(allowed_updates=["message"])
        try:
            await asyncio.Event().wait()
        finally:  # what was read is answered
            await application.updater.stop()
            await application.stop()


if __name__ == "__main__":
    asyncio.run(main())
