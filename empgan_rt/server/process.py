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
import signal
import socket
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, cast

import uvicorn

from .connection import HEADER_BYTES, KEEP_ALIVE_S, Connection
from .wordless import tell, without_words

if TYPE_CHECKING:
    from starlette.types import ASGIApp

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

    servers: list[asyncio.Server]

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
        """Listen."""
        asyncio.get_running_loop().set_exception_handler(tell)
        await super().startup(sockets)
        self._on_ready()

    async def on_tick(self, counter: int) -> bool:
        """Return whether it is time to close the sockets; look at the connections now and then."""
        if counter % TICKS == 0:
            self._check()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the sockets, and answer what was accepted."""
        watch = asyncio.create_task(self._watch())
        try:
            await self._take_last(sockets or ())
            await super().shutdown(sockets)
        finally:
            watch.cancel()

    async def _take_last(self, sockets: Sequence[socket.socket]) -> None:
        """Accept those who are at the doors, close these, and wait for what new clients ask."""
        loop = asyncio.get_running_loop()
        for each in sockets:
            loop.remove_reader(each)
            with suppress(OSError):  # nobody is there any more, or the client has gone
                while True:
                    client, _ = each.accept()
                    client.setblocking(False)
                    await loop.connect_accepted_socket(self._connection, client)
            with suppress(OSError):
                # asyncio's own close would lose those whom it has accepted in this very turn.
                each.shutdown(socket.SHUT_RD)
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
