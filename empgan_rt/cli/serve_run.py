"""What `empgan-rt serve` does once its options are read; it needs the extra."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from ..server.binding import bound, check_free, check_public, url_of
from ..server.serving import Serving, read_serving
from ..server.settings import ServerSettings
from ..server.supervisor import Supervisor
from ..server.worker import Ended, Job
from ..server.worker import serve as serve_here
from . import console
from .chat import NOTICE

WORKER = (sys.executable, "-P", "-m", "empgan_rt.cli.serve_worker")
MOST_FILES = 65536  # connections that are open at once, and a few files


def run_server(config: str | None, given: Mapping[str, Any], as_json: bool) -> None:
    """Serve until a signal ends it.

    Args:
        config: the file of settings; None for none.
        given: options by name, None where they were not given.
        as_json: whether one line of JSON tells where the server is.

    Raises:
        InputError: a setting is not acceptable.
        KeyboardInterrupt: Ctrl-C ended it, or a second signal broke it off.
    """
    serving = read_serving(config, given)
    settings = serving.settings()
    check_public(serving.host, has_keys=bool(settings.api_keys), no_auth=serving.no_auth)
    _raise_file_limit()
    ended = _run(serving, settings, as_json)
    if ended.was_broken_off or ended.signal == signal.SIGINT:
        raise KeyboardInterrupt


def _run(serving: Serving, settings: ServerSettings, as_json: bool) -> Ended:
    """Serve in this process or in several; return how it ended."""
    if serving.workers == 1:
        with bound(serving.host, serving.port) as listening:
            return serve_here(
                serving, settings, listening, on_ready=_announced(serving, listening, as_json)
            )
    check_free(serving.host, serving.port)
    # Held, but not listened on: it keeps the port for workers that come and go.
    with (
        bound(serving.host, serving.port, shared=True) as held,
        tempfile.TemporaryDirectory() as metrics_folder,
    ):
        job = Job(
            msgspec.structs.replace(serving, port=held.getsockname()[1]),
            settings,
            logging.getLogger("empgan_rt").level,
        )
        announced = _announced(serving, held, as_json)
        return asyncio.run(_supervised(job, metrics_folder, announced))


async def _supervised(job: Job, metrics_folder: str, on_ready: Callable[[], None]) -> Ended:
    return await Supervisor(WORKER, job, metrics_folder, on_ready).run()


def _announced(serving: Serving, listening: socket.socket, as_json: bool) -> Callable[[], None]:
    """Return what tells where the server is, once it answers."""

    def announce() -> None:
        url, names = url_of(listening), ", ".join(serving.names)
        record = {"url": url, "models": serving.names, "workers": serving.workers}
        if serving.guard:
            console.notice(NOTICE)
        if as_json:
            console.emit(record, "", as_json=True)
        else:
            console.notice(f"{names} at {url} (Ctrl-C ends)")

    return announce


def _raise_file_limit() -> None:
    """Let this process have as many connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
