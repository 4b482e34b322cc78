"""`empgan-rt serve`: models over HTTP, in one process or several."""

from __future__ import annotations

from typing import Any

import click

from ..errors import InputError
from . import console


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
    help="Most dialogues that are remembered, of each model, or of all together in a file; 1000 "
    "unless told.",
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
    from .serve_run import run_server  # needs the extra, which help does not

    run_server(config, given | {name: value or None for name, value in several.items()}, as_json)


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
