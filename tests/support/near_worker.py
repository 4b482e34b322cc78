"""A worker of the bench without a process: it reads the same messages and answers in this one."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import psutil

from empgan_bench.workers.client import Worker
from empgan_bench.workers.messages import Open, Opened, decode_request, send
from empgan_bench.workers.worker import _Worker


class _Pipes(io.BytesIO):
    """Both ends: what is written is answered, and the answer can be read."""

    def __init__(self) -> None:
        super().__init__()
        self._worker = _Worker()

    def write(self, line: Any) -> int:
        answer = io.BytesIO()
        send(answer, self._worker.answer(decode_request(line)))
        self._answer = answer.getvalue()
        return len(line)

    def readline(self, size: int | None = -1) -> bytes:
        return self._answer


class NearWorker(Worker):
    """Opens an engine in this process; what the engine prints is printed."""

    def __init__(self, name: str, opener: str, bundle: str, threads: int) -> None:
        self.name = name
        pipes = _Pipes()
        self._process: Any = SimpleNamespace(stdin=pipes, stdout=pipes, wait=lambda timeout: 0)
        self._usage = psutil.Process()
        self._stderr: Any = io.BytesIO()
        self._ours: Any = SimpleNamespace(cleanup=lambda: None)
        self.opened = self._ask(Open(opener, bundle, threads), Opened)
