"""`/v1/sessions/{key}`: dialogues that the server remembers, each under a key of the client's.

Whoever knows a key can read and go on with its dialogue, so a key is to be as hard to guess as a
password where strangers use the server. Models have dialogues of their own: in a store, keys of
all but the first one begin with the model's name and a slash, which no key of a client's holds.
"""

from __future__ import annotations

import re

import msgspec

from ...sessions.pool import SessionPool
from ...sessions.store import SessionStore
from ..asking import Asked
from ..models import Model, Models
from ..observer import Observer
from ..operation import Answer, Call, Stream, event
from ..refusal import RefusedError, bad_request
from ..settings import ServerSettings
from ..vocabulary import name_of
from .replies import reply_events
from .reply_types import GivenTurn, SayRequest, search_of, whole_reply

# Any characters but controls and a slash. U+FFFD stands for any bytes that were no UTF-8: several
# users would share a dialogue.
KEY_PATTERN = r"^[^/\u0000-\u001f\u007f-\u009f\ufffd]{1,200}$"
_KEY = re.compile(KEY_PATTERN)


class KeptDialogue(msgspec.Struct, frozen=True, kw_only=True):
    """The newest turns of a dialogue, oldest first: the user's and the model's in turn."""

    key: str
    model: str
    turns: list[GivenTurn]


class Forgotten(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a dialogue that was to be forgotten; `deleted` tells whether it was there."""

    key: str
    model: str
    deleted: bool


class Sessions:
    """Goes on with dialogues, shows and forgets them.

    Args:
        models: who may be asked.
        settings: how many dialogues are remembered, and how long.
        store: has their turns; None for memory.
        observer: who is told.
    """

    def __init__(
        self,
        models: Models,
        settings: ServerSettings,
        store: SessionStore | None,
        observer: Observer,
    ) -> None:
        self._models, self._observer = models, observer
        self._pools = {model.name: _pool(model, settings, store) for model in models.own}

    async def say(self, call: Call, body: SayRequest) -> Answer | Stream:
        """Return the reply to what the user says, and remember both.

        Raises:
            EmpganError: the request is not acceptable, or the model cannot answer now; then
                nothing is remembered of it.
        """
        model = self._models.find(body.model)
        pool, key = self._pools[model.name], self._stored(model, call)
        said = GivenTurn(body.text, body.emotion).turn
        asked = Asked(self._observer, call, model)
        if body.stream:
            chunks = asked.chunks(pool.stream(key, said.text, emotion=said.emotion))
            return Stream(reply_events(chunks, model.name), event)
        reply = await asked.reply(pool.say(key, said.text, emotion=said.emotion))
        return Answer(whole_reply(reply, model.name))

    async def show(self, call: Call, body: None) -> Answer:
        """Return the turns that are remembered under a key.

        Raises:
            RefusedError: there are none.
        """
        model = self._model(call)
        turns = await self._pools[model.name].turns(self._stored(model, call))
        if not turns:
            raise RefusedError(404, "session_not_found", "no dialogue is remembered under this key")
        shown = [GivenTurn(turn.text, name_of(turn.emotion)) for turn in turns]
        return Answer(KeptDialogue(key=_key(call), model=model.name, turns=shown))

    async def forget(self, call: Call, body: None) -> Answer:
        """Forget what is remembered under a key, and a reply that is still to come."""
        model = self._model(call)
        pool, key = self._pools[model.name], self._stored(model, call)
        was_there = bool(await pool.turns(key))
        await pool.forget(key)
        return Answer(Forgotten(key=_key(call), model=model.name, deleted=was_there))

    def _model(self, call: Call) -> Model:
        return self._models.find(call.query.get("model"))

    def _stored(self, model: Model, call: Call) -> str:
        """Return the key that a dialogue has in the store.

        Raises:
            RefusedError: the client's key is not acceptable.
        """
        key = _key(call)
        return key if model == self._models.find(None) else f"{model.name}/{key}"


def _pool(model: Model, settings: ServerSettings, store: SessionStore | None) -> SessionPool:
    responder = model.responder
    return responder.sessions(
        search_of(responder.search, None),
        store=store,
        limit=settings.limit_sessions,
        ttl_s=settings.session_ttl_s,
    )


def _key(call: Call) -> str:
    """Return the key in a request's path.

    Raises:
        RefusedError: it is too long, or holds what may stand for several things.
    """
    key = call.path_params["key"]
    if not _KEY.fullmatch(key):
        raise bad_request(
            "invalid_value", "give a key of 1 to 200 characters, without controls", "key"
        )
    return key
