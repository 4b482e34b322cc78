"""What both responders are made of: a model, how it is searched, and the thread that decodes."""

from __future__ import annotations

import logging
import math
import os
import time

from ..backend import Backend
from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..config import Limits, SearchConfig
from ..dialogue.reply import Reply
from ..dialogue.turns import Turns
from ..errors import InputError
from .executor import Executor
from .reply import Pieces, reply_of
from .request import MAX_RUNNING, Request, read_request
from .ticket import Ticket, late

_CODE_LICENCE = "Apache-2.0"
_log = logging.getLogger(__name__)


class BaseResponder:
    """One model on one device; `Responder` and `AsyncResponder` say how it is asked.

    Args:
        bundle: the model.
        backend: open on that bundle; the responder owns it from now on.
        search: how to search unless a call says otherwise; None for the bundle's defaults.
        max_running: most dialogues in decoding at once, whoever asked.
        turn_cache: turns that are remembered as ids, the last used ones.

    Attributes:
        bundle: the model.
        search: how dialogues are searched unless a call says otherwise.

    Raises:
        BundleError: a text file of the bundle is damaged or of another model.
        InputError: max_running is below 1.
        ProviderError: no thread can be started.
    """

    def __init__(
        self,
        bundle: Bundle,
        backend: Backend,
        search: SearchConfig | None = None,
        max_running: int = MAX_RUNNING,
        turn_cache: int = 0,
    ) -> None:
        self.bundle = bundle
        self.search = bundle.search if search is None else search
        self._featurizer = bundle.featurizer(turn_cache)
        self._executor = Executor(backend, bundle.model.vocabulary_size, max_running)

    @property
    def limits(self) -> Limits:
        """The most turns, and tokens of each, that the model reads."""
        return self.bundle.limits

    @property
    def num_waiting(self) -> int:
        """How many requests wait for a slot now."""
        return self._executor.num_waiting

    @property
    def num_running(self) -> int:
        """How many requests are in decoding now."""
        return self._executor.num_running

    @property
    def is_closed(self) -> bool:
        """Whether new requests are refused, because it was closed or its thread has ended."""
        return self._executor.is_closed

    def _request(self, turns: Turns, search: SearchConfig | None) -> Request:
        """Return a checked request.

        Raises:
            InputError: a turn, label or setting is not acceptable.
        """
        return read_request(turns, self.search if search is None else search, self._featurizer)

    def _ticket(
        self, turns: Turns, search: SearchConfig | None, deadline_s: float | None = None
    ) -> Ticket:
        """Return a checked request for the executor, its time running from now.

        Raises:
            InputError: a turn, label or setting is not acceptable.
        """
        deadline = deadline_in(deadline_s)
        return Ticket(self._request(turns, search), deadline)

    def _reply_of(self, ticket: Ticket) -> Reply:
        """Return the reply to a request that is done.

        Raises:
            EmpganError: what it failed with.
        """
        ticket.check()
        return reply_of(ticket, self._featurizer, self.bundle.bundle_id)

    def _in_time(self, ticket: Ticket, reply: Reply) -> Reply:
        """Return a reply that a guard has seen.

        Raises:
            DeadlineError: the guard took too long.
        """
        if ticket.deadline is not None and ticket.deadline <= time.perf_counter():
            raise late()
        return reply

    def _pieces_of(self, ticket: Ticket) -> Pieces:
        """Return what cuts the reply to a request into chunks."""
        return Pieces(ticket, self._featurizer)


def deadline_in(seconds: float | None) -> float | None:
    """Return the `time.perf_counter()` of so many seconds from now.

    Raises:
        InputError: they are not above 0.
    """
    if seconds is None:
        return None
    if not 0 < seconds < math.inf:
        raise InputError(f"deadline_s is {seconds!r}", hint="give seconds above 0")
    return time.perf_counter() + seconds


def open_model(
    bundle: str | os.PathLike[str], backend: str, device: str, precision: str, turn_cache: int
) -> tuple[Bundle, Backend]:
    """Return a bundle and a backend that is open on it; arguments as `Responder.load`.

    Raises:
        EmpganError: as `Responder.load`.
    """
    opened = Bundle.open(bundle)
    opened_backend = load_backend(opened, backend, device, precision, turn_cache=turn_cache)
    opened = opened.without_weights()
    if opened.manifest.licence != _CODE_LICENCE:
        _log.info("the weights of this model are licensed %r", opened.manifest.licence)
    return opened, opened_backend
