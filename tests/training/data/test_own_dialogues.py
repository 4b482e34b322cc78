"""The dialogues and contexts that we wrote: well-formed, varied enough, never repeated."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from support.own_texts import ACCEPTANCE_CONTEXTS, OWN_DIALOGUES, bare, read_lines


@pytest.fixture(scope="module")
def dialogues() -> list[dict[str, Any]]:
    return read_lines(OWN_DIALOGUES)


@pytest.fixture(scope="module")
def contexts() -> list[dict[str, Any]]:
    return read_lines(ACCEPTANCE_CONTEXTS)


def test_there_are_enough_dialogues(dialogues: list[dict[str, Any]]) -> None:
    assert len(dialogues) >= 300


def test_each_turn_is_text_with_one_label(dialogues: list[dict[str, Any]]) -> None:
    for dialogue in dialogues:
        turns, labels = dialogue["dialogue"], dialogue["emotion"]
        assert set(dialogue) == {"dialogue", "emotion"}
        assert 3 <= len(turns) <= 9, turns
        assert len(labels) == len(turns), turns
        assert all(type(label) is int and 0 <= label <= 6 for label in labels), turns
        assert all(bare([turn]) and turn == turn.strip() for turn in turns), turns


def test_no_dialogue_stands_twice(dialogues: list[dict[str, Any]]) -> None:
    counts = Counter(bare(dialogue["dialogue"]) for dialogue in dialogues)
    assert [text for text, count in counts.items() if count > 1] == []


def test_every_emotion_is_frequent_enough_to_be_learnt(dialogues: list[dict[str, Any]]) -> None:
    counts = Counter(label for dialogue in dialogues for label in dialogue["emotion"])
    assert set(counts) == set(range(7))
    assert min(counts.values()) >= 40


def test_the_vocabulary_stays_small(dialogues: list[dict[str, Any]]) -> None:
    words = {word for dialogue in dialogues for word in bare(dialogue["dialogue"]).split()}
    assert 1_000 <= len(words) <= 1_800


def test_acceptance_contexts_are_twenty_of_one_to_five_turns(
    contexts: list[dict[str, Any]],
) -> None:
    assert len(contexts) == 20
    assert len({context["id"] for context in contexts}) == 20
    for context in contexts:
        assert set(context) == {"id", "turns"}
        assert 1 <= len(context["turns"]) <= 5, context["id"]
        assert all(bare([turn]) for turn in context["turns"]), context["id"]


def test_acceptance_contexts_are_not_in_the_training_dialogues(
    dialogues: list[dict[str, Any]], contexts: list[dict[str, Any]]
) -> None:
    seen = {bare([turn]) for dialogue in dialogues for turn in dialogue["dialogue"]}
    assert [c["id"] for c in contexts if seen & {bare([turn]) for turn in c["turns"]}] == []
