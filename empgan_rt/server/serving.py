"""What `empgan-rt serve` can be told, by options and by a TOML file of the same names."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from ..errors import InputError
from ..guard.word_list import DEFAULT
from ..inference.async_responder import MAX_QUEUE
from .settings import ServerSettings

MAX_WORKERS = 256
MAX_FILE_BYTES = 1 << 20
_OF_SESSIONS = (None, 1000, 3600.0)  # what is set of sessions where nothing is


class Serving(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of a server.

    Attributes:
        bundles: folders, or names of embedded models; the first answers who names none.
        host, port: where to listen; port 0 takes a free one.
        aliases: other names of the models.
        precision, backend, device: as `AsyncResponder.load`, for all of them.
        workers: how many processes.
        max_queue: most requests that wait, for each model and in each process.
        guard: whether the guard by words watches.
        guard_words, locale: as `WordGuard`.
        api_key_file: a file of keys, one a line; None for none.
        no_auth: whether strangers may call without one.
        request_timeout_s, cors_origins, limit_sessions, session_ttl_s: as `ServerSettings`.
        sessions: the file in which dialogues are remembered; None for memory.
        shutdown_delay_s: seconds after SIGTERM in which requests are still taken, while /ready
            says that they should go elsewhere.

    Raises:
        InputError: one of them is out of range.
    """

    bundles: tuple[str, ...] = ("default",)
    host: str = "127.0.0.1"
    port: int = 8000
    aliases: dict[str, str] = {}
    precision: str = "fp32"
    backend: str = "onnxruntime"
    device: str = "cpu"
    workers: int = 1
    max_queue: int = MAX_QUEUE
    guard: bool = True
    guard_words: str | None = None
    locale: str = DEFAULT
    api_key_file: str | None = None
    no_auth: bool = False
    request_timeout_s: float | None = None
    cors_origins: tuple[str, ...] = ()
    sessions: str | None = _OF_SESSIONS[0]
    limit_sessions: int = _OF_SESSIONS[1]
    session_ttl_s: float = _OF_SESSIONS[2]
    shutdown_delay_s: float = 2.0

    def __post_init__(self) -> None:
        if not 1 <= self.workers <= MAX_WORKERS:
            raise InputError(f"workers is {self.workers}", hint=f"give 1 to {MAX_WORKERS}")
        if self.max_queue < 0:
            raise InputError(f"max_queue is {self.max_queue}", hint="give 0 or more")
        if not 0 <= self.shutdown_delay_s < math.inf:
            raise InputError(
                f"shutdown_delay_s is {self.shutdown_delay_s}", hint="give seconds from 0"
            )
        if not self.guard and (self.guard_words is not None or self.locale != DEFAULT):
            raise InputError("guard_words or locale without a guard", hint="leave either side out")
        of_sessions = (self.sessions, self.limit_sessions, self.session_ttl_s)
        if self.workers > 1 and of_sessions != _OF_SESSIONS:
            raise InputError(
                f"sessions with {self.workers} workers",
                hint="give one worker, or leave dialogues to the clients",
            )
        if self.api_key_file is not None and self.no_auth:
            raise InputError("api_key_file with no_auth", hint="leave either out")
        if not self.bundles:
            raise InputError("a server without models", hint="give at least one bundle")
        if len(set(self.names)) < len(self.names):
            raise InputError(
                f"two models of one name among {', '.join(self.names)}",
                hint="rename a folder: models are called as their folders",
            )

    @property
    def names(self) -> list[str]:
        """What the models are called: as their folders, or as they are embedded."""
        return [Path(bundle).absolute().name for bundle in self.bundles]

    def settings(self) -> ServerSettings:
        """Return the settings of the application.

        Raises:
            InputError: one of them is out of range, or the file of keys is not acceptable.
        """
        return ServerSettings(
            aliases=self.aliases,
            api_keys=() if self.api_key_file is None else read_keys(self.api_key_file),
            request_timeout_s=self.request_timeout_s,
            cors_origins=self.cors_origins,
            with_sessions=self.workers == 1,
            limit_sessions=self.limit_sessions,
            session_ttl_s=self.session_ttl_s,
        )


def read_serving(config: str | None, given: Mapping[str, Any]) -> Serving:
    """Return the settings in a TOML file, those given besides in their place.

    Args:
        config: the file; None for none.
        given: settings by name; None leaves one as the file has it.

    Raises:
        InputError: a setting is unknown, of the wrong type or out of range, or the file is not
            TOML or cannot be read.
    """
    tree: dict[str, Any] = {}
    if config is not None:
        try:
            tree = tomllib.loads(_read(config))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{config} is no TOML: {error}", hint="mend that line") from None
    tree |= {name: value for name, value in given.items() if value is not None}
    try:
        return msgspec.convert(tree, Serving)
    except msgspec.ValidationError as error:
        if isinstance(error.__cause__, InputError):
            raise error.__cause__ from None
        known = ", ".join(Serving.__struct_fields__)
        raise InputError(f"a setting of the server: {error}", hint=f"use {known}") from None


def read_keys(path: str) -> tuple[str, ...]:
    """Return the keys in a file, one a line; blank lines and those with "#" in front are none.

    Raises:
        InputError: it cannot be read, or holds no key.
    """
    lines = [line.strip() for line in _read(path).splitlines()]
    keys = tuple(line for line in lines if line and not line.startswith("#"))
    if not keys:
        raise InputError(f"{path} holds no key", hint="write one a line")
    return keys


def _read(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is no UTF-8", hint="write it as UTF-8") from None
