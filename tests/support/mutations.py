"""Altered files for tests, each from a seed, and children that try them.

Native code that is fed with them may crash or never end. So a module that names a folder to work in
and a seed, and tries one file (`try_one`), is run in child processes; a crash is the fault of the
seed that was being tried.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from empgan_rt.errors import EmpganError

SECONDS = 120  # of one seed
MEMORY_BYTES = 6 << 30
# Values as JSON text, for Python's encoder would refuse some of them.
VALUES = (
    *(
        "null",
        "true",
        "0",
        "-1",
        "1",
        "2",
        "7.5",
        "1e999",
        "-1e999",
        '""',
        '"x"',
        "[]",
        "{}",
        "[0]",
    ),
    *("9" * 19, "9" * 30, "9" * 5000, "1." + "3" * 5000, "[" * 40 + "]" * 40),
    *("[" * 3000 + "]" * 3000, '{"a":' * 500 + "1" + "}" * 500, "NaN", '"\\ud800"', '"\\u0000"'),
    *('"\\u001b[2J"', '{"type": "NFC"}', "[null]", '"' + "y" * 3000 + '"'),
)
_MARK = "value to be replaced"


@dataclass
class Outcomes:
    """How many seeds came to what.

    Attributes:
        counts: "fine", names of our errors, "foreign" and "crash", with how many seeds each.
        faults: what came that is neither, with its seed.
        crashes: seeds that ended their process by a signal.
    """

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)


def mutated_bytes(draw: random.Random, data: bytes) -> bytes:
    """Return bytes with a bit flipped, or a piece cut, doubled, zeroed or replaced."""
    at = draw.randrange(len(data) + 1)
    end = min(len(data), at + draw.choice((1, 2, 8, 100, 5000)))
    return draw.choice(
        (
            lambda: (
                data[:at] + bytes([data[at] ^ 1 << draw.randrange(8)]) + data[at + 1 :]
                if at < len(data)
                else b""
            ),
            lambda: data[:at],
            lambda: data[:at] + data[end:],
            lambda: data[:end] + data[at:],
            lambda: data[:at] + bytes(end - at) + data[end:],
            lambda: data[:at] + draw.randbytes(end - at) + data[end:],
        )
    )()


def mutated_json(draw: random.Random, raw: bytes) -> bytes:
    """Return a JSON document with one value, at any depth, replaced, left out or said twice."""
    document = json.loads(raw)
    holder: Any = document
    while True:
        keys = [*holder] if isinstance(holder, dict) else [*range(len(holder))]
        key = draw.choice(keys)
        inner = holder[key]
        if not isinstance(inner, dict | list) or not inner or draw.random() < 0.3:
            break
        holder = inner
    if draw.random() < 0.15:
        del holder[key]
        return json.dumps(document).encode()
    holder[key] = _MARK
    value = draw.choice((*VALUES, json.dumps(inner), json.dumps([inner]), json.dumps(str(inner))))
    text = json.dumps(document).replace(json.dumps(_MARK), value)
    if isinstance(holder, dict) and draw.random() < 0.05:
        text = text.replace("{", f"{{{json.dumps(key)}: {value}, ", 1)
    return text.encode()


def outcome_of(work: Callable[[], object]) -> str:
    """Return "fine", the name of one of our errors, or "foreign" with what came instead."""
    try:
        work()
    except EmpganError as error:
        if type(error) is EmpganError:
            return f"foreign: {error!r}"
        return type(error).__name__
    except BaseException as error:
        frame = error.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        place = f"{Path(frame.tb_frame.f_code.co_filename).name}:{frame.tb_lineno}" if frame else ""
        return f"foreign: {type(error).__name__} at {place}: {str(error)[:150]}"
    return "fine"


def try_seeds(module: str, base: str, seeds: range, chunk: int = 250) -> Outcomes:
    """Return what came of trying each seed with `module.try_one(base, folder, seed)`."""
    outcomes, seed = Outcomes(), seeds.start
    while seed < seeds.stop:
        last = min(seeds.stop, seed + chunk)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, "-m", "support.mutations", module, base, folder, f"{seed}:{last}"],
                env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                check=False,
            )
        for line in done.stdout.decode().splitlines():
            what = str(json.loads(line))
            outcomes.counts[what.partition(":")[0]] += 1
            if what.startswith("foreign"):
                outcomes.faults.append(f"seed {seed}: {what}")
            seed += 1
        if seed < last:
            outcomes.counts["crash"] += 1
            if done.returncode < 0:
                outcomes.crashes.append(seed)
            else:
                why = done.stderr.decode()[-300:]
                outcomes.faults.append(f"seed {seed}: exit code {done.returncode} {why}")
            seed += 1
    return outcomes


def _main(module: str, base: str, folder: str, seeds: str) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    try_one = importlib.import_module(module).try_one
    for seed in range(*map(int, seeds.split(":"))):
        signal.alarm(SECONDS)  # not handled: it ends the process, native loops too
        print(json.dumps(try_one(base, Path(folder, str(seed)), seed)), flush=True)


if __name__ == "__main__":
    _main(*sys.argv[1:])
