"""An application run by uvicorn in a thread of its own, on a port of loopback."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

PATIENCE_S = 30.0


@contextmanager
def served(app: ASGIApp) -> Iterator[tuple[str, int]]:
    """Serve an application inside the block; yields host and port."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, http="h11", ws="none", lifespan="off", log_level="error"
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    wait_until(lambda: server.started or not thread.is_alive())
    try:
        host, port = server.servers[0].sockets[0].getsockname()
        yield host, port
    finally:
        server.should_exit = server.force_exit = True
        thread.join(PATIENCE_S)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Return when a function returns true; fails if it takes too long."""
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.002)
