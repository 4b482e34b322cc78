"""Clients that keep their connections: many of them ask a server at once, in one event loop."""

from __future__ import annotations

import asyncio

GONE = (ConnectionError, asyncio.IncompleteReadError)  # what `ask` raises of a server that ends


class KeptConnection:
    """One connection to a port of 127.0.0.1, opened when it is needed, for one request at a time.

    Args:
        port: of the server.
        patience_s: most seconds without news of an answer.
    """

    def __init__(self, port: int, patience_s: float = 60.0) -> None:
        self._port, self._patience_s = port, patience_s
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, sent: bytes) -> tuple[int, bytes]:
        """Return status and body of what is answered to a whole request.

        Raises:
            ConnectionError, asyncio.IncompleteReadError: the server ended the connection before.
            TimeoutError: it hangs.
        """
        reader, writer = await self._opened()
        writer.write(sent)
        async with asyncio.timeout(self._patience_s):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = head.partition(b"\r\ncontent-length: ")[2].partition(b"\r\n")[0]
            body = await reader.readexactly(int(length)) if length else await _chunks(reader)
        if b"\r\nconnection: close" in head:
            self.close()
        return int(head[9:12]), body

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _opened(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        return self._streams


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a body that comes in chunks."""
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)
    return body
