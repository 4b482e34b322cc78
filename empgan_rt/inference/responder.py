"""The SDK's front door: text in, text out, from one model that any number of threads may use."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Generator, Sequence

from ..backend import Backend
from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..config import SearchConfig
from ..dialogue import Chunk, Reply
from ..errors import EmpganError, InputError
from ..sessions.session import Session
from .batch import Batch
from .executor import Executor
from .reply import Pieces, reply_of
from .request import MAX_BATCH, MAX_RUNNING, TURN_CACHE, Request, Turns, read_request
from .ticket import Ticket

_CODE_LICENCE = "Apache-2.0"
_log = logging.getLogger(__name__)


class Responder:
    """Answers dialogues with one model on one device; safe to share between threads.

    Use `load`; the constructor is for a backend that is already open.

    Args:
        bundle: the model.
        backend: open on that bundle; the responder owns it from now on.
        search: how to search unless a call says otherwise; None for the bundle's defaults.
        max_running: most dialogues in decoding at once, whoever asked.

    Attributes:
        engine: decodes; any number of callers share it.

    Raises:
        BundleError: a text file of the bundle is damaged or of another model.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        search: SearchConfig | None = None,
        max_running: int = MAX_RUNNING,
    ) -> None:
        self.bundle = bundle
        self.search = bundle.search if search is None else search
        self._featurizer = bundle.featurizer()
        self.engine = Executor(backend, bundle.model.vocabulary_size, max_running)

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
        opened = Bundle.open(bundle)
        opened_backend = load_backend(opened, backend, device, precision, turn_cache=turn_cache)
        responder = cls(opened, opened_backend, search, max_running)
        if opened.manifest.licence != _CODE_LICENCE:
            _log.info("the weights of this model are licensed %r", opened.manifest.licence)
        return responder

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
        ticket = self.engine.submit(self.ticket(turns, search, deadline_s))
        self.engine.wait(ticket)
        return self.reply_of(ticket)

    def reply_batch(
        self,
        dialogues: Sequence[Turns],
        search: SearchConfig | Sequence[SearchConfig] | None = None,
    ) -> list[Reply]:
        """Return the next turn of each dialogue, in their order; the same as one by one.

        Args:
            dialogues: any number; 32 are decoded at once, and as they end others take their place.
            search: one for all, or one for each.

        Raises:
            InputError: as `reply`; the message names the first dialogue that is refused.
            DivergenceError: the model computed NaN or infinity.
        """
        searches: Sequence[SearchConfig | None]
        if search is None or isinstance(search, SearchConfig):
            searches = [search] * len(dialogues)
        else:
            searches = search
        if len(searches) != len(dialogues):
            raise InputError(
                f"{len(searches)} searches for {len(dialogues)} dialogues",
                hint="give one for all, or one for each",
            )
        requests = []
        for place, (turns, wanted) in enumerate(zip(dialogues, searches, strict=True)):
            try:
                requests.append(self.request(turns, wanted))
            except InputError as error:
                raise InputError(f"dialogue {place}: {error.message}", hint=error.hint) from None
        return self.answer(requests)

    def request(self, turns: Turns, search: SearchConfig | None = None) -> Request:
        """Return a checked request for `answer`: the first half of `reply_batch`.

        Raises:
            InputError: as `reply`.
        """
        return read_request(turns, self.search if search is None else search, self._featurizer)

    def ticket(
        self, turns: Turns, search: SearchConfig | None = None, deadline_s: float | None = None
    ) -> Ticket:
        """Return a checked request that `engine` can be given, its time running from now.

        Raises:
            InputError: as `reply`.
        """
        deadline = None
        if deadline_s is not None:
            if not 0 < deadline_s < math.inf:
                raise InputError(f"deadline_s is {deadline_s!r}", hint="give seconds above 0")
            deadline = time.perf_counter() + deadline_s
        return Ticket(self.request(turns, search), deadline)

    def answer(self, requests: Sequence[Request], max_batch: int = MAX_BATCH) -> list[Reply]:
        """Return the reply to each request, in their order: the second half of `reply_batch`.

        Raises:
            DivergenceError: the model computed NaN or infinity.
        """
        batch, replies = Batch(requests, max_batch), {}
        for place in self.engine.completed(batch):
            replies[place] = self.reply_of(batch.tickets[place])
        return [replies[place] for place in range(len(requests))]

    def outcomes(
        self, requests: Sequence[Request], max_batch: int = MAX_BATCH
    ) -> list[Reply | EmpganError]:
        """Return what became of each request, in their order; one that fails stops no other."""
        batch = Batch(requests, max_batch)
        for _ in self.engine.completed(batch):
            pass
        return [
            self.reply_of(ticket) if ticket.error is None else ticket.error
            for ticket in batch.tickets
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
        return self._stream(self.request(turns, search))

    def session(self, search: SearchConfig | None = None) -> Session:
        """Return a dialogue that keeps its own history, searched by `search` or as `reply`."""
        return Session(self, search)

    def close(self) -> None:
        """Release the model; further calls raise InputError.

        Raises:
            ProviderError: this process was forked after the model was loaded.
        """
        self.engine.close()

    def __enter__(self) -> Responder:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def reply_of(self, ticket: Ticket) -> Reply:
        """Return the reply to a request of `engine` that is done.

        Raises:
            EmpganError: what it failed with.
        """
        ticket.check()
        return reply_of(ticket, self._featurizer, self.bundle.bundle_id)

    def pieces_of(self, ticket: Ticket) -> Pieces:
        """Return what cuts the reply to a request of `engine` into chunks."""
        return Pieces(ticket, self._featurizer)

    def _stream(self, request: Request) -> Generator[Chunk, None, None]:
        ticket = self.engine.submit(Ticket(request, streams=True))
        pieces = self.pieces_of(ticket)
        for _ in self.engine.progress(ticket):
            yield from pieces.grown()
        yield pieces.last(self.reply_of(ticket))
