"""One connection: what uvicorn's h11 protocol leaves open to slow and hostile clients is closed.

Uvicorn gives a connection no time limit until its first request is complete, none while a client
does not read, and none while it sends a body that nobody waits for. Here a watch over all
connections (`process`) calls `check` about once a second, so that no connection needs a timer of
its own. This stands on internals of uvicorn, which tests/runtime/server_process holds in place.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Any

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

HEADER_BYTES = 64 << 10  # of one request's line and headers, together
HEADER_S = 10.0  # from the first byte of a request to the end of its headers
KEEP_ALIVE_S = 75
READER_S = 30.0  # until a client that reads nothing of its reply is let go
PIECE = 8 << 10  # bytes of headers that are read at a time
LINGER_S = 2.0  # for a client to read a refusal while it still sends


class Connection(H11Protocol):
    """Serves one client, for as long as it keeps to the limits above."""

    transport: Any
    _due: float | None = None  # when what the client has begun must be complete
    _unread: int = 0
    _unread_since: float = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to count the time."""
        super().connection_made(transport)
        self.transport = Lingering(transport, self.conn, self.loop)
        self._due = self.loop.time() + HEADER_S

    def data_received(self, data: bytes) -> None:
        """Take what the client sends, unless a last reply is out and makes it of no interest."""
        # h11 measures what has come and is incomplete, so a header that comes whole in one read
        # would pass at any length.
        size = PIECE if self.conn.their_state is h11.IDLE else len(data)
        for at in range(0, len(data), size):
            if self.transport.is_closing():
                return
            super().data_received(data[at : at + size])
        self._count()

    @property
    def is_new(self) -> bool:
        """Whether no request has come yet."""
        return self.cycle is None

    def check(self) -> None:
        """Let go of the client if its time is over."""
        now = self.loop.time()
        if self._due is not None and now >= self._due:
            self.transport.abort()
        unread = self.transport.get_write_buffer_size()
        if unread == 0 or unread != self._unread:
            self._unread, self._unread_since = unread, now
        elif now - self._unread_since >= READER_S:
            self._reset()

    def close_after_reply(self) -> None:
        """Tell the client, if its reply has not begun, that this connection ends with it."""
        if self.cycle is not None and not self.cycle.response_started:
            self.cycle.default_headers = self.server_state.default_headers

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; h11 knows whether it was too long for that."""
        status = _status(sys.exception())  # uvicorn calls this where it has caught it
        body = _error_body(status)
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # what the application answers now reaches nobody
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            for event in (
                h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event))
        self.transport.close()

    def _reset(self) -> None:
        """Close at once, and have the system forget what the client did not read."""
        no_linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, no_linger
        )
        self.transport.abort()

    def _count(self) -> None:
        """Set the time limit for what is begun and not complete, or lift it."""
        is_begun = self.conn.their_state is h11.IDLE or (
            self.conn.their_state is h11.SEND_BODY
            and self.cycle is not None
            and self.cycle.response_complete
        )
        if not is_begun:
            self._due = None
        elif self._due is None:
            self._due = self.loop.time() + HEADER_S


class Lingering:
    """A transport that, closed while the client still sends, first lets it read the reply.

    A socket that is closed with unread bytes resets the connection, and a client that sends its
    whole body before it reads would never see why it was refused (RFC 9112, 9.6).
    """

    def __init__(
        self, transport: asyncio.Transport, conn: h11.Connection, loop: asyncio.AbstractEventLoop
    ) -> None:
        # Not the protocol, which refers to this: what is in no circle is freed at once.
        self._transport, self._conn, self._loop = transport, conn, loop
        self.lingers = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def is_closing(self) -> bool:
        """Return whether no reply can follow any more."""
        return self.lingers or self._transport.is_closing()

    def close(self) -> None:
        """Send what is written and close, at once unless the client still sends."""
        is_sending = self._conn.their_state in (h11.SEND_BODY, h11.ERROR)
        if self.is_closing() or not is_sending or not self._transport.can_write_eof():
            self._transport.close()
            return
        self.lingers = True
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER_S, self._transport.close)


def _status(error: BaseException | None) -> int:
    """Return the status of an error of h11's; no frame on its way keeps the error."""
    return error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 400


def _error_body(status: int) -> bytes:
    """Return what a refusal says, in the form of all our errors."""
    is_long = status == 431
    return msgspec.json.encode(
        {
            "error": {
                "message": f"the headers are longer than {HEADER_BYTES} bytes"
                if is_long
                else "this is no HTTP/1.1 request",
                "type": "invalid_request_error",
                "param": None,
                "code": "headers_too_long" if is_long else "bad_request",
            }
        }
    )
