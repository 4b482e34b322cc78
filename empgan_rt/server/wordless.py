"""Logs of what serves us, without a word of a dialogue: an exception's message may hold one."""

from __future__ import annotations

import asyncio
import logging
import traceback
from typing import Any

_log = logging.getLogger(__name__)
_FRAMES = 4


def said_of(error: BaseException) -> str:
    """Return an exception's type and where it was raised, innermost first, without its message."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    place = " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} in {place or 'nowhere'}"


def without_words(logger: logging.Logger) -> None:
    """Let a logger of another package tell of exceptions by type and place alone, from now on.

    It tells of errors alone: what hostile clients send would fill the log with warnings.
    """
    logger.setLevel(logging.ERROR)
    if not any(isinstance(each, _WithoutMessages) for each in logger.filters):
        logger.addFilter(_WithoutMessages())


def tell(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what an event loop could not tell anybody; a handler for `set_exception_handler`."""
    error = context.get("exception")
    # The message may go on with a callback's arguments, such as what a client sent.
    what = str(context.get("message", "")).partition("(")[0]
    _log.error("%s: %s", what, "no exception" if error is None else said_of(error))


class _WithoutMessages(logging.Filter):
    """Puts a type and a place where a traceback was."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.msg = f"{record.getMessage().strip()}: {said_of(error)}"
            record.args, record.exc_info, record.exc_text = (), None, None
        return True
