"""What the embedded default model says to twenty contexts that we wrote."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from empgan_rt import Reply, Responder
from empgan_rt.graph_spec import UNK

CONTEXTS = Path(__file__).parents[2] / "data" / "acceptance_contexts.jsonl"


@pytest.fixture(scope="module")
def replies() -> list[Reply]:
    rows = [json.loads(line) for line in CONTEXTS.read_text("utf-8").splitlines()]
    with Responder.load("default") as responder:
        return responder.reply_batch([row["turns"] for row in rows])


def test_no_reply_is_empty_or_holds_an_unknown_word(replies: list[Reply]) -> None:
    assert len(replies) == 20
    assert all(reply.text for reply in replies)
    assert not any(UNK in reply.token_ids or "<unk>" in reply.text for reply in replies)


def test_int8_says_the_same_to_most(replies: list[Reply]) -> None:
    rows = [json.loads(line) for line in CONTEXTS.read_text("utf-8").splitlines()]
    with Responder.load("default", precision="int8") as responder:
        others = responder.reply_batch([row["turns"] for row in rows])
    same = [(a, b) for a, b in zip(replies, others, strict=True) if a.token_ids == b.token_ids]
    assert len(same) >= 14
    # A score is a sum over tokens: the search has no length penalty.
    gaps = [abs(a.score - b.score) / len(a.token_ids) for a, b in same]
    assert 0 < max(gaps) < 0.015  # it is another variant, and a close one


def test_no_trigram_comes_three_times(replies: list[Reply]) -> None:
    for reply in replies:
        ids = reply.token_ids
        counts = Counter(zip(ids, ids[1:], ids[2:], strict=False))
        assert max(counts.values(), default=0) < 3


def test_replies_are_not_all_alike(replies: list[Reply]) -> None:
    assert len({reply.text for reply in replies}) >= 12


def test_weights_carry_the_corpus_licence() -> None:
    with Responder.load("default") as responder:
        bundle = responder.bundle
    assert bundle.manifest.licence == "CC-BY-NC-SA-4.0"
    licence = bundle.text("LICENSES/CC-BY-NC-SA-4.0.txt")
    for corpus in ("DailyDialog", "EmpatheticDialogues"):
        assert corpus in bundle.text("MODEL_CARD.md")
        assert corpus in licence
