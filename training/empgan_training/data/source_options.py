"""Sources as a command line names them: paths, and options that hold for all or for one by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast, get_args

from empgan_rt.errors import InputError

from .corpora.json_rows import TurnLabels
from .reply_rule import REPLY_RULES, RuleName
from .sources import Source


def parse_sources(
    paths: Sequence[Path],
    named: Sequence[str],
    *,
    weights: Sequence[str] = (),
    licences: Sequence[str] = (),
    replies: Sequence[str] = (),
    labels: str = "dialogue",
) -> tuple[list[Source], str]:
    """Return the sources, and the licence of those that have none of their own.

    Args:
        paths: of sources without a name.
        named: `NAME=PATH` each.
        weights, licences, replies: `NAME=VALUE` for the source of that name, or a value for all.
            A licence for all replaces a known one only where there is one source.

    Raises:
        InputError: one of them is nothing like that, or names no source.
    """
    pairs = [_pair(text, "--source") for text in named]
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise InputError("two sources of one name", hint="give each --source a name of its own")
    of_weight = _per_source(weights, names, "--weight")
    of_licence = _per_source(licences, names, "--licence")
    of_replies = _per_source(replies, names, "--replies")
    for_all = of_licence.pop("", "")
    alone = len(paths) + len(pairs) == 1
    given = [("", path) for path in paths] + [(name, Path(path)) for name, path in pairs]
    sources = [
        Source(
            path,
            name,
            weight=_number(of_weight.get(name, of_weight.get("", "1"))),
            licence=of_licence.get(name, for_all if alone else ""),
            replies=_rule(of_replies.get(name, of_replies.get("", ""))),
            labels=_turn_labels(labels),
        )
        for name, path in given
    ]
    return sources, for_all


def _pair(text: str, option: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or not value:
        raise InputError(f"{option} {text[:80]!r}", hint=f"give {option} NAME=VALUE")
    return name, value


def _per_source(texts: Sequence[str], names: Sequence[str], option: str) -> dict[str, str]:
    """Return the value of each source by its name, and of all others by the empty one."""
    found: dict[str, str] = {}
    for text in texts:
        name, value = _pair(text, option) if "=" in text else ("", text)
        if name and name not in names:
            raise InputError(
                f"{option} for {name[:40]!r}, which no --source is called",
                hint=f"name one of {', '.join(names)}" if names else "use --source NAME=PATH",
            )
        if name in found:
            raise InputError(f"{option} twice for {name or 'all sources'}", hint="give it once")
        found[name] = value
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f"--weight {text[:40]!r}", hint="give a number such as 2.0") from None


def _rule(text: str) -> RuleName | None:
    if not text:
        return None
    for name in REPLY_RULES:
        if name == text:
            return name
    raise InputError(f"--replies {text[:40]!r}", hint=f"give one of {', '.join(REPLY_RULES)}")


def _turn_labels(text: str) -> TurnLabels:
    if text not in get_args(TurnLabels):
        raise InputError(f"labels {text[:40]!r}", hint="give dialogue or turn")
    return cast("TurnLabels", text)
