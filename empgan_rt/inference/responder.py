"""The SDK's front door: text in, text out, from one model that any number of threads may use."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence

from ..config import SearchConfig
from ..dialogue import Chunk, Reply, Turns
from ..errors import EmpganError, InputError
from ..sessions.session import Session
from .base import BaseResponder, open_model
from .batch import Batch
from .request import MAX_BATCH, MAX_RUNNING, TURN_CACHE, Request
from .ticket import Ticket


class Responder(BaseResponder):
    """Answers dialogues with one model on one device; safe to share between threads.

    Use `load`; the constructor is for a backend that is already open.

    Args:
        bundle: the model.
        backend: open on that bundle; the responder owns it from now on.
        search: how to search unless a call says otherwise; None for the bundle's defaults.
        max_running: most dialogues in decoding at once, whoever asked.

    Raises:
        BundleError: a text file of the bundle is damaged or of another model.
    """

    @classmethod
    def load(
        cls,
        bundle: str | os.PathLike[str] = "default",
        *,
        backend: str = "onnxruntime",
        device: str = "cpu",
        precision: str = "fp32",
        search: SearchConfig | None = None,
        max_running: int = MAX_RUNNING,
        turn_cache: int = TURN_CACHE,
    ) -> Responder:
        """Return a responder for a bundle's folder, or the embedded "default" or "tiny".

        Args:
            bundle: path or name.
            backend: "onnxruntime", or "tensorrt" (docs/gpu.md), which builds what it has not yet.
            device: "cpu", "cuda", which the backend "tensorrt" needs, or "tensorrt", which is ONNX
                Runtime's own way to it; never exchanged silently.
            precision: one of the bundle's variants.
            search: how to search unless a call says otherwise; None for the bundle's defaults.
            max_running: most dialogues in decoding at once, whoever asked; the others wait.
            turn_cache: turns whose encodings are kept, the last used ones, so that a dialogue that
                goes on costs no more than what is new of it; 0 keeps nothing of what users say.

        Raises:
            BundleError: the bundle is missing, incomplete, altered or too new.
            InputError: unknown backend or device, a precision that the bundle lacks, max_running
                below 1, or turn_cache below 0.
            DependencyError: the engine's package is missing, too old or installed twice.
            ProviderError: the device cannot be used.
            StorageError: what TensorRT has built or timed cannot be kept.
        """
        opened = open_model(bundle, backend, device, precision, turn_cache)
        return cls(*opened, search, max_running)

    def reply(
        self, turns: Turns, search: SearchConfig | None = None, *, deadline_s: float | None = None
    ) -> Reply:
        """Return the next turn of a dialogue.

        Args:
            turns: the turns so far, oldest first, as strings or `Turn`s with a known emotion.
            search: how to search; None for the responder's own.
            deadline_s: seconds from now, waiting for other threads included.

        Raises:
            InputError: a turn, label or setting is not acceptable.
            DeadlineError: the reply was not there in time.
            DivergenceError: the model computed NaN or infinity.
            ProviderError: this process was forked after the model was loaded.
        """
        ticket = self._executor.submit(self._ticket(turns, search, deadline_s))
        self._executor.wait(ticket)
        return self._reply_of(ticket)

    def reply_batch(
        self,
        dialogues: Sequence[Turns],
        search: SearchConfig | Sequence[SearchConfig] | None = None,
        *,
        max_batch: int = MAX_BATCH,
    ) -> list[Reply]:
        """Return the next turn of each dialogue, in their order; the same as one by one.

        Args:
            dialogues: any number; as some end, others take their place in the decoder.
            search: one for all, or one for each.
            max_batch: most of them in decoding at once.

        Raises:
            InputError: as `reply`; the message names the first dialogue that is refused.
            DivergenceError: the model computed NaN or infinity.
        """
        requests = []
        for place, (turns, wanted) in enumerate(_each(dialogues, search)):
            try:
                requests.append(self._request(turns, wanted))
            except InputError as error:
                raise InputError(f"dialogue {place}: {error.message}", hint=error.hint) from None
        batch, replies = Batch(requests, max_batch), {}
        for place in self._executor.completed(batch):
            replies[place] = self._reply_of(batch.tickets[place])
        return [replies[place] for place in range(len(requests))]

    def outcomes(
        self,
        dialogues: Sequence[Turns],
        search: SearchConfig | Sequence[SearchConfig] | None = None,
        *,
        max_batch: int = MAX_BATCH,
    ) -> list[Reply | EmpganError]:
        """Return what became of each dialogue, in their order; one that fails stops no other.

        Args:
            dialogues, search, max_batch: as `reply_batch`.

        Raises:
            InputError: there are not as many searches as dialogues, or the responder is closed.
        """
        found: list[Request | EmpganError] = []
        for turns, wanted in _each(dialogues, search):
            try:
                found.append(self._request(turns, wanted))
            except EmpganError as error:
                found.append(error)
        batch = Batch([each for each in found if isinstance(each, Request)], max_batch)
        for _ in self._executor.completed(batch):
            pass
        tickets = iter(batch.tickets)
        return [
            self._outcome(next(tickets)) if isinstance(each, Request) else each for each in found
        ]

    def stream(
        self, turns: Turns, search: SearchConfig | None = None
    ) -> Generator[Chunk, None, None]:
        """Yield the next turn of a dialogue as it becomes certain, the whole `Reply` last.

        With several beams only what all that may still win have in common is certain. Closing the
        generator cancels: no further step is computed.

        Raises:
            InputError: as `reply`, at once.
            DivergenceError: the model computed NaN or infinity.
        """
        return self._stream(self._request(turns, search))

    def session(self, search: SearchConfig | None = None) -> Session:
        """Return a dialogue that keeps its own history, searched by `search` or as `reply`."""
        return Session(self, search)

    def close(self) -> None:
        """Release the model; further calls raise InputError.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self._executor.close()

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _outcome(self, ticket: Ticket) -> Reply | EmpganError:
        return self._reply_of(ticket) if ticket.error is None else ticket.error

    def _stream(self, request: Request) -> Generator[Chunk, None, None]:
        ticket = self._executor.submit(Ticket(request, streams=True))
        pieces = self._pieces_of(ticket)
        for _ in self._executor.progress(ticket):
            yield from pieces.grown()
        yield pieces.last(self._reply_of(ticket))


def _each(
    dialogues: Sequence[Turns], search: SearchConfig | Sequence[SearchConfig] | None
) -> list[tuple[Turns, SearchConfig | None]]:
    """Return each dialogue with how it is to be searched.

    Raises:
        InputError: there are not as many searches as dialogues.
    """
    if search is None or isinstance(search, SearchConfig):
        return [(turns, search) for turns in dialogues]
    if len(search) != len(dialogues):
        raise InputError(
            f"{len(search)} searches for {len(dialogues)} dialogues",
            hint="give one for all, or one for each",
        )
    return [*zip(dialogues, search, strict=True)]
