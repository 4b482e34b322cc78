"""What `empgan-rt doctor` says, in a process of its own as a user would call it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from .records import Finding, Job, Missing


def examined(job: Job) -> Iterator[Finding]:
    """Yield devices and models, and each problem that doctor has found as a fault."""
    command = [sys.executable, "-m", "empgan_rt", "doctor", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    try:
        record: dict[str, Any] = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        yield Finding(fault=f"doctor ended with status {done.returncode} and told nothing")
        return
    if not record["providers"] and record["problems"]:  # without ONNX Runtime there is no more
        raise Missing("; ".join(_said(problem) for problem in record["problems"]))
    yield Finding({"what": "providers", "value": ", ".join(record["providers"])})
    for device, usable in record["devices"].items():
        yield Finding({"what": device, "value": "usable" if usable else "not usable"})
    for name, bundle in record["bundles"].items():
        yield Finding({"what": name, "value": bundle["bundle_id"] if bundle else "not usable"})
    for problem in record["problems"]:
        yield Finding(fault=_said(problem))


def _said(problem: dict[str, str]) -> str:
    hint = "; ".join(problem["hint"].splitlines())
    return f"{problem['message']} ({hint})" if hint else problem["message"]
