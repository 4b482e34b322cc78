"""The dialogues and contexts that we wrote, and texts made comparable."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from support.source_tree import PACKAGES, ROOT

OWN_DIALOGUES = PACKAGES["empgan_training"] / "assets" / "own_dialogues.jsonl"
ACCEPTANCE_CONTEXTS = ROOT / "tests" / "data" / "acceptance_contexts.jsonl"
VOICE_CONTEXTS = ROOT / "tests" / "data" / "voice" / "contexts.jsonl"


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the JSON object of every line; a blank or broken line raises."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def bare(turns: Sequence[str]) -> str:
    """Return the words of `turns` without case or punctuation.

    >>> bare(["Hi, Ben!", "It's you."])
    'hi ben it s you'
    """
    return " ".join(re.findall(r"[a-z0-9]+", " ".join(turns).lower()))
