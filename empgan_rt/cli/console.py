"""What the command line shows: results on stdout, progress and logs on stderr.

With `--json` exactly one JSON object goes to stdout. Progress is a rich bar on a terminal and a
plain line every ten seconds elsewhere.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import click
import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from ..errors import EmpganError, StorageError

_PLAIN_INTERVAL_S = 10.0
Command = TypeVar("Command", bound=Callable[..., Any])


class _Plain:
    """A line on stderr every ten seconds, and one at the end."""

    def __init__(self, title: str, total: int | None) -> None:
        self.title, self.total = title, total
        self.start = self.shown = time.monotonic()
        self.first: int | None = None

    def update(self, done: int, note: str = "", left_s: float | None = None) -> None:
        now = time.monotonic()
        if self.first is None:
            self.first = done
        if done != self.total and now - self.shown < _PLAIN_INTERVAL_S:
            return
        self.shown = now
        worked = done - self.first
        count, tail = f"{done}", ""
        if self.total is not None:
            count = f"{done}/{self.total}"
            if left_s is None and worked:
                left_s = (now - self.start) / worked * (self.total - done)
            tail = f", {_clock(left_s)} left" if left_s is not None and done < self.total else ""
        print(f"{self.title}: {count}{tail} {note}".rstrip(), file=sys.stderr, flush=True)


class _Bar:
    """A rich progress bar."""

    def __init__(self, progress: Progress, title: str, total: int | None) -> None:
        self.progress = progress
        self.task = progress.add_task(title, total=total, note="", left_s=None)

    def update(self, done: int, note: str = "", left_s: float | None = None) -> None:
        self.progress.update(self.task, completed=done, note=note, left_s=left_s)


class _Left(TimeRemainingColumn):
    """The time left: what the work itself expects, or what follows from the units done."""

    def render(self, task: Task) -> Text:
        """Return the cell of a task."""
        left_s = task.fields["left_s"]
        if left_s is None:
            return super().render(task)
        return Text(_clock(left_s), style="progress.remaining")


class LogLines(logging.Handler):
    """Writes log lines to stderr, above the bar if one is up.

    A bar takes the place of `sys.stderr` while it is up, so that is looked up for each line.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write a line; what stderr does not take is lost."""
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        with suppress(OSError, ValueError):  # full, or closed
            print(line, file=sys.stderr, flush=True)


_shown: list[Progress] = []  # the bars that are up: one at most, rich allows no more


@contextmanager
def progress(title: str, total: int | None) -> Iterator[_Plain | _Bar]:
    """Show the progress of `total` units (None: nobody knows) on stderr while the block runs.

    Its `update(done, note, left_s)` tells how many units are done, what is worth showing beside it
    and, from work that knows it better than the units do, how many seconds are left. Within another
    such block it is a line below that one's.
    """
    if not sys.stderr.isatty():
        yield _Plain(title, total)
        return
    if _shown:
        line = _Bar(_shown[0], title, total)
        try:
            yield line
        finally:
            _shown[0].remove_task(line.task)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Left(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        _shown.append(bar)
        try:
            yield _Bar(bar, title, total)
        finally:
            _shown.clear()


def emit(result: Mapping[str, Any], text: str, *, as_json: bool) -> None:
    """Print a command's result: one JSON object, or text for people.

    Raises:
        StorageError: what is behind stdout is full.
    """
    if as_json:
        with _storage_errors():
            sys.stdout.buffer.write(msgspec.json.encode(result) + b"\n")
            sys.stdout.flush()
    else:
        write(text + "\n")


def write(text: str) -> None:
    """Print a piece of a line for people, at once.

    Raises:
        StorageError: what is behind stdout is full.
    """
    with _storage_errors():
        sys.stdout.write(text)
        sys.stdout.flush()


def notice(text: str) -> None:
    """Print what users should know on stderr, above the bar if one is up, as `LogLines` does.

    Nothing is printed if warnings alone are logged, as -q asks.
    """
    if logging.getLogger(__package__).isEnabledFor(logging.INFO):
        with suppress(OSError, ValueError):  # full, or closed
            print(text, file=sys.stderr, flush=True)


def complain(error: EmpganError) -> None:
    """Print an error on stderr, control characters escaped; does nothing if that is impossible."""
    lines = f"error: {error}".split("\n")
    with suppress(OSError, ValueError):  # full, or closed
        print("\n".join(map(printable, lines)), file=sys.stderr, flush=True)


@contextmanager
def told_on_interrupt(what: Callable[[], str]) -> Iterator[None]:
    """Print on stderr what was kept and how to go on if Ctrl-C ends the block."""
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError, ValueError):
            print(f"\n{printable(what())}", file=sys.stderr, end="", flush=True)
        raise


def printable(text: str) -> str:
    """Return a text on one line, control characters escaped: a stranger may have written it."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Raise StorageError if stdout refuses what the block writes."""
    try:
        yield
    except BrokenPipeError:
        raise  # whoever read stdout has had enough, which is no fault
    except OSError as error:
        raise StorageError(f"stdout could not be written: {error.strerror}") from None


def json_option(command: Command) -> Command:
    """Return the click command with `--json`; its function gets `as_json: bool`.

    It is True if the flag stands after the command's name or before it, as in
    `empgan-rt --json data prepare` and `empgan-rt data prepare --json`. Hand it to `emit`:

        @click.command()
        @console.json_option
        def count(as_json: bool) -> None:
            console.emit({"rows": 3}, "3 rows", as_json=as_json)

    Commands let every `EmpganError` rise: `empgan_rt.cli.main` prints it, as JSON if the flag is
    given, and ends with its exit code.
    """
    return click.option(
        "--json",
        "as_json",
        is_flag=True,
        callback=_here_or_above,
        help="Print one JSON object on stdout.",
    )(command)


def _here_or_above(context: click.Context, parameter: click.Parameter, value: bool) -> bool:
    """Return whether the flag is set in this command or in a group around it."""
    around = context.parent
    while around is not None and not value:
        value = bool(around.params.get(parameter.name or ""))
        around = around.parent
    return value


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
