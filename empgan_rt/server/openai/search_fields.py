"""How a request of OpenAI's dialect wants the reply to be searched, and what it may not want."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import Annotated, Any, get_args, get_type_hints

import msgspec

from ...config import MAX_CANDIDATES, MAX_LENGTH, MAX_SEED, SearchConfig
from ..refusal import bad_request
from ..vocabulary import MAX_BANNED, BannedWord

_LEAST_TEMPERATURE, _LEAST_TOP_P = 0.01, 1e-6  # SearchConfig's
MAX_STOPS, MAX_STOP_CHARACTERS = 4, 500

StopText = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_STOP_CHARACTERS)]
Tokens = Annotated[int, msgspec.Meta(ge=1)]


def only(*values: Any) -> msgspec.Meta:
    """Return the mark of a field that may be sent, but ask for nothing: it has these values."""
    shown = ", ".join(msgspec.json.encode(value).decode() for value in values)
    # The sentence also keeps marks apart that Python takes for equal, those of 0 and of False.
    return msgspec.Meta(description=f"Supported: {shown}.", extra_json_schema={"enum": [*values]})


class SearchFields(msgspec.Struct, kw_only=True, frozen=True):
    """What both kinds of requests say about the search; the lower half has vLLM's names.

    Without a temperature the model's own search holds, which is a beam search for most. A
    temperature of 0 never samples; one above 0 does, and so does `top_p` below 1.
    """

    temperature: Annotated[float, msgspec.Meta(ge=0.0, le=2.0)] | None = None
    top_p: Annotated[float, msgspec.Meta(ge=0.0, le=1.0)] | None = None
    seed: int | None = None
    stop: StopText | Annotated[list[StopText], msgspec.Meta(max_length=MAX_STOPS)] | None = None
    min_tokens: Annotated[int, msgspec.Meta(ge=0)] | None = None
    ignore_eos: bool | None = None
    top_k: Annotated[int, msgspec.Meta(ge=-1)] | None = None
    repetition_penalty: Annotated[float, msgspec.Meta(ge=1.0, le=100.0)] | None = None
    length_penalty: Annotated[float, msgspec.Meta(ge=-10.0, le=10.0)] | None = None
    bad_words: Annotated[list[BannedWord], msgspec.Meta(max_length=MAX_BANNED)] | None = None

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts that end a reply."""
        if self.stop is None:
            return ()
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


def search_of(
    own: SearchConfig, fields: SearchFields, choices: int, max_tokens: int | None
) -> SearchConfig:
    """Return the search for a request.

    A beam search gives all that it found, which costs nothing: what is no choice is an alternative.

    Args:
        own: the model's.
        fields: what the request says.
        choices: replies wanted.
        max_tokens: most tokens of each; clamped to what the model may write.
    """
    changes: dict[str, Any] = {}
    temperature, top_p = fields.temperature, fields.top_p
    if temperature == 0:
        changes["sample"] = False
    elif temperature is not None or (top_p is not None and top_p < 1):
        changes["sample"] = True
    if temperature:
        changes["temperature"] = max(temperature, _LEAST_TEMPERATURE)
    if top_p is not None:
        changes["top_p"] = max(top_p, _LEAST_TOP_P)
    if fields.top_k is not None:  # -1 and 0 are vLLM's for all
        changes["top_k"] = min(fields.top_k, MAX_CANDIDATES) if fields.top_k > 0 else MAX_CANDIDATES
    if fields.seed is not None:
        changes["seed"] = fields.seed % (MAX_SEED + 1)
    for name in ("repetition_penalty", "length_penalty"):
        if (value := getattr(fields, name)) is not None:
            changes[name] = float(value)
    if fields.bad_words is not None:
        changes["banned_words"] = (*own.banned_words, *fields.bad_words)
    changes["max_length"] = most = min(max_tokens or own.max_length, MAX_LENGTH)
    fewest = own.min_length if fields.min_tokens is None else fields.min_tokens
    changes["min_length"] = most if fields.ignore_eos else min(fewest, most)
    if changes.get("sample", own.sample):
        changes["num_hypotheses"] = choices
    else:
        changes["beam_size"] = changes["num_hypotheses"] = max(own.beam_size, choices)
    return replace(own, **changes)


def refuse_unsupported(request: msgspec.Struct) -> None:
    """Do nothing if a request wants nothing that the model cannot do.

    Raises:
        RefusedError: it does; the first such field is named.
    """
    for name, values in _unsupported(type(request)).items():
        wanted = getattr(request, name)
        if not any(_is_same(wanted, value) for value in values):
            raise unsupported(name)


def unsupported(name: str) -> Exception:
    """Return the refusal of a field."""
    return bad_request("unsupported_parameter", f"{name} is not supported by this model", name)


@lru_cache
def _unsupported(kind: type[msgspec.Struct]) -> dict[str, list[Any]]:
    """Return the fields of a struct that are marked by `only`, and their values."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        for meta in get_args(hint)[1:]:
            if isinstance(meta, msgspec.Meta) and "enum" in (meta.extra_json_schema or {}):
                found[name] = (meta.extra_json_schema or {})["enum"]
    return found


def _is_same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal; 0 and false are not."""
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)
