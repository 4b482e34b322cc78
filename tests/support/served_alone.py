"""A server of a few paths without a model, to be run as a process: `served_alone.py '{...}'`.

The argument is JSON: `delay_s`, `files` (the most that may be open), and numbers in place of those
in `connection` and `process`. It prints its port on one line, and "leave" when it begins to end.

    GET /            "ok", at once
    POST /wait       the number of bytes of its body, after the seconds in the header `x-wait`
    POST /refuse     413 before the body was read, and the connection is closed
    POST /unread     401 before the body was read, and the connection stays
    GET /big         32 MiB
    GET /raise       an exception that holds the words of the header `x-words`
"""

from __future__ import annotations

import asyncio
import json
import logging
import resource
import socket
import sys
from typing import Any

from empgan_rt.server import connection, process


async def app(scope: Any, receive: Any, send: Any) -> None:
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    status, body, more = 200, b"ok", []
    if scope["path"] == "/wait":
        length = 0
        while True:
            message = await receive()
            length += len(message.get("body", b""))
            if not message.get("more_body"):
                break
        await asyncio.sleep(float(headers.get("x-wait", "0")))
        body = str(length).encode()
    elif scope["path"] == "/refuse":
        status, body, more = 413, b"too long", [(b"connection", b"close")]
    elif scope["path"] == "/unread":
        status, body = 401, b"who are you?"
    elif scope["path"] == "/big":
        body = bytes(32 << 20)
    elif scope["path"] == "/raise":
        raise ValueError(headers["x-words"])
    length = str(len(body)).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-length", length), *more],
        }
    )
    await send({"type": "http.response.body", "body": body})


def main(settings: dict[str, Any]) -> None:
    logging.basicConfig()
    delay_s = settings.pop("delay_s", 0.0)
    if files := settings.pop("files", 0):
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    for name, value in settings.items():
        for module in (connection, process):
            if hasattr(module, name):
                setattr(module, name, value)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    served = process.Process(
        app,
        delay_s=delay_s,
        on_ready=lambda: print(listening.getsockname()[1], flush=True),
        on_leave=lambda: print("leave", flush=True),
    )
    asyncio.run(served.serve([listening]))
    sys.exit(130 if served.force_exit else 0)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
