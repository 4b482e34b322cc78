"""Alarms over every test turn of two corpora; with -s it prints places and counts, no text."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path

import pytest

from empgan_rt import WordGuard
from support.guard_lines import category_of

DATA = Path(os.environ.get("EMPGAN_DATA", "../shared/data"))
MOST = 0.001  # of all turns, alarms that are none among them

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("corpus", ["dailydialog", "empatheticdialogues"])
def test_alarms_are_rare(corpus: str) -> None:
    path = DATA / corpus / "test.jsonl"
    if not path.is_file():
        pytest.skip(f"EMPGAN_DATA holds no {corpus}")
    guard, turns = WordGuard(), 0
    alarms: Counter[str] = Counter()
    for number, line in enumerate(path.read_text("utf-8").splitlines()):
        for place, text in enumerate(json.loads(line)["dialogue"]):
            turns += 1
            for reads in ("messages", "replies"):
                category = category_of(guard, text, reads)
                if category is not None:
                    alarms[f"{category} of {reads}"] += 1
                    print(f"{corpus} {number} {place}: {category} of {reads}")
    print(f"{corpus}: {turns} turns, {dict(alarms)}")
    assert turns > 7000
    for reads in ("messages", "replies"):
        found = sum(count for name, count in alarms.items() if name.endswith(reads))
        assert found <= MOST * turns
