"""The address that is listened on: who may reach it, and whether it is free."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket

from ..errors import InputError

MAX_PORT = 65535
_IN_USE = "give another --port; 0 takes a free one"
_REASONS = {
    errno.EADDRINUSE: ("is in use", _IN_USE),
    errno.EACCES: ("is not for this user", "give a --port from 1024, or the right to lower ones"),
    errno.EADDRNOTAVAIL: ("is not on this machine", "give a --host that is, such as 127.0.0.1"),
}


def check_public(host: str, *, has_keys: bool, no_auth: bool) -> None:
    """Do nothing if an address may be listened on.

    Args:
        host: name or number.
        has_keys: whether callers need a key.
        no_auth: whether the operator said that they need none.

    Raises:
        InputError: others than this machine may reach it, and neither was decided.
    """
    if not (has_keys or no_auth or is_local(host)):
        raise InputError(
            f"{host} can be reached from elsewhere, and no key is asked for",
            hint="give --api-key-file, or --no-auth if something else keeps strangers out",
        )


def is_local(host: str) -> bool:
    """Return whether only this machine reaches an address.

    Raises:
        InputError: there is no such address.
    """
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in _addresses(host, 0))


def bound(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that has an address and does not listen yet.

    Args:
        host: name or number; of several addresses the first.
        port: 0 for a free one.
        shared: whether other processes of this user may listen there too; the system spreads
            connections over those that do.

    Raises:
        InputError: the address cannot be had.
    """
    family, kind, protocol, _, address = _addresses(host, port)[0]
    made = socket.socket(family, kind, protocol)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind(address)
        made.setblocking(False)
    except OSError as error:
        made.close()
        why, hint = _REASONS.get(
            error.errno or 0,
            (os.strerror(error.errno or 0).lower(), "give another --host or --port"),
        )
        raise InputError(f"port {port} of {host} {why}", hint=hint) from None
    return made


def check_free(host: str, port: int) -> None:
    """Do nothing if nobody listens on a port, not even those who would share it.

    Raises:
        InputError: it cannot be had.
    """
    with bound(host, port) as tried:
        try:
            tried.listen(1)
        except OSError:
            raise InputError(f"port {port} of {host} is in use", hint=_IN_USE) from None


def url_of(listening: socket.socket) -> str:
    """Return where a socket is reached."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _addresses(host: str, port: int) -> list[tuple[int, int, int, str, tuple[str, int]]]:
    """Return what a name stands for, as `socket.getaddrinfo`.

    Raises:
        InputError: for nothing.
    """
    if not 0 <= port <= MAX_PORT:
        raise InputError(f"port is {port}", hint=f"give 0 to {MAX_PORT}")
    try:
        return socket.getaddrinfo(  # type: ignore[return-value]
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise InputError(
            f"no address is called {host[:60]!r}", hint="give one such as 127.0.0.1"
        ) from None
