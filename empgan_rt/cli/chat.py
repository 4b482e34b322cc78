"""`empgan-rt chat`: a dialogue on the terminal, or one reply for each line of a pipe."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import click

from ..dialogue.reply import Reply
from ..dialogue.turns import Emotion
from ..errors import EmpganError, InputError, StorageError
from ..inference.responder import Responder
from ..sessions.session import Session
from . import console
from .options import (
    chosen_guard,
    engine_options,
    guard_options,
    overlay,
    precision_option,
    search_options,
)
from .records import error_record

NOTICE = """The guard is on: it answers some messages about danger and abuse in place of the model.
It knows English phrases and no meaning, so it misses much. --no-guard turns it off."""
HELP = """/emotion NAME  say what you feel in your next message, instead of having it recognised
/alternatives  show what else the model thought of
/reset         begin a new dialogue
/help          show this
/quit          leave"""


@click.command()
@click.argument("bundle", default="default")
@precision_option
@engine_options
@search_options
@guard_options
@click.option(
    "--stream/--no-stream",
    default=True,
    show_default=False,
    help="Show words as soon as they are certain.",
)
@click.option(
    "--show-emotion/--no-show-emotion",
    default=None,
    help="Tell on stderr what the model took your emotion to be; on a terminal by default.",
)
@console.json_option
def chat(
    bundle: str,
    precision: str,
    backend: str,
    device: str,
    guard: bool | None,
    guard_words: str | None,
    locale: str,
    stream: bool,
    show_emotion: bool | None,
    as_json: bool,
    **search: Any,
) -> None:
    """Talk with the model in BUNDLE (a folder, "default" or "tiny").

    Each line is a turn; /help lists the commands. In a pipe each line gets one line back, with
    --json one JSON object, and a line that cannot be answered is reported on stderr. Blank lines
    are passed over.
    """
    watching = chosen_guard(guard, guard_words, locale, by_default=True)
    with Responder.load(
        bundle, backend=backend, precision=precision, device=device, guard=watching
    ) as responder:
        wanted = overlay(responder.search, search)
        if not wanted.sample:  # a beam search has its alternatives anyway
            wanted = overlay(wanted, {"num_hypotheses": wanted.beam_size})
        talk = Chat(
            responder.session(wanted),
            stream=stream and not as_json,
            show_emotion=sys.stdin.isatty() if show_emotion is None else show_emotion,
            as_json=as_json,
        )
        if watching is not None:
            console.notice(NOTICE)
        for line in _typed() if sys.stdin.isatty() else _piped():
            if not talk.take(line):
                break


class Chat:
    """Acts on lines: commands, and turns of one session."""

    def __init__(
        self, session: Session, *, stream: bool, show_emotion: bool, as_json: bool
    ) -> None:
        self._session = session
        self._stream, self._show_emotion, self._as_json = stream, show_emotion, as_json
        self._emotion: Emotion | None = None
        self._last: Reply | None = None

    def take(self, line: str) -> bool:
        """Act on one line, if anything is on it; return whether the chat goes on."""
        if not line.strip():
            return True
        try:
            if line.startswith("/"):
                return self._command(*line[1:].split())
            self._say(line)
        except StorageError:
            raise  # nobody would see the next reply either
        except EmpganError as error:
            if self._as_json:
                console.emit({"error": error_record(error)}, "", as_json=True)
            else:
                console.complain(error)
        return True

    def _say(self, line: str) -> None:
        """Print the reply to a turn, in pieces if wanted."""
        if not self._stream:
            reply = self._session.say(line, emotion=self._emotion)
            console.emit(reply.to_dict(), reply.text, as_json=self._as_json)
            self._answered(reply)
            return
        chunks = self._session.stream(line, emotion=self._emotion)
        try:
            for chunk in chunks:
                console.write(chunk.text if chunk.reply is None else chunk.text + "\n")
                if chunk.reply is not None:
                    self._answered(chunk.reply)
        except EmpganError:
            console.write("\n")  # ends the line that was begun
            raise

    def _answered(self, reply: Reply) -> None:
        self._emotion, self._last = None, reply
        if self._show_emotion and reply.emotions:  # none if the guard stopped the message
            heard = reply.emotions[-1]
            share = "given" if heard.given else f"{heard.probabilities[heard.label]:.0%}"
            click.secho(f"  [you: {heard.label.name.lower()}, {share}]", err=True, dim=True)

    def _command(self, name: str = "", *arguments: str) -> bool:
        """Act on `/name arguments`; return whether the chat goes on."""
        if name == "quit":
            return False
        if name == "reset":
            self._session.reset()
            self._last = self._emotion = None
            click.echo("a new dialogue", err=True)
        elif name == "emotion":
            self._emotion = Emotion.parse(" ".join(arguments))
            click.echo(f"your next message: {self._emotion.name.lower()}", err=True)
        elif name == "alternatives":
            others = self._last.alternatives if self._last else ()
            text = "\n".join(f"{other.score:8.3f}  {other.text}" for other in others)
            record = {"alternatives": [other.to_dict() for other in others]}
            console.emit(record, text or "no alternatives", as_json=self._as_json)
        elif name == "help":
            click.echo(HELP, err=True)
        else:
            raise InputError(f"unknown command /{name[:40]}", hint="/help lists them")
        return True


def _typed() -> Iterator[str]:
    """Yield lines typed at a terminal, with history where the platform has it."""
    with suppress(ImportError):
        importlib.import_module("readline")  # `input` uses it once it is there
    click.echo("/help lists the commands, /quit leaves", err=True)
    while True:
        try:
            yield input("> ")
        except EOFError:
            console.write("\n")
            return


def _piped() -> Iterator[str]:
    """Yield the lines of a pipe; bytes that are no UTF-8 become what `Responder` refuses."""
    for raw in sys.stdin.buffer:
        yield raw.decode("utf-8", errors="surrogateescape").rstrip("\r\n")
