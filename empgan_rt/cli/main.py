"""The command `empgan-rt`: a literal table of commands, and errors mapped to exit codes.

A command's module is imported when the command runs or its own help is asked for, so that each
needs only its own extra.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any, cast

import click

from .._version import __version__
from ..backends.onnxruntime.telemetry import silence_onnxruntime
from ..errors import DependencyError, EmpganError, InputError, StorageError
from ..packages import was_interrupted
from . import console
from .records import error_record

INTERRUPTED = 130
PACKAGES = ("empgan_rt", "empgan_training", "empgan_export", "empgan_bench")

_LOG_OPTIONS = (
    ("quiet", logging.WARNING, "Log warnings and errors only."),
    ("verbose", logging.DEBUG, "Log details, and the traceback of a bug."),
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One command: its line in the group's help, where it is, and the extra that it needs."""

    help: str
    target: str
    extra: str


COMMANDS: Mapping[str, Entry] = {
    "chat": Entry("Talk with a model.", "empgan_rt.cli.chat:chat", "cpu"),
    "reply": Entry("Answer a file of dialogues.", "empgan_rt.cli.reply:reply", "cpu"),
    "serve": Entry("Answer over HTTP.", "empgan_rt.cli.serve:serve", "serve"),
    "sessions": Entry(
        "List, show or delete stored dialogues.", "empgan_rt.cli.sessions:sessions", "cpu"
    ),
    "inspect": Entry("Show and verify a bundle.", "empgan_rt.cli.inspect:inspect", "cpu"),
    "web": Entry("Write the chat page with a model inside.", "empgan_rt.cli.web:web", "cpu"),
    "doctor": Entry("Show and check this installation.", "empgan_rt.cli.doctor:doctor", "cpu"),
    "data": Entry("Prepare a corpus for training.", "empgan_training.cli:data", "lexicon"),
    "recipe": Entry("Show the recipes that ship.", "empgan_training.run.cli:recipe", "cpu"),
    "train": Entry("Train a model from a recipe.", "empgan_training.run.cli:train", "train"),
    "evaluate": Entry("Score a model or text files.", "empgan_training.cli:evaluate", "eval"),
    "human": Entry("Let people rate replies.", "empgan_training.human.cli:human", "eval"),
    "reproduce": Entry(
        "Train every system, and make the paper's tables.",
        "empgan_training.reproduction.cli:reproduce",
        "train",
    ),
    "tables": Entry(
        "Make the tables of stored replies anew.", "empgan_training.reproduction.cli:tables", "eval"
    ),
    "export": Entry("Make a bundle of a checkpoint.", "empgan_export.cli:export", "export"),
    "engines": Entry(
        "Build TensorRT engines of a bundle.", "empgan_rt.cli.engines:engines", "tensorrt"
    ),
    "bench": Entry("Measure latency and throughput.", "empgan_bench.cli.commands:bench", "bench"),
}
# Packages that another extra brings than the command's own.
PACKAGE_EXTRAS: Mapping[str, str] = {
    "onnxruntime": "cpu",
    "starlette": "serve",
    "uvicorn": "serve",
    "h11": "serve",
    "prometheus_client": "serve",
    "onnx": "export",
    "onnxscript": "export",
    "torch": "train",
    "sacrebleu": "eval",
    "rouge_score": "eval",
    "krippendorff": "eval",
    "vaderSentiment": "lexicon",
    "nrclex": "lexicon",
    "textblob": "lexicon",
}


class _LazyGroup(click.Group):
    """A group over COMMANDS; its own help imports none of them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].target.partition(":")
        try:
            return _with_log_options(cast(click.Command, getattr(import_module(module), name)))
        except ModuleNotFoundError as error:
            raise _missing(error, cmd_name) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as error:
            raise _missing(error, ctx.invoked_subcommand or "") from error
        except BrokenPipeError:
            ctx.exit(0)  # whoever read the output has had enough


def _log_at(level: int) -> None:
    """Log our packages from a level on."""
    for package in PACKAGES:
        logging.getLogger(package).setLevel(level)


def _log_option(name: str, level: int, about: str) -> click.Option:
    def heed(context: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            _log_at(level)

    return click.Option(
        [f"-{name[0]}", f"--{name}"], is_flag=True, expose_value=False, callback=heed, help=about
    )


def _with_log_options(command: click.Command) -> click.Command:
    """Return a command that takes -q and -v after its name, too, as those below it do."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            _with_log_options(below)
    if not any("--quiet" in option.opts for option in command.params):
        command.params += [_log_option(*option) for option in _LOG_OPTIONS]
    return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@console.json_option
@click.version_option(__version__, prog_name="empgan-rt")
def cli(as_json: bool) -> None:
    """Train, export and serve empathetic dialogue models."""
    logging.basicConfig(handlers=[console.LogLines()], format="%(name)s: %(message)s")


_with_log_options(cli)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (see `errors` for the table).

    Errors go to stderr; with `--json` to stdout, as {"error": {"code", "message", "hint"}}.
    """
    silence_onnxruntime()  # PyTorch's exporter imports it too
    _log_at(logging.INFO)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # The flag counts also where arguments cannot be parsed.
    code = run(cli, given, name="empgan-rt", as_json="--json" in given)
    try:
        sys.stdout.flush()
    except OSError as error:
        # The interpreter would flush again when it ends, and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):
            code = code or StorageError.exit_code
    return code


def run(command: click.Command, given: Sequence[str], *, name: str, as_json: bool = False) -> int:
    """Run a command on its arguments, tell of what went wrong, and return the exit code.

    Args:
        name: of the program, for its help.
        as_json: whether errors go to stdout as JSON.
    """
    try:
        status = command.main(given, prog_name=name, standalone_mode=False)
        return status if isinstance(status, int) else 0
    except EmpganError as error:
        _complain(error, as_json)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _interrupted()
    except click.ClickException as error:
        if as_json:
            _complain(InputError(error.format_message()), as_json)
        else:
            error.show()
        return InputError.exit_code
    except Exception as error:
        if was_interrupted(error):
            return _interrupted()
        _complain(_bug(error), as_json)
        return EmpganError.exit_code


def _interrupted() -> int:
    """Leave the line that shows ^C, and return the exit code."""
    print(file=sys.stderr)
    return INTERRUPTED


def _complain(error: EmpganError, as_json: bool) -> None:
    """Tell of an error where the caller looks for it, or at least on stderr; never raise."""
    if as_json:
        with suppress(StorageError, BrokenPipeError):
            console.emit({"error": error_record(error)}, "", as_json=True)
            return
    console.complain(error)


def _bug(error: Exception) -> EmpganError:
    """Return what to say of an exception that nobody foresaw; it may hold a user's text."""
    _log.debug("traceback", exc_info=error)
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{frames[-1].name}, line {frames[-1].lineno}" if frames else "nowhere"
    return EmpganError(
        f"this is a bug: {type(error).__name__} in {place}",
        hint="run again with -v before the command for the traceback, and report it",
    )


def _missing(error: ModuleNotFoundError, command: str) -> Exception:
    """Return the error that names the extra to install; a module of ours that lacks is a bug."""
    package = (error.name or "").partition(".")[0]
    if not package or package in PACKAGES:
        return error
    extra = PACKAGE_EXTRAS.get(package, COMMANDS[command].extra)
    return DependencyError(
        f"{package} is not installed, and `empgan-rt {command}` needs it",
        hint=f"pip install 'empgan-rt[{extra}]'",
    )
