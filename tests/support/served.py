"""A server in a process of its own, and clients of bare sockets."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psutil

from support.source_tree import PACKAGES, ROOT

ALONE = ROOT / "tests" / "support" / "served_alone.py"
PATIENCE_S = 60.0  # after which a test says that something hangs


class Served:
    """A server that runs, on a port of 127.0.0.1."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S)

    def ask(self, request: bytes) -> bytes:
        """Return all that is answered on a connection of its own until the server closes it."""
        with self.connect() as client:
            client.sendall(request)
            return whole(client)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    def ended(self) -> tuple[int, str, str]:
        """Return exit code, stdout and stderr from here on, when it has ended."""
        out, err = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, out, err


@contextmanager
def started(*arguments: str, env: dict[str, str] | None = None) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program in a session of its own while the block runs."""
    roots = {str(path.parent) for path in PACKAGES.values()} | {str(ROOT / "tests")}
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sorted(roots)), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


@contextmanager
def served_alone(**settings: Any) -> Iterator[Served]:
    """Run `served_alone.py` with these settings while the block runs."""
    with started(str(ALONE), json.dumps(settings)) as process:
        assert process.stdout is not None
        yield Served(process, int(process.stdout.readline()))


def whole(client: socket.socket) -> bytes:
    """Return what a connection still brings until its end, whichever way that comes."""
    read = b""
    try:
        while piece := client.recv(1 << 16):
            read += piece
    except ConnectionError:
        pass
    return read


def request(path: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """Return an HTTP/1.1 request."""
    length = [f"content-length: {len(body)}"] if body or method == "POST" else []
    head = "\r\n".join([f"{method} {path} HTTP/1.1", "host: a", *length, *headers])
    return head.encode() + b"\r\n\r\n" + body


def answer(client: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of the next answer, which has a content-length."""
    read = b""
    while b"\r\n\r\n" not in read:
        piece = client.recv(1 << 16)
        assert piece, f"the server closed the connection after {read!r}"
        read += piece
    head, _, body = read.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    rest = bytearray(body)
    while len(rest) < int(headers["content-length"]):
        piece = client.recv(1 << 20)
        assert piece, f"the server closed the connection after {len(rest)} bytes of a body"
        rest += piece
    return int(first.split()[1]), headers, bytes(rest)


def wait_until(condition: Any, patience_s: float = PATIENCE_S) -> None:
    """Return when a condition holds."""
    until = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.01)


@contextmanager
def serve(*options: str, env: dict[str, str] | None = None) -> Iterator[Served]:
    """Run `empgan-rt serve OPTIONS` on a free port while the block runs."""
    command = ("-m", "empgan_rt", "serve", "--port", "0", "--json", *options)
    with started(*command, env=env) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        yield Served(process, urlsplit(json.loads(line)["url"]).port or 0)


def chat(*headers: str, text: str = "I lost my keys today.", **fields: Any) -> bytes:
    """Return a request for a chat completion."""
    body = {"messages": [{"role": "user", "content": text}], **fields}
    kind = "content-type: application/json"
    encoded = json.dumps(body).encode()
    return request("/v1/chat/completions", kind, *headers, method="POST", body=encoded)


def children(pid: int) -> list[int]:
    """Return the processes that a process started and that still run."""
    return [child.pid for child in psutil.Process(pid).children()]
