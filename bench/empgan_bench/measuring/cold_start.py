"""The cold start of our engines: from a fresh process to its first reply.

Each sample is a Python process of its own, which loads the runtime and nothing of the bench. The
machine has read all files before: the first process of each engine is not counted.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import EmpganError

from ..workers.client import environment, import_path
from .stats import Summary, summarise

RUNS = 7
IMPORT_GOAL_MS, FIRST_REPLY_GOAL_MS = 150, 1000
OURS: Mapping[str, str] = {"onnxruntime": "fp32", "onnxruntime-int8": "int8"}  # to precisions
_FOREIGN = frozenset({"torch", "empgan_training", "empgan_export", "empgan_bench"})
_SCRIPT = Path(__file__).with_name("first_reply.py")


class ColdSample(msgspec.Struct, frozen=True):
    """One fresh process.

    Attributes:
        import_ms: `import empgan_rt`.
        load_ms: opening the bundle and its engine.
        reply_ms: the first reply.
        first_reply_ms: from the start of the process until that reply was there, seen from
            outside: the interpreter's own start is in it.
    """

    import_ms: float
    load_ms: float
    reply_ms: float
    first_reply_ms: float


class ColdStart(msgspec.Struct, frozen=True):
    """The cold start of one engine; `samples` are raw, see `ColdSample`."""

    engine: str
    import_ms: Summary
    load_ms: Summary
    reply_ms: Summary
    first_reply_ms: Summary
    samples: list[ColdSample]


def measure_cold_starts(
    engines: Collection[str],
    bundle: str,
    dialogue: Dialogue,
    threads: int,
    seed: int,
) -> list[ColdStart]:
    """Return the cold start of every engine that is ours, from RUNS processes each, in turns.

    Args:
        engines: names; those that are not in `OURS` are left out.
        bundle: folder or name.
        dialogue: what is answered.
        threads: of each process.
        seed: of the bootstrap.

    Raises:
        EmpganError: a process ended without a reply, or loaded more than the runtime.
    """
    turns = [turn.text for turn in dialogue.turns]
    samples: dict[str, list[ColdSample]] = {name: [] for name in OURS if name in engines}
    for run in range(RUNS + 1):
        for name, found in samples.items():
            sample = cold_sample(bundle, OURS[name], threads, turns)
            if run:
                found.append(sample)
    return [_summary(name, found, seed) for name, found in samples.items()]


def cold_sample(bundle: str, precision: str, threads: int, turns: Sequence[str]) -> ColdSample:
    """Return the times of one fresh process.

    Raises:
        EmpganError: it ended without a reply, or loaded more than the runtime.
    """
    asked = {"bundle": bundle, "precision": precision, "threads": threads, "turns": turns}
    question = msgspec.json.encode(asked) + b"\n"
    line = b""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-P", str(_SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(import_path()),
    ) as process:
        if process.stdin is not None and process.stdout is not None:
            with suppress(BrokenPipeError):  # it ended before it read
                process.stdin.write(question)
                process.stdin.flush()
            line = process.stdout.readline()
        first_reply_ms = (time.perf_counter() - start) * 1e3
        errors = process.communicate()[1].decode("utf-8", "replace").strip().splitlines()
    if not line:
        said = f": {errors[-1][:300]}" if errors else ""
        raise EmpganError(f"a fresh process ended without a reply{said}")
    told = msgspec.json.decode(line)  # see `first_reply`
    foreign = _FOREIGN.intersection(told["packages"])
    if foreign:
        raise EmpganError(f"a fresh process loaded {', '.join(sorted(foreign))}")
    return ColdSample(told["import_ms"], told["load_ms"], told["reply_ms"], first_reply_ms)


def _summary(engine: str, samples: list[ColdSample], seed: int) -> ColdStart:
    times = {
        name: summarise([getattr(sample, name) for sample in samples], seed)
        for name in ColdSample.__struct_fields__
    }
    return ColdStart(engine=engine, samples=samples, **times)
