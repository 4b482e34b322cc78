"""What watches the server asks: whether it lives, whether it accepts requests, what it counted."""

from __future__ import annotations

from typing import Literal

import msgspec
from starlette.exceptions import HTTPException

from ..lifecycle import Lifecycle
from ..models import Models
from ..observer import Observer
from ..operation import Answer, Call


class Status(msgspec.Struct, frozen=True):
    """How the server is."""

    status: Literal["ok", "ready", "shutting_down"]


class Probes:
    """Answers probes.

    Args:
        models: that are to be open.
        lifecycle: whether requests are accepted.
        observer: what was counted.
    """

    def __init__(self, models: Models, lifecycle: Lifecycle, observer: Observer) -> None:
        self._models, self._lifecycle, self._observer = models, lifecycle, observer

    async def health(self, call: Call, body: None) -> Answer:
        """Return that the process answers."""
        return Answer(Status("ok"))

    async def ready(self, call: Call, body: None) -> Answer:
        """Return whether requests are accepted."""
        if self._lifecycle.is_leaving or not self._models.are_open:
            return Answer(Status("shutting_down"), 503)
        return Answer(Status("ready"))

    async def metrics(self, call: Call, body: None) -> Answer:
        """Return what the observer counted.

        Raises:
            HTTPException: it counts nothing.
        """
        page = self._observer.render()
        if page is None:
            raise HTTPException(404)
        content_type, document = page
        return Answer(document, content_type=content_type)
