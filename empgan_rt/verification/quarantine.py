"""A stranger's bundle tried in a child process, whose time and memory are limited.

A native crash, an endless computation or one that eats all memory ends that process alone. The
child is `probe`; it sets its own limits before it opens the bundle.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from ..bundle.bundle import Bundle
from ..errors import (
    BundleError,
    DependencyError,
    DivergenceError,
    EmpganError,
    ParityError,
    ProviderError,
)
from .verify import Verified

PROBE = (sys.executable, "-P", "-m", "empgan_rt.verification.probe")  # -P: nothing from the folder
PROBE_LIMIT_S = 300.0
MAX_ANSWER_BYTES = 1 << 20
_MEMORY_BYTES = 2 << 30  # for interpreter and libraries, and then a multiple of the bundle's size
_COPIES = 12  # as bytes, in float32, by the checker, by each variant's sessions
_ERRORS: Mapping[str, type[EmpganError]] = {  # those that are not the bundle's fault, or not alone
    kind.code: kind for kind in (ParityError, DivergenceError, ProviderError, DependencyError)
}


class Replay(msgspec.Struct, frozen=True):
    """The settings of a replay of the goldens; see `verification.verified`."""

    atol: float | None
    backend: str
    device: str


class Job(msgspec.Struct, frozen=True):
    """The work of the child.

    Attributes:
        path: folder, or name of an embedded bundle.
        replay: how to replay goldens; None to load the graphs only.
        seconds: of processor time that it may use.
        memory_bytes: that it may ask for.
    """

    path: str
    replay: Replay | None
    seconds: int
    memory_bytes: int


class Answer(msgspec.Struct, frozen=True):
    """The findings of the child; `error` is empty if all went well, `code` is the error's."""

    bundle_id: str
    error: str
    code: str = ""
    hint: str = ""
    verified: dict[str, Verified] = {}


def probe(path: str, bundle: Bundle, replay: Replay | None = None) -> Mapping[str, Verified]:
    """Check, load and, if asked, replay a bundle in a child process.

    Args:
        path: folder, or name of an embedded bundle.
        bundle: what was found there and audited.
        replay: how to replay its goldens.

    Returns:
        How far each variant is from its goldens; empty without `replay`.

    Raises:
        BundleError: the child refused the bundle, crashed, hung, wanted too much memory, or met
            another bundle.
        ParityError, DivergenceError, DependencyError: as `verified`; ProviderError on a GPU too.
    """
    memory = _MEMORY_BYTES + _COPIES * sum(map(len, bundle.files.values()))
    job = Job(path, replay, int(PROBE_LIMIT_S), memory)
    answer = _answer(_run(job))
    if answer.error:
        kind = _ERRORS.get(answer.code, BundleError)
        if kind is ProviderError and (replay is None or replay.device == "cpu"):
            kind = BundleError  # a CPU has what it needs, if not all that a stranger wants
        raise kind(answer.error, hint=answer.hint or "do not load this bundle")
    if answer.bundle_id != bundle.bundle_id:
        raise BundleError("the bundle changed while it was checked", hint="copy it and try again")
    return answer.verified


def _run(job: Job) -> tuple[int, bytes]:
    """Return how the child ended, and the beginning of what it printed."""
    with tempfile.TemporaryDirectory() as folder:  # a child that dies leaves its own files here
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "OPENBLAS_NUM_THREADS": "1",
            "TMPDIR": folder,
        }
        # A file, whose size the child's limits bound; a pipe's contents would grow in this process.
        with Path(folder, "answer").open("w+b") as out:
            try:
                done = subprocess.run(
                    [*PROBE, msgspec.json.encode(job).decode()],
                    env=env,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.DEVNULL,
                    timeout=PROBE_LIMIT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                raise BundleError(
                    f"loading took more than {PROBE_LIMIT_S:.0f} s", hint="do not load this bundle"
                ) from None
            out.seek(0)
            return done.returncode, out.read(MAX_ANSWER_BYTES)


def _answer(ended: tuple[int, bytes]) -> Answer:
    """Return what the child printed, or raise BundleError with how it ended."""
    code, printed = ended
    if code < 0:
        names = {known.value: known.name for known in signal.Signals}
        name = names.get(-code, f"signal {-code}")  # some have no name
        raise BundleError(f"loading crashed the process with {name}", hint="do not load it")
    try:
        return msgspec.json.decode(printed, type=Answer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError(
            f"loading ended with exit code {code}", hint="do not load this bundle"
        ) from None
