"""A server of OpenAI's dialect whose answers follow a script, for the bench's client."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple


class Says(NamedTuple):
    """An answer: pieces of text, and what is odd about it."""

    pieces: tuple[str, ...] = ()
    tokens: int | None = None  # of the usage; None for no usage
    reason: str | None = "stop"
    status: int = 200
    breaks: bool = False  # the connection, after the pieces
    error: bool = False  # in mid-stream
    pause_s: float = 0.0  # before each piece


Script = Callable[[dict[str, Any]], Says]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: ScriptedServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.server.keys.append(self.headers.get("Authorization"))
        self._whole(self.server.models_status, {"data": [{"id": "first"}, {"id": "second"}]})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, asked))
        self.server.connections.add(self.client_address)
        says = self.server.script(asked)
        usage = None if says.tokens is None else {"completion_tokens": says.tokens}
        if says.status != 200:
            self._whole(says.status, {"error": {"message": "no"}})
        elif asked.get("stream"):
            self._stream(says, usage)
        else:
            time.sleep(says.pause_s)
            message = {"role": "assistant", "content": "".join(says.pieces)}
            choice = {"index": 0, "message": message, "finish_reason": says.reason}
            self._whole(200, {"choices": [choice], "usage": usage})

    def _whole(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, says: Says, usage: Any) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for text in says.pieces:
            time.sleep(says.pause_s)
            self._event({"choices": [{"index": 0, "delta": {"content": text}}], "usage": None})
        if says.breaks:
            self.close_connection = True
            return
        if says.error:
            self._event({"error": {"message": "it broke"}})
        ended = {"index": 0, "delta": {}, "finish_reason": says.reason}
        self._event({"choices": [ended]})
        if usage:
            self._event({"choices": [], "usage": usage})
        self._chunk(b"data: [DONE]\n\n")
        self._chunk(b"")

    def _event(self, value: Any) -> None:
        self._chunk(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()


class ScriptedServer(ThreadingHTTPServer):
    """What it was asked is kept: paths and bodies, keys, and from which connections."""

    daemon_threads = True

    def __init__(self, script: Script) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.script, self.models_status = script, 200
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.keys: list[str | None] = []
        self.connections: set[Any] = set()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def scripted_server(script: Script) -> Iterator[ScriptedServer]:
    """Yield a server that answers by a script."""
    server = ScriptedServer(script)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
