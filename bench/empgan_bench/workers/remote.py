"""A server that speaks OpenAI's dialect, asked over HTTP as the engines are in process.

It searches as it likes: a request says how long a reply may be, and a temperature of 0.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import msgspec
import psutil

from empgan_rt.config import SearchConfig
from empgan_rt.errors import DeadlineError, DependencyError, EmpganError, QueueFullError
from empgan_rt.graph_spec import EOS

from .client import Worker
from .http import Client
from .load_generator import Answered, OpenLoop, event_loop
from .messages import Opened, Served
from .requests import Arrival, Piece

_REFUSED, _LATE = (429, 503), (408, 504)
_SHOWN = 200  # characters of an answer that is none


class _Text(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Text | None = None
    delta: _Text | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    completion_tokens: int


class _Part(msgspec.Struct):
    """A whole answer, or one event of a stream."""

    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: object = None


class _Model(msgspec.Struct):
    id: str


class _Models(msgspec.Struct):
    data: list[_Model]


class _Generator(OpenLoop):
    """Asks a server for chat completions; see `RemoteServer`."""

    def __init__(
        self, server: RemoteServer, client: Client, dialogues: Sequence[Sequence[str]]
    ) -> None:
        self._server, self._client = server, client
        self._bodies = [server.body(turns) for turns in dialogues]

    async def answer(
        self,
        item: int,
        search: SearchConfig,
        left_s: float | None,
        pieces: list[Piece],
        now_ms: Callable[[], float],
    ) -> Answered:
        """See `OpenLoop.answer`."""
        body = msgspec.json.encode(self._bodies[item] | _lengths(search))
        text, reason, tokens = "", None, None
        try:
            async with (
                asyncio.timeout(left_s),
                self._client.request("POST", "/chat/completions", body) as (status, parts),
            ):
                if status != 200:
                    raise _refusal(status, b"".join([part async for part in parts]))
                async for part in _events(parts, self._server.streams):
                    if part.error is not None:
                        raise EmpganError("the server reported an error in mid-stream")
                    tokens = part.usage.completion_tokens if part.usage else tokens
                    for choice in part.choices[:1]:
                        said = choice.delta or choice.message or _Text()
                        reason = choice.finish_reason or reason
                        if said.content:
                            text += said.content
                            pieces.append(Piece(now_ms(), 1))
        except TimeoutError:
            raise DeadlineError("no whole answer in time") from None
        if reason is None:
            raise EmpganError("the answer broke off: it has no finish_reason")
        tokens = max(tokens or 0, len(pieces))
        if pieces:  # a server does not tell how many tokens each piece stands for
            pieces[-1] = Piece(pieces[-1].at_ms, 1 + tokens - len(pieces))
        ids = self._server.ids_of(text)
        return Answered(tokens, [*ids, EOS] if reason == "stop" else ids)


class RemoteServer(Worker):
    """A worker that is somebody else's process, at the other end of HTTP.

    Args:
        url: of the server, with or without "/v1" at its end.
        ids_of: the token ids of a reply's text, to be held against those of engines.
        model: which of its models is asked; None for the first that it lists.
        streams: whether replies come as server-sent events.
        key: its API key; None for none.

    Attributes:
        streams: as given.

    Raises:
        InputError: the URL is not one of HTTP.
        DependencyError: no such server answers.
    """

    def __init__(
        self,
        url: str,
        ids_of: Callable[[str], list[int]],
        model: str | None = None,
        *,
        streams: bool = True,
        key: str | None = None,
    ) -> None:
        self.name, self.ids_of, self.streams = url.rstrip("/"), ids_of, streams
        base = self.name if self.name.endswith("/v1") else f"{self.name}/v1"
        self._client = Client(base, key)
        self._runner = asyncio.Runner(loop_factory=event_loop)
        start = time.perf_counter()
        try:
            self._model = model or self._runner.run(self._first_model())
        except BaseException:
            self.close()
            raise
        load_ms = (time.perf_counter() - start) * 1e3
        self.opened = Opened(load_ms, {"model": self._model}, "unknown", "unknown")
        self._processes = _listening(self._client.host, self._client.port)

    def body(self, turns: Sequence[str]) -> dict[str, object]:
        """Return what is asked for a dialogue, but for the length of the reply."""
        roles = ("user", "assistant")  # the last turn is the user's
        messages = [
            {"role": roles[(len(turns) - 1 - place) % 2], "content": text}
            for place, text in enumerate(turns)
        ]
        asked: dict[str, object] = {"model": self._model, "messages": messages, "temperature": 0}
        if self.streams:
            asked |= {"stream": True, "stream_options": {"include_usage": True}}
        return asked

    def host(self, dialogues: list[list[str]], max_batch: int, max_queue: int) -> None:
        """Get ready to ask for these dialogues; the server has limits of its own."""
        self._generator = _Generator(self, self._client, dialogues)

    def serve(
        self, arrivals: list[Arrival], search: SearchConfig, deadline_s: float | None
    ) -> Served:
        """See `Worker.serve`; only the length of `search` is told to the server."""
        return self._generator.run(arrivals, search, deadline_s, self._runner)

    def cpu_s(self) -> float:
        """Return the CPU seconds of the processes that serve; 0 if they are not to be seen."""
        return sum(float(times.user + times.system) for times in self._each("cpu_times"))

    def rss_mib(self) -> float:
        """Return the memory of those processes together."""
        return sum(float(info.rss) for info in self._each("memory_info")) / 2**20

    def close(self) -> None:
        """Close the connections; the server stays."""
        self._runner.run(self._closed())
        self._runner.close()

    async def _closed(self) -> None:
        self._client.close()
        await asyncio.sleep(0)

    def _each(self, name: str) -> Iterator[Any]:
        for process in self._processes:
            with suppress(psutil.Error):
                yield getattr(process, name)()

    async def _first_model(self) -> str:
        try:
            async with self._client.request("GET", "/models") as (status, parts):
                found = b"".join([part async for part in parts])
            if status == 200:
                return msgspec.json.decode(found, type=_Models).data[0].id
            reason = str(_refusal(status, found))
        except (EmpganError, msgspec.DecodeError, IndexError) as error:
            reason = str(error)
        raise DependencyError(
            f"{self.name} is no server of OpenAI's dialect: {reason}",
            hint="start it first (empgan-rt serve), or name its --model and --api-key-file",
        )


async def _events(parts: AsyncIterator[bytes], streams: bool) -> AsyncIterator[_Part]:
    """Yield the parts of an answer as they come: events of a stream, or the whole at its end.

    Raises:
        EmpganError: one is no JSON of a completion.
    """
    try:
        if not streams:
            yield msgspec.json.decode(b"".join([part async for part in parts]), type=_Part)
            return
        buffer = b""
        async for part in parts:
            *lines, buffer = (buffer + part).split(b"\n")
            for line in lines:
                name, _, data = line.partition(b":")
                if name == b"data" and data.strip() != b"[DONE]":
                    yield msgspec.json.decode(data, type=_Part)
    except msgspec.DecodeError as error:
        raise EmpganError(f"the answer is no chat completion: {error}") from None


def _lengths(search: SearchConfig) -> dict[str, object]:
    """Return how long a reply may be; of one length by vLLM's names, which llama.cpp knows too."""
    if search.min_length < search.max_length:
        return {"max_tokens": search.max_length}
    length = search.max_length
    return {"max_tokens": length, "min_tokens": length, "ignore_eos": True}


def _refusal(status: int, body: bytes) -> EmpganError:
    """Return what an answer other than 200 means; its text is shortened."""
    told = f"status {status}: {body[:_SHOWN].decode('utf-8', 'replace')}"
    if status in _REFUSED:
        return QueueFullError(told)
    return DeadlineError(told) if status in _LATE else EmpganError(told)


def _listening(host: str, port: int) -> list[psutil.Process]:
    """Return the processes of this machine that accept connections there, if they can be seen."""
    with suppress(ValueError):
        if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
            return []
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            sockets = process.net_connections("tcp")
            if any(s.status == psutil.CONN_LISTEN and s.laddr.port == port for s in sockets):
                found.append(process)
    return found
