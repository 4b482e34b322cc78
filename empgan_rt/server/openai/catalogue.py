"""`GET /v1/models`: what can be asked, under which names."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..models import Models
from ..operation import Answer, Call


class ModelEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A name that requests may give; `root` is the model's own."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "empgan-rt"
    root: str
    bundle_id: str
    licence: str
    max_turns: int
    max_tokens: int


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """All names; the first is taken by requests that give none."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class Catalogue:
    """Lists models.

    Args:
        models: those that are served.
    """

    def __init__(self, models: Models) -> None:
        self._models = models

    async def index(self, call: Call, body: None) -> Answer:
        """Return all names of models."""
        return Answer(ModelList(data=[self._entry(name) for name in self._models.names]))

    async def show(self, call: Call, body: None) -> Answer:
        """Return what is known of one model.

        Raises:
            RefusedError: there is no such model.
        """
        name = call.path_params["model"]
        self._models.find(name)
        return Answer(self._entry(name))

    def _entry(self, name: str) -> ModelEntry:
        model = self._models.find(name)
        bundle = model.responder.bundle
        return ModelEntry(
            id=name,
            created=self._models.loaded,
            root=model.name,
            bundle_id=bundle.bundle_id,
            licence=bundle.manifest.licence,
            max_turns=bundle.limits.max_turns,
            max_tokens=bundle.limits.max_tokens,
        )
