"""A server that needs no key is called by no name of a stranger's.

Any web page can have a name of its own lead to 127.0.0.1 (DNS rebinding); the browser then takes
this server for a part of that page, which reads what it answers. Such a name has a dot, and names
of this machine have none.
"""

from __future__ import annotations

import ipaddress
import re
from contextlib import suppress

from starlette.types import ASGIApp, Receive, Scope, Send

from .operation import Answer
from .refusal import RefusedError
from .resource import send_whole

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^\[\]:]*)(?::[0-9]*)?")


class LocalNames:
    """Refuses requests to names that are not this machine's.

    Args:
        inner: answers all others.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if all(is_of_this_machine(host.decode("latin-1")) for host in hosts):
            await self._inner(scope, receive, send)
            return
        refusal = RefusedError(
            403,
            "unknown_host",
            "this server is for its own machine and is not called so; who runs it can change that "
            "by --api-key-file or --no-auth",
        )
        await send_whole(Answer(refusal.body(), refusal.status), send)


def is_of_this_machine(host: str) -> bool:
    """Return whether a `Host` header, with or without a port, is a number or has no dot."""
    parts = _HOST.fullmatch(host.strip().lower())
    if parts is None:
        return False
    name = parts[1].strip("[]").removesuffix(".")
    with suppress(ValueError):
        ipaddress.ip_address(name)
        return True
    return "." not in name or name.endswith(".localhost")
