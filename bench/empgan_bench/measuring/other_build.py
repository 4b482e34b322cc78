"""Another build of ours, installed under an interpreter of its own: asked what it is before a run.

Its engines are timed beside those of this build, in the same rounds, so that load which comes and
goes falls on both. Workers speak `messages` with whoever started them, in the older build too.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

import msgspec

from empgan_rt.errors import DependencyError, InputError

from ..engines.table import OTHER, REFERENCE, YARDSTICKS
from ..workers.client import environment
from ..workers.messages import PROTOCOL
from .fingerprint import OtherBuild, commit_of

_ASKED = """
import json, sys
from empgan_bench.engines.table import ENGINES
from empgan_bench.workers import messages
from empgan_rt._version import __version__
bundle_id = None
if getattr(messages, "PROTOCOL", 1) == int(sys.argv[2]):
    from empgan_rt.bundle.bundle import Bundle
    bundle_id = Bundle.open(sys.argv[1]).bundle_id
print(json.dumps({
    "protocol": getattr(messages, "PROTOCOL", 1), "version": __version__,
    "openers": ENGINES, "bundle_id": bundle_id, "file": messages.__file__,
}))
"""  # the builds before there was a number speak protocol 1
_LIMIT_S = 120.0


class _Told(msgspec.Struct):
    protocol: int
    version: str
    openers: dict[str, dict[str, str]]
    bundle_id: str | None
    file: str


def other_build(
    python: str, bundle: str, engines: Collection[str], device: str = "cpu"
) -> OtherBuild:
    """Return the build that an interpreter has, and how its workers open the engines.

    Args:
        python: the interpreter; PYTHONPATH is taken from it.
        bundle: folder or name, which the other build opens by itself.
        engines: names; the reference and yardsticks are measured of this build alone.
        device: where they compute.

    Raises:
        InputError: no engine is left, or one is not in the other build.
        DependencyError: the interpreter or its build does not work, or speaks another protocol.
    """
    wanted = [name for name in engines if name != REFERENCE and name not in YARDSTICKS]
    if not wanted:
        raise InputError(
            f"--against {python}, and no engine of ours", hint="add one: --backends onnxruntime"
        )
    told = _asked(python, bundle)
    if told.protocol != PROTOCOL:
        raise DependencyError(
            f"{python} has empgan-rt {told.version}, whose bench speaks protocol {told.protocol}, "
            f"and this one {PROTOCOL}",
            hint="measure builds whose benches speak the same protocol",
        )
    there = told.openers.get(device, {})
    lacking = [name for name in wanted if name not in there]
    if lacking:
        raise InputError(
            f"{python} has empgan-rt {told.version}, without the engine {lacking[0]!r}",
            hint=f"leave it out of --backends; it has {', '.join(there)}",
        )
    return OtherBuild(
        python=python,
        empgan_rt=told.version,
        commit=commit_of(Path(told.file)),
        bundle_id=told.bundle_id or "",
        openers={name + OTHER: there[name] for name in wanted},
    )


def _asked(python: str, bundle: str) -> _Told:
    """Return what a build tells of itself.

    Raises:
        DependencyError: it tells nothing.
    """
    said = ""
    try:
        done = subprocess.run(
            [python, "-P", "-c", _ASKED, bundle, str(PROTOCOL)],
            capture_output=True,
            timeout=_LIMIT_S,
            env=environment(None),
            check=False,
        )
        said = done.stderr.decode("utf-8", "replace").strip()
        return msgspec.json.decode(done.stdout, type=_Told)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError) as error:
        last = said.splitlines()[-1][:300] if said else getattr(error, "strerror", None) or error
        raise DependencyError(
            f"{python} has no build of empgan-rt that can be measured: {last}",
            hint="install it there, with its bench: see docs/performance.md",
        ) from None
