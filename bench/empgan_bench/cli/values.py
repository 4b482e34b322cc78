"""What the values of the bench commands' options mean."""

from __future__ import annotations

import re
from pathlib import Path

from empgan_rt.errors import InputError

from ..engines.table import ENGINES, STATIC, YARDSTICKS
from ..scaling.plan import AXES

MAX_BATCH = 4096
_MAX_RATE = 10_000.0  # requests per second


def engines(text: str, device: str) -> dict[str, str]:
    """Return the openers of the engines in a comma-separated list.

    Args:
        text: the list.
        device: a key of `ENGINES`.

    Raises:
        InputError: a name is unknown there, or no engine is among them that writes replies.
    """
    names, table = [part.strip() for part in text.split(",")], ENGINES[device]
    unknown = [name for name in names if name not in table]
    if unknown:
        elsewhere = any(unknown[0] in others for others in ENGINES.values())
        where = f" on device {device!r}" if elsewhere else ""
        raise InputError(f"backend {unknown[0][:40]!r}{where}", hint=f"use {', '.join(table)}")
    if YARDSTICKS.issuperset(names):
        raise InputError(
            f"--backends {text[:60]}: products alone, and nothing to hold against them",
            hint="name an engine beside them: --backends onnxruntime,floor,eager",
        )
    return {name: table[name] for name in names}


def speaking_engines(text: str, device: str) -> dict[str, str]:
    """Return `engines`, all of which write replies.

    Raises:
        InputError: a name is unknown, or is that of a yardstick.
    """
    found = engines(text, device)
    silent = [name for name in found if name in YARDSTICKS]
    if silent:
        raise InputError(
            f"{silent[0]} writes no replies, and no process of it serves",
            hint="use it with `bench latency` or `bench throughput`",
        )
    return found


def serving_engines(text: str, device: str) -> dict[str, str]:
    """Return `engines`, all of which can take requests as they arrive.

    Raises:
        InputError: a name is unknown, or an engine decodes whole batches alone.
    """
    found = engines(text, device)
    static = STATIC | YARDSTICKS
    unfit = [name for name in found if name in static]
    if unfit:
        fit = [name for name in ENGINES[device] if name not in static]
        raise InputError(
            f"{unfit[0]} cannot serve: it takes whole batches, which nobody joins or leaves",
            hint=f"use {', '.join(fit)}",
        )
    return found


def axes(text: str) -> tuple[str, ...]:
    """Return the axes in a comma-separated list, each once, in the order of the table.

    Raises:
        InputError: a name is unknown.
    """
    names = [part.strip() for part in text.split(",")]
    unknown = [name for name in names if name not in AXES]
    if unknown:
        raise InputError(f"axis {unknown[0][:40]!r}", hint=f"use {', '.join(AXES)}")
    return tuple(name for name in AXES if name in names)


def rates(text: str) -> tuple[float, ...]:
    """Return the rates in a comma-separated list, each once, in requests per second.

    Raises:
        InputError: one is no number, or not above 0 and at most 10,000.
    """
    parts = [part.strip() for part in text.split(",")]
    matches = [re.fullmatch(r"\d{1,6}(?:\.\d{1,6})?", part) for part in parts]
    if not all(match and 0 < float(match[0]) <= _MAX_RATE for match in matches):
        raise InputError(
            f"--rate {text[:60]!r}",
            hint=f"give requests per second, above 0 and at most {_MAX_RATE:g}: 2,4,8",
        )
    return tuple(dict.fromkeys(map(float, parts)))


def numbers(option: str, text: str, most: int) -> tuple[int, ...]:
    """Return the whole numbers in a comma-separated list, each once.

    Raises:
        InputError: one is no number, or outside 1 to `most`.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and 1 <= int(part[:9]) <= most for part in parts):
        raise InputError(f"{option} {text[:60]!r}", hint=f"give numbers from 1 to {most}: 1,8,32")
    return tuple(dict.fromkeys(int(part) for part in parts))


def key(file: Path) -> str:
    """Return the API key in a file.

    Raises:
        InputError: it cannot be read, or holds no key of printable ASCII.
    """
    try:
        found = file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        found = ""
    if not re.fullmatch(r"[!-~]+", found):
        raise InputError(f"--api-key-file {file}", hint="give a file that holds a key and no more")
    return found


def share(option: str, text: str) -> float:
    """Return the number that a percentage such as "5%" means.

    Raises:
        InputError: it is written otherwise.
    """
    match = re.fullmatch(r"(\d{1,4}(?:\.\d{1,4})?)\s*%", text.strip())
    if match is None:
        raise InputError(f"{option} {text[:60]!r}", hint="give a percentage: 5%")
    return float(match[1]) / 100
