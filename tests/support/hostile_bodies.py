"""Bodies that are good, and others made of them that need not be."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

GOOD: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {
        "model": "default",
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": [{"type": "text", "text": "Hello."}], "emotion": "fear"},
            {"role": "assistant", "content": "Hello."},
            {"role": "user", "content": "I lost my keys."},
        ],
        "n": 2,
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 5,
        "seed": 1,
        "max_tokens": 5,
        "min_tokens": 1,
        "stop": ["x"],
        "bad_words": ["shut up"],
        "repetition_penalty": 1.1,
        "length_penalty": 1.0,
        "stream": False,
        "logit_bias": {},
        "response_format": {"type": "text"},
    },
    "/v1/responses": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello."}]}],
        "instructions": "Be kind.",
        "max_output_tokens": 5,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tools": [],
        "stream": True,
    },
    "/v1/reply": {
        "turns": ["Hello.", {"text": "I lost my keys.", "emotion": "sadness"}],
        "search": {"beam_size": 2, "max_length": 5, "banned_words": ["no"], "seed": 3},
        "stream": False,
    },
    "/v1/sessions/somebody": {"text": "Hello.", "emotion": "anger", "stream": False},
}
TEXTS = (
    "",
    " ",
    "I am sad.",
    "a" * 30_000,
    "\n" * 100,
    "'" * 500,
    "\x00",
    "\u200b\u202e",
    "\ud800",
)
NUMBERS = (0, 1, -1, 3, 0.5, -0.0, 1e308, 2**31, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, 10**400)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the way to each value inside a document, itself included."""
    found = [path]
    inside = (
        document.items()
        if isinstance(document, dict)
        else enumerate(document)
        if isinstance(document, list)
        else ()
    )
    for key, value in inside:
        found += places(value, (*path, key))
    return found


def spoilt(document: Any, way: tuple[Any, ...], value: Any) -> Any:
    """Return a document with another value in one place."""
    if not way:
        return value
    made = copy.deepcopy(document)
    inner = made
    for key in way[:-1]:
        inner = inner[key]
    inner[way[-1]] = value
    return made


def hostile(dice: random.Random) -> tuple[str, bytes]:
    """Return a path and a body for it: with other values, cut and changed, or anything at all."""
    path = dice.choice([*GOOD])
    kind = dice.randrange(3)
    if kind == 0:
        document: Any = GOOD[path]
        for _ in range(dice.randint(1, 3)):
            document = spoilt(document, dice.choice(places(document)), _value(dice))
        return path, _written(document)
    if kind == 1:
        body = bytearray(_written(GOOD[path]))
        for _ in range(dice.randrange(5)):
            place = dice.randrange(len(body))
            body[place : place + dice.randrange(4)] = dice.randbytes(dice.randrange(5))
        return path, bytes(body[: dice.choice((len(body), dice.randrange(len(body))))])
    return path, dice.choice((dice.randbytes(dice.randrange(200)), _written(_value(dice))))


def _value(dice: random.Random, depth: int = 0) -> Any:
    """Return any value that JSON knows."""
    kind = dice.randrange(4 if depth == 3 else 6)
    if kind == 0:
        return dice.choice((None, True, False))
    if kind == 1:
        return dice.choice(NUMBERS)
    if kind == 2:
        return dice.choice(TEXTS)
    if kind == 3:
        return "".join(chr(dice.randrange(1, 0x3000)) for _ in range(dice.randrange(20)))
    inner = [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return inner if kind == 4 else {f"key {place}": each for place, each in enumerate(inner)}


def _written(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "surrogatepass")
