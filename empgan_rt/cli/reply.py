"""`empgan-rt reply`: a file of dialogues in, a file of replies out, line by line."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import click
import msgspec

from .._version import __version__
from ..config import SearchConfig
from ..dialogue.reply import Reply
from ..dialogue.turns import Emotion, Turn
from ..errors import DataError, EmpganError, InputError
from ..inference.responder import Responder
from . import console
from .jsonl import (
    STANDARD,
    check_output,
    count_lines,
    file_digest,
    numbered_lines,
    open_input,
    open_output,
)
from .options import (
    chosen_guard,
    engine_options,
    guard_options,
    overlay,
    precision_option,
    search_options,
)
from .records import error_record
from .unfinished import Lines

_BATCHES_IN_MEMORY = 16  # more would sort better by length, and hold more


class _Turn(msgspec.Struct, forbid_unknown_fields=True):
    """A turn with a label."""

    text: str
    emotion: str | None = None


class _Row(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the input."""

    turns: list[str | _Turn]
    id: str | int | None = None
    search: dict[str, Any] = {}


@dataclass(frozen=True)
class _Asked:
    """A dialogue, and how it is searched."""

    turns: list[Turn]
    search: SearchConfig


@dataclass(frozen=True)
class _Line:
    """One line, ready to be answered unless it is at fault."""

    number: int
    id: str | int | None
    asks: _Asked | EmpganError


@click.command()
@click.argument("paths", nargs=-1, metavar="[BUNDLE] IN.jsonl OUT.jsonl")
@precision_option
@engine_options
@search_options
@guard_options
@click.option("--alternatives", type=click.IntRange(0), help="More replies for each dialogue.")
@click.option(
    "--batch-size", type=click.IntRange(1, 256), default=32, help="Most dialogues computed at once."
)
@click.option("--force", is_flag=True, help="Replace OUT if it is there, and begin anew.")
@click.option("--resume", is_flag=True, help="Go on with a run that did not end.")
@console.json_option
def reply(
    paths: tuple[str, ...],
    precision: str,
    backend: str,
    device: str,
    guard: bool | None,
    guard_words: str | None,
    locale: str,
    alternatives: int | None,
    batch_size: int,
    force: bool,
    resume: bool,
    as_json: bool,
    **search: Any,
) -> None:
    """Answer each dialogue in IN.jsonl with the model in BUNDLE; "-" is stdin or stdout.

    A line is {"turns": [...]}, with "id" and "search" if wanted; a turn is a string or
    {"text": ..., "emotion": ...}. "search" holds settings of this line alone, such as
    {"beam_size": 1, "banned_words": ["shut up", "don't"]}: words and phrases that the reply never
    says, capitals and kinds of apostrophes aside. A line that cannot be answered gets an "error" in
    OUT.jsonl and stops no other; then the exit code is 7. With OUT "-" the summary goes to stderr.
    With --guard, "source" and "verdict" tell what the guard did.

    Replies are in OUT.jsonl.part until all are there. After a kill or Ctrl-C the same command with
    --resume goes on where it was.
    """
    if not 2 <= len(paths) <= 3:
        raise click.UsageError(f"{len(paths)} paths given, wanted [BUNDLE] IN.jsonl OUT.jsonl")
    bundle, source, out = paths if len(paths) == 3 else ("default", *paths)
    if alternatives is not None:
        search["num_hypotheses"] = alternatives + 1
    watching = chosen_guard(guard, guard_words, locale, by_default=False)
    started = time.perf_counter()
    with open_input(source) as file:
        check_output(out, file, force=force, resume=resume)
        with Responder.load(
            bundle, backend=backend, precision=precision, device=device, guard=watching
        ) as responder:
            base = overlay(responder.search, search)
            origin = {
                "bundle_id": responder.bundle.bundle_id,
                "engine": [backend, precision, device],
                "search": dataclasses.asdict(base),
                "guard": None if watching is None else [guard_words, locale],
                "input": file_digest(source),
                "version": __version__,
            }
            with (
                console.progress("reply", count_lines(source)) as bar,
                open_output(out, origin, resume=resume) as lines,
                console.told_on_interrupt(lambda: _kept(out, lines)),
            ):
                bar.update(lines.last)
                # Whoever is at both ends of a pipe may write many lines before reading a reply.
                batches = 1 if lines.kept else _BATCHES_IN_MEMORY
                for records in answers(responder, base, file, batch_size, batches, lines.last):
                    lines.write(records)
                    bar.update(lines.last)
    rows, failed = lines.rows, lines.failed
    seconds = time.perf_counter() - started
    summary = {"rows": rows, "failed": failed, "seconds": seconds, "out": out}
    text = f"{rows - failed} of {rows} dialogues answered in {seconds:.1f} s"
    if out == STANDARD:
        click.echo(text, err=True)
    else:
        console.emit(summary, text, as_json=as_json)
    if failed:
        raise click.exceptions.Exit(DataError.exit_code)


def _kept(out: str, lines: Lines) -> str:
    """Return what to say to whoever interrupts a run."""
    if not lines.kept or not lines.rows:
        return f"stopped after {lines.rows} replies"
    return f"stopped after {lines.rows} replies; they are kept beside {out}, --resume goes on"


def answers(
    responder: Responder,
    base: SearchConfig,
    file: BinaryIO,
    batch_size: int,
    batches: int = 1,
    after: int = 0,
) -> Iterator[list[dict[str, Any]]]:
    """Yield one record for each line of a file, in order, window by window, with bounded memory.

    Each window is twice the one before, up to a limit: something is seen and kept soon, and later
    there is more to sort by length.

    Args:
        responder: answers.
        base: how to search, unless a line says otherwise.
        file: JSON lines.
        batch_size: most dialogues computed at once.
        batches: of the first window.
        after: number of the last line that is passed over.
    """
    lines = (_line(base, number, raw) for number, raw in numbered_lines(file) if number > after)
    while window := list(islice(lines, batches * batch_size)):
        asked = [line.asks for line in window if isinstance(line.asks, _Asked)]
        outcomes = iter(
            responder.outcomes(
                [each.turns for each in asked],
                [each.search for each in asked],
                max_batch=batch_size,
            )
        )
        yield [
            _record(line, next(outcomes) if isinstance(line.asks, _Asked) else line.asks)
            for line in window
        ]
        batches = min(2 * batches, _BATCHES_IN_MEMORY)


def _record(line: _Line, outcome: Reply | EmpganError) -> dict[str, Any]:
    name = {} if line.id is None else {"id": line.id}
    return {"line": line.number, **name, **_outcome_record(outcome)}


def _outcome_record(outcome: Reply | EmpganError) -> dict[str, Any]:
    if isinstance(outcome, EmpganError):
        return {"error": error_record(outcome)}
    return outcome.to_dict()


def _line(base: SearchConfig, number: int, raw: bytes | None) -> _Line:
    """Return a line as a dialogue with its search, or as the error that it is."""
    try:
        row = _row(raw)
    except EmpganError as error:
        return _Line(number, _id_of(raw), error)
    try:
        turns = [_turn(turn) for turn in row.turns]
        search = overlay(base, row.search) if row.search else base
        return _Line(number, row.id, _Asked(turns, search))
    except EmpganError as error:
        return _Line(number, row.id, error)


def _row(raw: bytes | None) -> _Row:
    """Return the decoded line."""
    if raw is None:
        raise InputError("a line of more than 16 MiB", hint="shorten the dialogue")
    try:
        return msgspec.json.decode(raw, type=_Row)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)[:200]
        raise InputError(
            f"not a row: {reason}", hint='wanted {"turns": [...]}, "id" and "search" if you like'
        ) from None


def _id_of(raw: bytes | None) -> str | int | None:
    """Return the id of a line that is no row, if it can be told."""
    try:
        found = msgspec.json.decode(raw or b"null")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    name = found.get("id") if isinstance(found, dict) else None
    return name if isinstance(name, str | int) else None


def _turn(turn: str | _Turn) -> Turn:
    if isinstance(turn, str):
        return Turn(turn)
    return Turn(turn.text, None if turn.emotion is None else Emotion.parse(turn.emotion))
