"""Fast replies from empathetic dialogue models: open a bundle, hand over turns, read the reply.

>>> from empgan_rt import Responder  # doctest: +SKIP
>>> Responder.load().reply(["I have some good news. I got a new job!"]).text  # doctest: +SKIP
'Congratulations!'

Importing this package loads no engine and no PyTorch, and asyncio with `AsyncResponder` alone.
"""

from typing import TYPE_CHECKING, Any

from ._version import __version__
from .config import Limits, SearchConfig
from .dialogue.reply import Alternative, Chunk, RecognisedEmotion, Reply, Timings
from .dialogue.turns import Dialogue, Emotion, Turn
from .dialogue.verdict import Verdict
from .errors import (
    BundleError,
    CheckpointError,
    DataError,
    DeadlineError,
    DependencyError,
    DivergenceError,
    EmpganError,
    GateError,
    InputError,
    ParityError,
    ProviderError,
    QueueFullError,
    StorageError,
)
from .guard.protocol import Guard
from .inference.responder import Responder
from .sessions.session import Session
from .threads import set_num_threads

if TYPE_CHECKING:
    from .guard.word_guard import WordGuard
    from .inference.async_responder import AsyncResponder
    from .sessions.async_session import AsyncSession
    from .sessions.pool import SessionPool
    from .sessions.sqlite_store import SqliteStore
    from .sessions.store import SessionStore, StoredDialogue

__all__ = [
    "Alternative",
    "AsyncResponder",
    "AsyncSession",
    "BundleError",
    "CheckpointError",
    "Chunk",
    "DataError",
    "DeadlineError",
    "DependencyError",
    "Dialogue",
    "DivergenceError",
    "Emotion",
    "EmpganError",
    "GateError",
    "Guard",
    "InputError",
    "Limits",
    "ParityError",
    "ProviderError",
    "QueueFullError",
    "RecognisedEmotion",
    "Reply",
    "Responder",
    "SearchConfig",
    "Session",
    "SessionPool",
    "SessionStore",
    "SqliteStore",
    "StorageError",
    "StoredDialogue",
    "Timings",
    "Turn",
    "Verdict",
    "WordGuard",
    "__version__",
    "set_num_threads",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncResponder":
        from .inference.async_responder import AsyncResponder

        return AsyncResponder
    if name == "AsyncSession":
        from .sessions.async_session import AsyncSession

        return AsyncSession
    if name == "SessionPool":
        from .sessions.pool import SessionPool

        return SessionPool
    if name == "SqliteStore":
        from .sessions.sqlite_store import SqliteStore

        return SqliteStore
    if name in ("SessionStore", "StoredDialogue"):
        from .sessions import store

        return getattr(store, name)
    if name == "WordGuard":
        from .guard.word_guard import WordGuard

        return WordGuard
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})  # what is not loaded yet is there as well
