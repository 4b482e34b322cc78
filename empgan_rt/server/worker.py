"""One process of the server: its models, the application over them, and what runs it."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack

import msgspec

from ..guard.word_guard import WordGuard
from ..inference.async_responder import AsyncResponder
from ..sessions.sqlite_store import SqliteStore
from ..threads import set_num_threads
from .access_log import AccessLog
from .application import app
from .lifecycle import Lifecycle
from .local_names import LocalNames
from .metrics import Metrics
from .process import Process
from .serving import Serving
from .settings import ServerSettings


class Job(msgspec.Struct, frozen=True):
    """The work of one of several processes.

    Attributes:
        serving: the settings of the server, its port known.
        settings: those of the application, keys included.
        log_level: as `logging` numbers it.
    """

    serving: Serving
    settings: ServerSettings
    log_level: int


class Ended(msgspec.Struct, frozen=True):
    """How a process ended: by which signal, and whether a second one broke requests off."""

    signal: int
    was_broken_off: bool


def serve(
    serving: Serving,
    settings: ServerSettings,
    listening: socket.socket,
    *,
    on_ready: Callable[[], None] = lambda: None,
    metrics_folder: str | None = None,
    parent: int | None = None,
) -> Ended:
    """Load the models and answer until a signal comes; return how it ended.

    Args:
        serving, settings: what is served and how.
        listening: a socket that has an address.
        on_ready: called when requests are answered.
        metrics_folder: as the `folder` of `Metrics`.
        parent: a pipe whose other end the supervisor holds; when it is gone, this process ends as
            on SIGTERM. None for no supervisor.

    Raises:
        EmpganError: a model or the file of sessions cannot be opened, or a setting does not fit.
    """
    set_num_threads(1)  # a request costs nearly twice the processor time with two
    return asyncio.run(_serve(serving, settings, listening, on_ready, metrics_folder, parent))


async def _serve(
    serving: Serving,
    settings: ServerSettings,
    listening: socket.socket,
    on_ready: Callable[[], None],
    metrics_folder: str | None,
    parent: int | None,
) -> Ended:
    async with AsyncExitStack() as stack:
        store = None
        if serving.sessions is not None:
            store = await stack.enter_async_context(SqliteStore(serving.sessions))
        responders = {}
        for name, responder in _responders(serving):
            responders[name] = responder
            stack.push_async_exit(responder)
        metrics = Metrics(responders, folder=metrics_folder)
        lifecycle = Lifecycle()
        answers = app(
            responders, settings=settings, sessions=store, observer=metrics, lifecycle=lifecycle
        )
        if not (settings.api_keys or serving.no_auth):
            answers = LocalNames(answers)
        process = Process(
            AccessLog(answers),
            delay_s=serving.shutdown_delay_s,
            on_ready=on_ready,
            on_second=metrics.look,
            on_leave=lifecycle.leave,
        )
        # What is there now stays, so the collector need not look at it again; otherwise it waits
        # for a quarter as much garbage, some 20 MB of closed connections.
        gc.collect()
        gc.freeze()
        if parent is not None:
            _end_with(parent, process)
        await process.serve([listening])
        if process.force_exit:
            stack.pop_all()  # the interpreter ends the models' threads after their step
    return Ended(int(process.signal or signal.SIGTERM), process.force_exit)


def _responders(serving: Serving) -> Iterator[tuple[str, AsyncResponder]]:
    """Yield the models by name, as they are loaded."""
    guard = WordGuard(serving.guard_words, locale=serving.locale) if serving.guard else None
    for name, bundle in zip(serving.names, serving.bundles, strict=True):
        yield (
            name,
            AsyncResponder.load(
                bundle,
                backend=serving.backend,
                device=serving.device,
                precision=serving.precision,
                max_queue=serving.max_queue,
                guard=guard,
            ),
        )


def _end_with(parent: int, process: Process) -> None:
    """Let the end of a pipe be the signal to end."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        if not os.read(parent, 1):
            loop.remove_reader(parent)
            if process.signal is None:
                process.end(signal.SIGTERM)

    loop.add_reader(parent, read)
