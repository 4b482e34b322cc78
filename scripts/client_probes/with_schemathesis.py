"""Schemathesis, by its command: requests made of /openapi.json, good ones and bad ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from urllib.request import urlopen

from probe import OtherwiseError, errand, expect, tell

given = errand()
SETTINGS = Path(__file__).with_name("schemathesis.toml")
FIXED = ("--max-examples", "60", "--no-color", "--generation-deterministic")


def document() -> str:
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", SETTINGS, "run"]
    # (With "authorization" in small letters it takes an accepted key for an unguarded door.)
    key = ("-H", f"Authorization: Bearer {given.key}")
    with tempfile.TemporaryDirectory() as folder:  # it writes what it found where it runs
        done = subprocess.run(
            [*program, f"{given.url}/openapi.json", *key, *FIXED],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        failures = done.stdout.partition("Failures:")[2].partition("For more")[0]
        raise OtherwiseError(failures or done.stdout + done.stderr)
    (tested,) = re.findall(r"^  Tested: (\d+)", done.stdout, re.MULTILINE)
    with urlopen(f"{given.url}/openapi.json") as answer:
        paths = json.load(answer)["paths"]
    expect(int(tested), sum(len(operations) for operations in paths.values()))
    (cases,) = re.findall(r"^  (\d+) generated", done.stdout, re.MULTILINE)
    return f"{tested} operations, {cases} requests, no check fails"


tell(document=document)
