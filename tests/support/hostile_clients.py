"""Connections that no browser makes: each kind sends something, and waits until it is closed."""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import suppress

POST = b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
Kind = Callable[[random.Random], bytes]


def _noise(dice: random.Random, most: int) -> bytes:
    return dice.randbytes(dice.randrange(1, most))


def _whole() -> bytes:
    body = b'{"messages": [{"role": "user", "content": "I lost my keys today."}]}'
    return POST + b"content-length: %d\r\n\r\n" % len(body) + body


def _cut(dice: random.Random) -> bytes:
    whole = _whole()
    return whole[: dice.randrange(len(whole))]


def _spoilt(dice: random.Random) -> bytes:
    whole = bytearray(_whole())
    for _ in range(dice.randrange(1, 9)):
        whole[dice.randrange(len(whole))] = dice.randrange(256)
    return bytes(whole)


def _nested(dice: random.Random) -> bytes:
    depth = dice.choice((10, 1000, 100_000))
    body = b'{"messages": ' + b"[" * depth + b"]" * depth + b"}"
    return POST + b"content-length: %d\r\n\r\n" % len(body) + body


def _length(dice: random.Random) -> bytes:
    lengths = (b"-1", b"1e3", b"+5", b"0x10", b"9" * 4000, b"18446744073709551616", b"", b"5, 6")
    return POST + b"content-length: " + dice.choice(lengths) + b"\r\n\r\nhello"


def _chunks(dice: random.Random) -> bytes:
    pieces = (b"5\r\nhello\r\n", b"fffffffffffffffff\r\n", b"5;" + b"x" * 999 + b"\r\nhello\r\n")
    pieces += (b"zz\r\n", b"-1\r\n", b"3\r\nhello\r\n", b"0\r\nx: y\r\n\r\n")
    sent = b"".join(dice.choice(pieces) for _ in range(dice.randrange(1, 9)))
    return POST + b"transfer-encoding: chunked\r\n\r\n" + sent


def _smuggled(dice: random.Random) -> bytes:
    both = (b"content-length: 4\r\n", b"transfer-encoding: chunked\r\n", b"content-length: 40\r\n")
    chosen = b"".join(dice.sample(both, dice.randrange(2, 4)))
    return POST + chosen + b"\r\n0\r\n\r\nGET /health HTTP/1.1\r\nhost: a\r\n\r\n"


def _headers(dice: random.Random) -> bytes:
    line = b"x-%d: " % dice.randrange(9) + b"a" * dice.choice((10, 1000, 100_000)) + b"\r\n"
    return b"GET / HTTP/1.1\r\n" + line * dice.choice((1, 100, 1000))


def _big(dice: random.Random) -> bytes:
    size = dice.choice((1 << 20, 2 << 20, 1 << 30))
    return POST + b"content-length: %d\r\n\r\n" % size + b" " * min(size, 3 << 20)


def _strange(dice: random.Random) -> bytes:
    lines = (b"GET /\xff\xfe HTTP/1.1", b"GET /%ff%00 HTTP/1.1", b"OPTIONS * HTTP/1.1")
    lines += (b"CONNECT a:1 HTTP/1.1", b"GET / HTTP/2.0", b"PRI * HTTP/2.0", b"GET / HTTP/1.0")
    lines += (b"DELETE /v1/chat/completions HTTP/1.1",)  # a path that is there
    lines += (b"BREW /pot HTTP/1.1", b"GET http://a/health HTTP/1.1", b"get /health http/1.1")
    more = (b"", b"connection: upgrade\r\nupgrade: websocket\r\n", b"expect: 100-continue\r\n")
    return dice.choice(lines) + b"\r\nhost: a\r\n" + dice.choice(more) + b"\r\n"


KINDS: dict[str, Kind] = {
    "nothing": lambda dice: b"",
    "noise": lambda dice: _noise(dice, 9000),
    "TLS": lambda dice: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + _noise(dice, 600),
    "cut": _cut,
    "spoilt": _spoilt,
    "nested": _nested,
    "length": _length,
    "chunks": _chunks,
    "smuggled": _smuggled,
    "headers": _headers,
    "big": _big,
    "strange": _strange,
    "many": lambda dice: b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n" * dice.randrange(2, 200),
    "not utf-8": lambda dice: POST + b'content-length: 17\r\n\r\n{"messages": "\xff"}',
    "waits": lambda dice: POST + b"expect: 100-continue\r\ncontent-length: 99\r\n\r\n",
}
# What becomes of the connection after that.
MANNERS = ("waits", "trickles", "closes", "half closes", "resets", "reads nothing")


async def attack(port: int, kind: str, manner: str, seed: int, patience_s: float) -> bytes:
    """Return what a connection of a kind got, until one side closed it.

    A client that has an answer closes after a while without news, since the connection is kept.

    Raises:
        TimeoutError: there was neither an answer nor an end for `patience_s` seconds.
    """
    dice = random.Random(seed)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(KINDS[kind](dice))
        if manner == "closes":
            return b""
        if manner == "resets":
            made: socket.socket = writer.get_extra_info("socket")
            made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
            return b""
        if manner == "half closes":
            writer.write_eof()
        if manner == "reads nothing":
            await asyncio.sleep(dice.random() * 3)
        return await _read(reader, writer, manner == "trickles", patience_s)
    except OSError:  # the server was faster
        return b""
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _read(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trickles: bool, patience_s: float
) -> bytes:
    got, waited_s = b"", 0.0
    while waited_s < patience_s:
        try:
            async with asyncio.timeout(1.0):
                piece = await reader.read(1 << 16)
        except TimeoutError:
            waited_s += 1.0
        else:
            if not piece:
                return got
            got, waited_s = got + piece, 0.0
        if trickles:
            writer.write(b"x")
    if b"\r\n\r\n" in got:
        return got
    raise TimeoutError
