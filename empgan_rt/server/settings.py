"""What can be set about the application, checked when it is made."""

from __future__ import annotations

import math

import msgspec

from ..errors import InputError

_MIB = 1 << 20


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of the application; its `repr` keeps the keys to itself.

    Attributes:
        aliases: other names of models, such as {"gpt-4o": "default"}.
        api_keys: one of them must come as `Authorization: Bearer KEY`; none lets everybody in.
        max_body_bytes: a longer body is refused.
        body_timeout_s: seconds that a whole body may take to arrive.
        request_timeout_s: most seconds from a request's head to its answer; a client may ask for
            fewer by `x-request-timeout`. None for no limit.
        with_sessions: whether dialogues are remembered, at /v1/sessions/{key}; several processes
            on one port must not, for each would remember its own part of one.
        limit_sessions: most dialogues that are remembered, of each model, or of all together where
            they have a store that is shared.
        session_ttl_s: seconds from the end of a reply until its dialogue is forgotten; may be
            infinite.
        cors_origins: origins whose pages may call, such as "https://example.org"; "*" for all.

    Raises:
        InputError: one of them is out of range.
    """

    aliases: dict[str, str] = {}
    api_keys: tuple[str, ...] = ()
    max_body_bytes: int = _MIB
    body_timeout_s: float = 10.0
    request_timeout_s: float | None = None
    with_sessions: bool = True
    limit_sessions: int = 1000
    session_ttl_s: float = 3600.0
    cors_origins: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for place, key in enumerate(self.api_keys):
            if not key.isascii() or not key.isprintable() or not key.strip() or key != key.strip():
                raise InputError(
                    f"api_keys[{place}] is blank, or holds what no header can",
                    hint="give visible ASCII characters without spaces around them",
                )
        if self.max_body_bytes < 1:
            raise InputError(f"max_body_bytes is {self.max_body_bytes}", hint="give 1 or more")
        if self.limit_sessions < 1:
            raise InputError(f"limit_sessions is {self.limit_sessions}", hint="give 1 or more")
        for name in ("body_timeout_s", "request_timeout_s"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise InputError(f"{name} is {seconds}", hint="give seconds above 0")
        if not self.session_ttl_s > 0:
            raise InputError(
                f"session_ttl_s is {self.session_ttl_s}", hint="give seconds above 0, or infinity"
            )

    def __repr__(self) -> str:
        shown = (
            f"{name}={getattr(self, name)!r}"
            for name in self.__struct_fields__
            if name != "api_keys"
        )
        return f"ServerSettings(api_keys=({len(self.api_keys)} keys), {', '.join(shown)})"
