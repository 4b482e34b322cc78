"""What runs the application on open sockets until it is told to end, and loses no request then.

Uvicorn's server closes what is idle at once and raises the signal again when it is done; here the
end has these parts:

1. The first signal: readiness is withdrawn, every further reply ends its connection, and the
   sockets stay open for `delay_s`, so that load balancers notice before anybody is refused.
2. The sockets are closed after a last look for clients at their doors. New connections get a moment
   for their first request, idle ones are closed.
3. What was accepted is answered, whatever time it takes; slow readers are let go (`connection`).

A second signal breaks off all of this.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

import uvicorn

from .connection import HEADER_BYTES, KEEP_ALIVE_S, Connection
from .wordless import tell, without_words

if TYPE_CHECKING:
    from starlette.types import ASGIApp

SPARE_FILES = 64  # that are kept for other things than connections
FIRST_REQUEST_S = 1.0  # that a new connection has when the server ends
LOOK_S = 0.02
TICKS = 10  # of uvicorn's loop, between two looks at the connections; about a second
BACKLOG = 2048
CLOSE = (b"connection", b"close")

_log = logging.getLogger(__name__)


class Process(uvicorn.Server):
    """Serves an application in this process.

    Args:
        app: what is served.
        delay_s: seconds from the first signal to the closing of the sockets; none after Ctrl-C,
            which a person waits for.
        on_ready: called when requests are answered.
        on_second: called about once a second from then on.
        on_leave: called at the first signal, to withdraw readiness.

    Attributes:
        signal: the first signal that came; None before.
        force_exit: whether a second one came.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        delay_s: float = 0.0,
        on_ready: Callable[[], None] = lambda: None,
        on_second: Callable[[], None] = lambda: None,
        on_leave: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                loop="asyncio",
                http=Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                workers=1,
                proxy_headers=False,
                server_header=False,
                forwarded_allow_ips=[],
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                h11_max_incomplete_event_size=HEADER_BYTES,
            )
        )
        without_words(logging.getLogger("uvicorn.error"))
        self.signal: signal.Signals | None = None
        self._delay_s, self._on_ready, self._on_leave = delay_s, on_ready, on_leave
        self._on_second = on_second
        self._doors: list[socket.socket] = []
        self._coming: set[asyncio.Task[Any]] = set()
        self._most, self._is_full = _most_connections(), False

    def end(self, told: signal.Signals) -> None:
        """Begin the end, as on a signal; break it off if it has begun."""
        if self.force_exit:
            return
        if self.signal is not None:
            _log.warning("a second signal: requests in work are broken off")
            self.force_exit = self.should_exit = True
            for connection in self._connections():
                connection.transport.abort()
            return
        self.signal = told
        self._on_leave()
        self.config.encoded_headers.append(CLOSE)
        self.server_state.default_headers = [*self.server_state.default_headers, CLOSE]
        for connection in self._connections():
            connection.close_after_reply()
        delay_s = 0.0 if told is signal.SIGINT else self._delay_s
        asyncio.get_running_loop().call_later(delay_s, setattr, self, "should_exit", True)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen.

        asyncio's own server tries 2048 times in a row, and complains as often, where no more files
        can be opened; here connections wait at the door until others have ended.
        """
        asyncio.get_running_loop().set_exception_handler(tell)
        self.servers = []
        self._doors = list(sockets or ())
        for door in self._doors:
            door.setblocking(False)
            door.listen(BACKLOG)
        self._open()
        self.started = True
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to close the sockets; look at the connections now and then."""
        if counter % TICKS == 0:
            self._check()
        if self._is_full and len(self.server_state.connections) < self._most:
            self._open()
        return await super().on_tick(counter)

    def _open(self) -> None:
        """Take connections from now on."""
        self._is_full = False
        for door in self._doors:
            asyncio.get_running_loop().add_reader(door, self._accept, door)

    def _close(self) -> None:
        """Leave connections waiting from now on."""
        for door in self._doors:
            asyncio.get_running_loop().remove_reader(door)

    def _accept(self, door: socket.socket) -> None:
        """Take the connections that wait, as far as there is room."""
        while len(self.server_state.connections) + len(self._coming) < self._most:
            try:
                client, _ = door.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError:  # no more files, for whatever else has them open
                break
            self._take(client)
        self._is_full = True
        self._close()

    def _take(self, client: socket.socket) -> None:
        """Serve a client."""
        loop = asyncio.get_running_loop()
        client.setblocking(False)
        task = loop.create_task(loop.connect_accepted_socket(self._connection, client))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the sockets, and answer what was accepted."""
        watch = asyncio.create_task(self._watch())
        try:
            await self._take_last()
            await super().shutdown(sockets)
        finally:
            watch.cancel()

    async def _take_last(self) -> None:
        """Accept those who are at the doors, close these, and wait for what new clients ask."""
        loop = asyncio.get_running_loop()
        self._close()
        for door in self._doors:
            with suppress(OSError):  # nobody is there any more, or there is no more room
                while True:
                    self._take(door.accept()[0])
            with suppress(OSError):
                door.shutdown(socket.SHUT_RD)
        await asyncio.gather(*self._coming, return_exceptions=True)
        until = loop.time() + FIRST_REQUEST_S
        await asyncio.sleep(LOOK_S)
        while loop.time() < until and any(each.is_new for each in self._connections()):
            await asyncio.sleep(LOOK_S)

    async def _watch(self) -> None:
        """Look at the connections as often as `on_tick` did."""
        while True:
            await asyncio.sleep(TICKS / 10)
            self._check()

    def _check(self) -> None:
        self._on_second()
        for connection in self._connections():
            connection.check()

    def _connections(self) -> list[Connection]:
        return list(cast("set[Connection]", self.server_state.connections))

    def _connection(self) -> Connection:
        """Return the protocol of one more connection."""
        return Connection(self.config, self.server_state, self.lifespan.state)

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Let signals begin the end while the block runs."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.end, number)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _most_connections() -> int:
    """Return how many connections may be open at once."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if files == resource.RLIM_INFINITY else max(1, files - SPARE_FILES)
