"""The SDK's front door: text in, text out, from one model that any number of threads may use."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Sequence

from ..backend import Backend
from ..bundle.bundle import Bundle
from ..config import SearchConfig
from ..dialogue.reply import Chunk, Reply
from ..dialogue.turns import Turns
from ..errors import EmpganError, InputError
from ..guard.asking import check_guard
from ..guard.protocol import Guard
from ..sessions.session import Session
from .base import BaseResponder, open_model
from .batch import Batch, with_searches
from .reply import whole
from .request import MAX_BATCH, MAX_RUNNING, TURN_CACHE, Request
from .ticket import Ticket
from .watched import Watched

_Asked = tuple[Watched, Request]


class Responder(BaseResponder):
    """Answers dialogues with one model on one device; safe to share between threads.

    Use `load`; the constructor is for a backend that is already open.

    Args:
        bundle: the model.
        backend: open on that bundle; the responder owns it from now on.
        search: how to search unless a call says otherwise; None for the bundle's defaults.
        max_running: most dialogues in decoding at once, whoever asked.
        turn_cache: turns that are remembered as ids; `load` gives its own to the backend too.
        guard: sees every message before the model and every reply before the user, unless a call
            names another one; None lets all through (docs/guard.md).

    Raises:
        BundleError: a text file of the bundle is damaged or of another model.
        InputError: the guard is none, or needs an event loop.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        search: SearchConfig | None = None,
        max_running: int = MAX_RUNNING,
        *,
        turn_cache: int = 0,
        guard: Guard | None = None,
    ) -> None:
        self._guard = _checked(guard)
        super().__init__(bundle, backend, search, max_running, turn_cache)

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
        guard: Guard | None = None,
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
            turn_cache: turns whose ids and encodings are kept, the last used ones, so that a
                dialogue that goes on costs no more than what is new of it; 0 keeps nothing of
                what users say.
            guard: see the class.

        Raises:
            BundleError: the bundle is missing, incomplete, altered or too new.
            InputError: unknown backend or device, a precision that the bundle lacks, max_running
                below 1, turn_cache below 0, or a guard that is none or needs an event loop.
            DependencyError: the engine's package is missing, too old or installed twice.
            ProviderError: the device cannot be used.
            StorageError: what TensorRT has built or timed cannot be kept.
        """
        _checked(guard)
        opened = open_model(bundle, backend, device, precision, turn_cache)
        return cls(*opened, search, max_running, turn_cache=turn_cache, guard=guard)

    def reply(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | None = None,
        deadline_s: float | None = None,
    ) -> Reply:
        """Return the next turn of a dialogue.

        Args:
            turns: the turns so far, oldest first, as strings or `Turn`s with a known emotion.
            search: how to search; None for the responder's own.
            guard: who watches; None for the responder's own.
            deadline_s: seconds from now, the guard and waiting for other threads included.

        Raises:
            InputError: a turn, label, setting or guard is not acceptable.
            DeadlineError: the reply was not there in time.
            DivergenceError: the model computed NaN or infinity.
            ProviderError: this process was forked after the model was loaded.
        """
        watched = self._watched(turns, search, guard)
        return self._answer(watched, self._ticket(watched.turns, watched.search, deadline_s))

    def reply_batch(
        self,
        dialogues: Sequence[Turns],
        search: SearchConfig | Sequence[SearchConfig] | None = None,
        *,
        guard: Guard | None = None,
        max_batch: int = MAX_BATCH,
    ) -> list[Reply]:
        """Return the next turn of each dialogue, in their order; the same as one by one.

        Args:
            dialogues: any number; as some end, others take their place in the decoder.
            search: one for all, or one for each.
            guard: as `reply`; it is asked about each dialogue by itself.
            max_batch: most of them in decoding at once.

        Raises:
            InputError: as `reply`; the message names the first dialogue that is refused.
            DivergenceError: the model computed NaN or infinity.
        """
        asked = []
        for place, (turns, wanted) in enumerate(with_searches(dialogues, search)):
            try:
                asked.append(self._asked(turns, wanted, guard))
            except InputError as error:
                raise InputError(f"dialogue {place}: {error.message}", hint=error.hint) from None
        replies = {}
        for place, outcome in self._answers(asked, max_batch):
            if isinstance(outcome, EmpganError):
                raise outcome
            replies[place] = outcome
        return [replies[place] for place in range(len(asked))]

    def outcomes(
        self,
        dialogues: Sequence[Turns],
        search: SearchConfig | Sequence[SearchConfig] | None = None,
        *,
        guard: Guard | None = None,
        max_batch: int = MAX_BATCH,
    ) -> list[Reply | EmpganError]:
        """Return what became of each dialogue, in their order; one that fails stops no other.

        Args:
            dialogues, search, guard, max_batch: as `reply_batch`.

        Raises:
            InputError: there are not as many searches as dialogues, or the responder is closed.
        """
        found: dict[int, Reply | EmpganError] = {}
        asked: dict[int, _Asked] = {}
        for place, (turns, wanted) in enumerate(with_searches(dialogues, search)):
            try:
                asked[place] = self._asked(turns, wanted, guard)
            except EmpganError as error:
                found[place] = error
        places = [*asked]
        for number, outcome in self._answers([*asked.values()], max_batch):
            found[places[number]] = outcome
        return [found[place] for place in sorted(found)]

    def stream(
        self,
        turns: Turns,
        search: SearchConfig | None = None,
        *,
        guard: Guard | None = None,
        deadline_s: float | None = None,
    ) -> Generator[Chunk, None, None]:
        """Yield the next turn of a dialogue as it becomes certain, the whole `Reply` last.

        With several beams only what all that may still win have in common is certain. Under a
        guard the whole reply is one chunk, after the verdict on it. Closing the generator cancels:
        no further step is computed.

        Args:
            turns, search, guard: as `reply`.
            deadline_s: seconds from now until the whole reply is there.

        Raises:
            InputError: as `reply`, at once.
            DeadlineError: the reply was not whole in time; the chunks before stay as they are.
            DivergenceError: the model computed NaN or infinity.
        """
        watched = self._watched(turns, search, guard)
        return self._stream(watched, self._ticket(watched.turns, watched.search, deadline_s))

    def session(
        self, search: SearchConfig | None = None, *, guard: Guard | None = None, turns: Turns = ()
    ) -> Session:
        """Return a dialogue that keeps its own history, searched and guarded as `reply`.

        Args:
            turns: what was said already, oldest first, such as the `turns` of a saved session.

        Raises:
            InputError: the guard is none or needs an event loop, or a turn is no string or Turn.
        """
        return Session(self, search, _checked(guard), turns=turns)

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

    def _watched(self, turns: Turns, search: SearchConfig | None, guard: Guard | None) -> Watched:
        return Watched(
            turns,
            self.search if search is None else search,
            self._guard if guard is None else _checked(guard),
        )

    def _asked(self, turns: Turns, search: SearchConfig | None, guard: Guard | None) -> _Asked:
        watched = self._watched(turns, search, guard)
        return watched, self._request(watched.turns, watched.search)

    def _answer(self, watched: Watched, ticket: Ticket) -> Reply:
        """Return what is said to a dialogue, by the model or by the guard."""
        if watched.guard is None:
            return self._decoded(ticket)
        reply = watched.before(ticket.request, self.bundle.bundle_id)
        return self._in_time(ticket, reply or watched.after(self._decoded(ticket)))

    def _decoded(self, ticket: Ticket) -> Reply:
        """Return what the model says."""
        self._executor.wait(self._executor.submit(ticket))
        return self._reply_of(ticket)

    def _answers(
        self, asked: Sequence[_Asked], max_batch: int
    ) -> Iterator[tuple[int, Reply | EmpganError]]:
        """Yield the place of each dialogue and what became of it, as they are done."""
        coming: list[int] = []
        for place, (watched, request) in enumerate(asked):
            reply = watched.before(request, self.bundle.bundle_id)
            if reply is None:
                coming.append(place)
            else:
                yield place, reply
        batch = Batch([asked[place][1] for place in coming], max_batch)
        for number in self._executor.completed(batch):
            place = coming[number]
            yield place, self._outcome(asked[place][0], batch.tickets[number])

    def _outcome(self, watched: Watched, ticket: Ticket) -> Reply | EmpganError:
        try:
            return watched.after(self._reply_of(ticket))
        except EmpganError as error:
            return error

    def _stream(self, watched: Watched, ticket: Ticket) -> Generator[Chunk, None, None]:
        if watched.guard is not None:
            yield whole(self._answer(watched, ticket))
            return
        ticket.streams = True
        self._executor.submit(ticket)
        pieces = self._pieces_of(ticket)
        for _ in self._executor.progress(ticket):
            yield from pieces.grown()
        yield pieces.last(self._reply_of(ticket))


def _checked(guard: Guard | None) -> Guard | None:
    """Return a guard that can be asked without an event loop; raises InputError if it cannot."""
    if guard is not None:
        check_guard(guard, may_wait=False)
    return guard
