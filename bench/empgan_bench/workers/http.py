"""HTTP/1.1 requests over connections that are kept: h11 reads and writes what asyncio carries."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import h11

from empgan_rt.errors import EmpganError, InputError

_READ_BYTES = 1 << 16
_PORTS = {"http": 80, "https": 443}


class Client:
    """Asks one server; requests of one moment have connections of their own.

    Args:
        url: of the server, up to the path that all requests begin with.
        key: sent as a bearer token; None for none.

    Raises:
        InputError: the URL is not one of HTTP.
    """

    def __init__(self, url: str, key: str | None = None) -> None:
        try:
            parts = urlsplit(url)
            self.host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, self.host, port = urlsplit(""), "", None
        if parts.scheme not in _PORTS or not self.host or parts.query:
            raise InputError(f"--url {url[:80]!r}", hint="give http://HOST:PORT of a server")
        self.port = port or _PORTS[parts.scheme]
        self._tls = parts.scheme == "https"
        self._path = parts.path.rstrip("/")
        self._headers = [("Host", parts.netloc.rpartition("@")[2]), ("Accept", "*/*")]
        if key is not None:
            self._headers.append(("Authorization", f"Bearer {key}"))
        self._idle: list[_Connection] = []

    @asynccontextmanager
    async def request(
        self, method: str, path: str, body: bytes = b""
    ) -> AsyncIterator[tuple[int, AsyncIterator[bytes]]]:
        """Yield the status of an answer, and its body as it comes.

        Raises:
            EmpganError: the connection was not made, broke, or carried no HTTP.
        """
        head = h11.Request(
            method=method,
            target=self._path + path,
            headers=[
                *self._headers,
                ("Content-Type", "application/json"),
                ("Content-Length", str(len(body))),
            ],
        )
        connection = None
        try:
            connection = await self._connection()
            await connection.send(head, h11.Data(data=body), h11.EndOfMessage())
            yield await connection.status(), connection.body()
            if connection.is_ready_again():
                self._idle.append(connection)
                connection = None
        except (OSError, h11.ProtocolError) as error:
            raise EmpganError(f"{self.host}:{self.port}: {error or type(error).__name__}") from None
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close the connections that nobody uses."""
        while self._idle:
            self._idle.pop().close()

    async def _connection(self) -> _Connection:
        """Return a connection that is still open, a new one if there is none."""
        while self._idle:
            kept = self._idle.pop()
            if not kept.reader.at_eof():
                return kept
            kept.close()
        streams = await asyncio.open_connection(self.host, self.port, ssl=self._tls or None)
        return _Connection(*streams)


class _Connection:
    """One connection, and where its conversation stands."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self._writer = reader, writer
        self._state = h11.Connection(h11.CLIENT)

    async def send(self, *events: h11.Event) -> None:
        self._writer.write(b"".join(self._state.send(event) or b"" for event in events))
        await self._writer.drain()

    async def status(self) -> int:
        """Return the status of the answer to what was sent."""
        while not isinstance(event := await self._next(), h11.Response):
            pass  # an informational one
        return event.status_code

    async def body(self) -> AsyncIterator[bytes]:
        """Yield the parts of the answer's body as they come."""
        while not isinstance(event := await self._next(), h11.EndOfMessage):
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def is_ready_again(self) -> bool:
        """Return whether another request may follow, and make the connection ready for it."""
        if (self._state.our_state, self._state.their_state) != (h11.DONE, h11.DONE):
            return False
        self._state.start_next_cycle()
        return True

    def close(self) -> None:
        self._writer.close()

    async def _next(self) -> h11.Event:
        while (event := self._state.next_event()) is h11.NEED_DATA:
            self._state.receive_data(await self.reader.read(_READ_BYTES))
        if not isinstance(event, h11.Event) or isinstance(event, h11.ConnectionClosed):
            raise ConnectionResetError("it was closed before the answer was whole")
        return event
