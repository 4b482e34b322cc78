"""What `empgan-rt doctor` says, in a process of its own as a user would call it."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from gpu.engines import Tell

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(180)]


def test_the_installation_is_sound(tell: Tell) -> None:
    command = [sys.executable, "-m", "empgan_rt", "doctor", "--json"]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    try:
        record = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        pytest.fail(f"doctor ended with status {done.returncode} and told nothing")
    problems = "; ".join(map(_said, record["problems"]))
    if not record["providers"] and problems:  # without ONNX Runtime there is no more
        pytest.skip(problems)
    tell({"what": "providers", "value": ", ".join(record["providers"])})
    for device, usable in record["devices"].items():
        tell({"what": device, "value": "usable" if usable else "not usable"})
    for name, bundle in record["bundles"].items():
        tell({"what": name, "value": bundle["bundle_id"] if bundle else "not usable"})
    assert not problems, problems


def _said(problem: dict[str, str]) -> str:
    hint = "; ".join(problem["hint"].splitlines())
    return f"{problem['message']} ({hint})" if hint else problem["message"]
