"""What a stream of server-sent events says."""

from __future__ import annotations

import json
from typing import Any


def events(body: str) -> list[tuple[str, str]]:
    """Return the name and data of each event; fails unless each is ended by a blank line."""
    assert body.endswith("\n\n")
    found = []
    for block in body.removesuffix("\n\n").split("\n\n"):
        *names, data = block.split("\n")
        assert len(names) <= 1
        name = names[0].removeprefix("event: ") if names else ""
        assert data.startswith("data: ")
        found.append((name, data.removeprefix("data: ")))
    return found


def documents(body: str) -> list[dict[str, Any]]:
    """Return the JSON of each event, `[DONE]` left out."""
    return [json.loads(data) for _, data in events(body) if data != "[DONE]"]
