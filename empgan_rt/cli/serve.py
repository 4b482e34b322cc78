"""`empgan-rt serve`: models over HTTP, in one process or several."""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import click
import msgspec

from ..errors import InputError
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


@click.command()
@click.argument("bundles", nargs=-1, metavar="[BUNDLE]...")
@click.option("--config", metavar="FILE", help="A TOML file of these settings; options go first.")
@click.option(
    "--host", help="Where to listen; 127.0.0.1 unless told, which strangers cannot reach."
)
@click.option("--port", type=int, help="Port; 8000 unless told, 0 takes a free one.")
@click.option(
    "--alias", "aliases", metavar="NAME=MODEL", multiple=True, help="One more name of a model."
)
@click.option("--precision", help="A variant of the bundles, such as int8; fp32 unless told.")
@click.option("--backend", help="As in chat.")
@click.option("--device", help="As in chat.")
@click.option(
    "--workers", type=int, help="Processes on this port, of one thread each; 1 unless told."
)
@click.option(
    "--max-queue",
    type=int,
    help="Most requests that wait, for each model and process; others are sent away. 256 unless "
    "told.",
)
@click.option(
    "--request-timeout",
    "request_timeout_s",
    type=float,
    metavar="SECONDS",
    help="Most that a request may take; unlimited unless told.",
)
@click.option(
    "--api-key-file", metavar="FILE", help="Keys, one a line; callers must give one of them."
)
@click.option(
    "--no-auth", is_flag=True, default=None, help="Let everybody call, from elsewhere too."
)
@click.option(
    "--cors-origin",
    "cors_origins",
    metavar="ORIGIN",
    multiple=True,
    help="Whose pages may call, such as https://example.org; none unless told.",
)
@click.option(
    "--sessions",
    metavar="FILE",
    help="Where dialogues are remembered (SQLite); in memory unless told. One worker only.",
)
@click.option(
    "--ttl",
    "session_ttl_s",
    type=float,
    metavar="SECONDS",
    help="How long an unused dialogue is remembered, inf for ever; 3600 unless told.",
)
@click.option(
    "--max-sessions",
    "limit_sessions",
    type=int,
    help="Most dialogues that are remembered, of each model; 1000 unless told.",
)
@click.option("--guard/--no-guard", default=None, help="As in chat: on unless told.")
@click.option("--guard-words", metavar="FILE", help="As in chat.")
@click.option("--locale", help="As in chat.")
@click.option(
    "--shutdown-delay",
    "shutdown_delay_s",
    type=float,
    metavar="SECONDS",
    help="How long after SIGTERM requests are still taken, while /ready says no; 2 unless told.",
)
@console.json_option
def serve(config: str | None, as_json: bool, **given: Any) -> None:
    """Answer over HTTP with the models in BUNDLE... (folders, "default" or "tiny").

    It speaks OpenAI's protocol and one of its own (docs/serving.md). Ctrl-C and SIGTERM end it
    once every accepted request is answered; a second one breaks them off.
    """
    several = {
        "bundles": given["bundles"],
        "aliases": _aliases(given["aliases"]),
        "cors_origins": given["cors_origins"],
    }
    serving = read_serving(config, given | {name: value or None for name, value in several.items()})
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


def _aliases(given: tuple[str, ...]) -> dict[str, str]:
    """Return the models of `NAME=MODEL`, by name.

    Raises:
        InputError: one is written otherwise.
    """
    pairs = [each.partition("=") for each in given]
    for name, sign, model in pairs:
        if not (name and sign and model):
            raise InputError(f"--alias {name[:60]}{sign}{model[:60]}", hint="give NAME=MODEL")
    return {name: model for name, _, model in pairs}


def _raise_file_limit() -> None:
    """Let this process have as many connections as the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
