"""The models that are served, found by their names."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import InputError
from ..inference.async_responder import AsyncResponder
from .refusal import RefusedError

MAX_NAME = 200  # characters of a model's name
_SHOWN = 60


@dataclass(frozen=True)
class Model:
    """One model and its own name."""

    name: str
    responder: AsyncResponder


class Models:
    """Responders by name; the first one answers who names none.

    Args:
        responders: one, called "default", or several by their names.
        aliases: other names of these.

    Attributes:
        loaded: when, in seconds since 1970.

    Raises:
        InputError: there is none, a name is empty or too long, or an alias leads nowhere or hides
            a model.
    """

    def __init__(
        self,
        responders: AsyncResponder | Mapping[str, AsyncResponder],
        aliases: Mapping[str, str],
    ) -> None:
        if not isinstance(responders, Mapping):
            responders = {"default": responders}
        if not responders:
            raise InputError("a server without models", hint="give at least one responder")
        for name in (*responders, *aliases):
            if not 0 < len(name) <= MAX_NAME or not name.isprintable():
                raise InputError(
                    f"a model called {name[:_SHOWN]!r}",
                    hint=f"give 1 to {MAX_NAME} characters that can be printed",
                )
        for alias, name in aliases.items():
            if name not in responders or alias in responders:
                raise InputError(
                    f"the alias {alias!r} of {name!r}",
                    hint=f"give a new name of one of {', '.join(responders)}",
                )
        self.loaded = int(time.time())
        self._models = {name: Model(name, each) for name, each in responders.items()}
        self._by_name = self._models | {
            alias: self._models[name] for alias, name in aliases.items()
        }

    @property
    def names(self) -> dict[str, Model]:
        """Each name that a request may give, aliases last, and its model."""
        return self._by_name

    @property
    def own(self) -> list[Model]:
        """The models, each once."""
        return [*self._models.values()]

    @property
    def are_open(self) -> bool:
        """Whether all of them accept requests."""
        return not any(model.responder.is_closed for model in self._models.values())

    def find(self, name: str | None) -> Model:
        """Return the model of a name, or the first one for None.

        Raises:
            RefusedError: there is none.
        """
        if name is None:
            return next(iter(self._models.values()))
        found = self._by_name.get(name)
        if found is None:
            raise RefusedError(
                404,
                "model_not_found",
                f"there is no model {name[:_SHOWN]!r}; GET /v1/models lists those that there are",
                param="model",
            )
        return found
