"""Runs the command line in this process and tells what came out."""

from __future__ import annotations

import io
import json
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from empgan_rt.cli.main import main


@dataclass(frozen=True)
class Outcome:
    """Exit code and what was written."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        return json.loads(self.out)


class _Stdin(io.TextIOWrapper):
    """Bytes that claim to come from a pipe."""

    def isatty(self) -> bool:
        return False


def run(
    monkeypatch: pytest.MonkeyPatch,
    capfdbinary: pytest.CaptureFixture[bytes],
    *arguments: object,
    stdin: bytes = b"",
) -> Outcome:
    """Return what `empgan-rt ARGUMENTS` did with `stdin`."""
    monkeypatch.setattr(sys, "stdin", _Stdin(io.BytesIO(stdin), encoding="utf-8"))
    capfdbinary.readouterr()
    code = main([str(argument) for argument in arguments])
    out, err = capfdbinary.readouterr()
    return Outcome(code, out.decode(), err.decode())
