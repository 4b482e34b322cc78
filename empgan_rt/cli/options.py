"""The options of a search, an engine and a guard, shared by the commands that write replies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
import msgspec

from ..config import SearchConfig
from ..errors import InputError
from ..guard.word_guard import WordGuard
from ..guard.word_list import DEFAULT

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--beam", "beam_size", type=int, help="Beams of the search; 1 is greedy."),
    click.option("--max-length", type=int, help="Most tokens of a reply."),
    click.option("--no-repeat-ngram", type=int, help="No n-gram twice in a reply; 0 is off."),
    click.option("--length-penalty", type=float, help="Score is log P / length ** this."),
    click.option("--sample", is_flag=True, default=None, help="Draw words instead of searching."),
    click.option("--top-k", type=int, help="Draw from so many words; with --sample."),
    click.option("--top-p", type=float, help="Draw from this share; with --sample."),
    click.option("--temperature", type=float, help="Above 1 draws wilder; with --sample."),
    click.option("--seed", type=int, help="Makes drawing repeatable; with --sample."),
)
_SAMPLING = ("top_k", "top_p", "temperature", "seed")


precision_option = click.option(
    "--precision",
    default="fp32",
    help="A variant of the bundle: int8 is faster, and now and then words a reply otherwise; fp16 "
    "is for GPUs.",
)

_ENGINE = (
    click.option(
        "--backend",
        default="onnxruntime",
        help="What computes: onnxruntime, or tensorrt, which needs --device cuda.",
    ),
    click.option(
        "--device",
        default="cpu",
        help="Where to compute: cpu, cuda, or ONNX Runtime's own tensorrt; never exchanged for "
        "another one silently.",
    ),
)


def engine_options(command: Command) -> Command:
    """Add --backend and --device."""
    return _with(command, _ENGINE)


_GUARD = (
    click.option(
        "--guard/--no-guard",
        default=None,
        help="Whether the guard by words looks at messages and replies: in chat unless told "
        "otherwise, elsewhere if told so.",
    ),
    click.option(
        "--guard-words",
        metavar="FILE",
        help="Your own phrases, texts and numbers for the guard, on top of ours (TOML).",
    ),
    click.option(
        "--locale",
        default=DEFAULT,
        show_default=True,
        help="Whose numbers the guard names, such as en-GB; the default names none.",
    ),
)


def guard_options(command: Command) -> Command:
    """Add --guard, --guard-words and --locale, for `chosen_guard`."""
    return _with(command, _GUARD)


def chosen_guard(
    wanted: bool | None, words: str | None, locale: str, *, by_default: bool
) -> WordGuard | None:
    """Return the guard that the options ask for; None for none.

    Args:
        wanted: --guard or --no-guard, None if neither is given.
        words, locale: the other two options.
        by_default: what holds if no option is given.

    Raises:
        InputError: there is something for a guard that is not wanted, or as `WordGuard`.
    """
    says_more = words is not None or locale != DEFAULT
    if wanted is False and says_more:
        raise InputError("--guard-words or --locale with --no-guard", hint="leave either side out")
    if wanted or says_more or (wanted is None and by_default):
        return WordGuard(words, locale=locale)
    return None


def search_options(command: Command) -> Command:
    """Add the options of a search; those not given are None, for `overlay` to leave out."""
    return _with(command, _OPTIONS)


def _with(command: Command, options: tuple[Callable[[Command], Command], ...]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def overlay(base: SearchConfig, given: Mapping[str, Any]) -> SearchConfig:
    """Return `base` with the settings in `given`, which need not be sound; None leaves one as is.

    A beam smaller than the alternatives that `base` wants takes the rest of them away.

    Raises:
        InputError: a setting is unknown, of the wrong type or out of range, or one of sampling
            where nothing is sampled.
    """
    wanted = {name: value for name, value in given.items() if value is not None}
    names = [f.name for f in dataclasses.fields(SearchConfig)]
    unknown = sorted(wanted.keys() - names)
    if unknown:
        raise InputError(
            f"unknown search setting {unknown[0][:40]!r}", hint=f"use {', '.join(names)}"
        )
    merged: dict[str, Any] = {name: getattr(base, name) for name in names} | wanted
    idle = [name for name in _SAMPLING if name in wanted]
    if idle and not merged["sample"]:
        raise InputError(f"{idle[0]} without sampling", hint="set sample too, or leave it out")
    if "num_hypotheses" not in wanted and isinstance(merged["beam_size"], int):
        merged["num_hypotheses"] = max(1, min(base.num_hypotheses, merged["beam_size"]))
    try:
        return msgspec.convert(merged, SearchConfig, strict=True)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        raise InputError(f"search: {error}") from None
