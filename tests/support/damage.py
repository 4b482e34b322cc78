"""Seeded damage to files, by accident and on purpose: JSON, lines, TOML, bytes and tensors.

What a digest protects is sealed again by the tests, so that what lies behind the digest is met.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from empgan_rt.errors import EmpganError

# JSON values that a field may be told to hold, as they are written
ODD_VALUES = (
    *("null", "true", "-1", "0", "1", "7", "1.5", "-0.0", "1e308", "1e999", "NaN"),
    *("9" * 30, "9" * 5000, "-" + "9" * 5000, str(2**63), str(2**64)),
    *('""', '"x"', '"\\u0000"', '"\\ud800"', '"\\u2028"', '"' + "y" * 30_000 + '"', '"a\\tb\\nc"'),
    *("[]", "{}", "[null]", '{"": null}', '[["a"]]', '{"a": {"b": 1}}'),
    *("[" * 3000 + "]" * 3000, '{"a":' * 3000 + "1" + "}" * 3000),
)
ODD_TOML = (
    *("true", "-1", "0", "1.5", "inf", "nan", "-inf", "1e999", '""', '"x"', "[]", "{}", "[[1]]"),
    *(
        "9" * 30,
        "9" * 5000,
        str(2**63),
        str(2**64),
        "1979-05-27",
        "1979-05-27T07:32:00Z",
        "07:32:00",
    ),
    *('"\\u0000"', '"a\\u0000b"', '"' + "y" * 400 + '"', '"\\n"', '"no/such/../place"'),
    *("[" * 3000 + "]" * 3000, "{a=" * 3000 + "1" + "}" * 3000, '"\\ud800"', "0x" + "f" * 5000),
)
_HOLE = "hole-in-the-document"
_DTYPES = (
    *(torch.float16, torch.bfloat16, torch.float64, torch.int64, torch.uint8, torch.bool),
    *(torch.complex64, torch.float8_e4m3fn),
)


def outcome(door: Callable[[], object]) -> str:
    """Return "read", the class of our error, or "FOREIGN: ..." of any other exception."""
    try:
        door()
    except EmpganError as error:
        return type(error).__name__
    except BaseException as error:
        return f"FOREIGN: {type(error).__name__}: {str(error)[:80]}"
    return "read"


def damaged_json(draw: random.Random, text: str) -> str:
    """Return a JSON document with one value left out, renamed, doubled or replaced."""
    tree = json.loads(text)
    places = [*_places(tree)]
    if not places or draw.random() < 0.05:
        return draw.choice(ODD_VALUES)
    parent, key = draw.choice(places)
    action = draw.choice(("replace",) * 6 + ("remove", "rename", "swap"))
    if action == "remove":
        del parent[key]
    elif action == "rename" and isinstance(parent, dict):
        parent[draw.choice(("", "x", f"{key} ", "__proto__"))] = parent.pop(key)
    elif action == "swap":
        other, place = draw.choice(places)
        parent[key] = json.loads(json.dumps(other[place]))
    else:
        parent[key] = _HOLE
    return json.dumps(tree).replace(f'"{_HOLE}"', draw.choice(ODD_VALUES))


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) in a document; of long lists the first few."""
    keys: Any = ()
    if isinstance(tree, dict):
        keys = [*tree][:40]
    elif isinstance(tree, list):
        keys = range(min(len(tree), 4))
    for key in keys:
        yield tree, key
        yield from _places(tree[key])


def damaged_lines(draw: random.Random, data: bytes) -> bytes:
    """Return JSON lines of which one is damaged, missing, there twice, or no line at all."""
    lines = data.split(b"\n")[:-1]
    place = draw.randrange(len(lines))
    action = draw.choice(("json",) * 6 + ("bytes", "bytes", "remove", "double", "empty", "all"))
    if action == "json":
        lines[place] = damaged_json(draw, lines[place].decode()).encode()
    elif action == "bytes":
        lines[place] = damaged_bytes(draw, lines[place])
    elif action == "remove":
        del lines[place]
    elif action == "double":
        lines.insert(place, lines[draw.randrange(len(lines))])
    elif action == "empty":
        lines[place] = draw.choice((b"", b"\r", b"\x00", b"\xef\xbb\xbf"))
    else:
        lines = []
    return b"".join(line + b"\n" for line in lines)


def damaged_bytes(draw: random.Random, data: bytes) -> bytes:
    """Return bytes with a bit flipped, a part cut out, doubled or replaced, or something put in."""
    start = draw.randrange(len(data) + 1)
    end = min(len(data), start + draw.choice((1, 3, 20, len(data))))
    put = draw.choice((b"", b"\x00", b"\xff\xfe", b"\xed\xa0\x80", b"\n", b"[" * 3000, b"9" * 5000))
    action = draw.choice(("flip", "flip", "cut", "put", "double", "replace"))
    if action == "flip" and start < len(data):
        return data[:start] + bytes([data[start] ^ (1 << draw.randrange(8))]) + data[start + 1 :]
    if action == "cut":
        return data[:start] + data[end:]
    if action == "double":
        return data[:end] + data[start:]
    return data[:start] + put + data[end if action == "replace" else start :]


def damaged_toml(draw: random.Random, text: str) -> str:
    """Return a recipe with one value replaced, a line damaged, or a section that is none."""
    lines = text.split("\n")
    settings = [i for i, line in enumerate(lines) if "=" in line and not line.startswith("#")]
    action = draw.choice(("value",) * 6 + ("bytes", "bytes", "section", "twice", "dots"))
    if action == "value":
        place = draw.choice(settings)
        lines[place] = f"{lines[place].split('=')[0]}= {draw.choice(ODD_TOML)}"
    elif action == "section":
        lines.insert(
            draw.choice(settings), draw.choice(("[mle]", "[[mle]]", "[a.b.c]", "[", "[\x00]"))
        )
    elif action == "twice":
        lines.append(lines[draw.choice(settings)])
    elif action == "dots":
        lines.insert(0, ".".join("a" * draw.choice((3, 300))) + " = 1")
    else:
        place = draw.choice(settings)
        lines[place] = damaged_bytes(draw, lines[place].encode()).decode("utf-8", "surrogateescape")
    return "\n".join(lines)


def damaged_tensors(draw: random.Random, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors of which one has another dtype, shape, name or content, or is missing."""
    made = dict(tensors)
    name = draw.choice(sorted(made))
    tensor = made[name]
    action = draw.choice(("dtype", "dtype", "shape", "shape", "fill", "rename", "remove", "extra"))
    if action == "dtype":
        made[name] = tensor.to(torch.float32).to(draw.choice(_DTYPES))
    elif action == "shape":
        flat = tensor.reshape(-1)
        shapes = (
            flat,
            tensor.unsqueeze(0),
            flat[:0],
            flat[:1].reshape(()),
            flat[:-1],
            flat.repeat(2),
        )
        made[name] = draw.choice(shapes).clone()
    elif action == "fill":
        value = draw.choice((float("nan"), float("inf"), -1e38, 255.0, 0.0))
        made[name] = torch.full_like(tensor.to(torch.float32), value).to(tensor.dtype)
    elif action == "rename":
        made[name + draw.choice((".x", "/", "\x00", "é", ".0.step"))] = made.pop(name)
    elif action == "remove":
        del made[name]
    else:
        made[draw.choice(("x", "model.", "mle/adam.99.step", "mle/adam.-1.step"))] = torch.zeros(2)
    return made
