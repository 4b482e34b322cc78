"""The contexts that we wrote for blind readings, and files of contexts that are refused."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.dialogue.turns import Emotion
from empgan_rt.errors import DataError, InputError
from empgan_training.voice.contexts import APART, Context, read_contexts
from support.own_texts import ACCEPTANCE_CONTEXTS, OWN_DIALOGUES, VOICE_CONTEXTS, bare, read_lines

GOOD = {"id": "one", "kind": "joy", "emotion": "happiness", "turns": ["we won"]}


@pytest.fixture(scope="module")
def contexts() -> list[Context]:
    return read_contexts(VOICE_CONTEXTS)


def test_there_are_enough_of_every_kind_and_emotion(contexts: list[Context]) -> None:
    assert len(contexts) >= 120
    kinds = Counter(context.kind for context in contexts)
    assert kinds[APART] >= 8
    for kind in ("joy", "grief", "worry", "anger", "small talk", "question", "disgust", "surprise"):
        assert kinds[kind] >= 10, kind
    emotions = Counter(context.emotion for context in contexts if context.kind != APART)
    assert set(emotions) == {emotion.name.lower() for emotion in Emotion}
    assert min(emotions.values()) >= 10
    lengths = Counter(len(context.turns) for context in contexts)
    assert set(lengths) == {1, 3}
    assert lengths[3] >= 40


def test_people_type_as_people_do(contexts: list[Context]) -> None:
    newest = [context.turns[-1] for context in contexts]
    lower = [text for text in newest if text == text.lower()]
    open_ended = [text for text in newest if text[-1].isalnum()]
    assert 40 <= len(lower) <= len(newest) - 40
    assert 40 <= len(open_ended) <= len(newest) - 40


def test_no_turn_stands_twice_or_in_other_texts_of_ours(contexts: list[Context]) -> None:
    counts = Counter(bare([t]) for context in contexts for t in context.turns[::2])
    assert [text for text, count in counts.items() if count > 1] == []
    others = [turn for dialogue in read_lines(OWN_DIALOGUES) for turn in dialogue["dialogue"]]
    others += [turn for context in read_lines(ACCEPTANCE_CONTEXTS) for turn in context["turns"]]
    seen = {bare([turn]) for turn in others}
    assert set(counts) & seen == set()


def written(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


def test_contexts_are_read_in_their_order(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"id": "two", "turns": ["hi", "Hello.", "bye"]}]
    read = read_contexts(written(tmp_path / "c.jsonl", *rows))
    assert [context.id for context in read] == ["one", "two"]
    assert read[1].turns == ("hi", "Hello.", "bye")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"turns": ["hi", "Hello."]}, "2 turns, wanted an odd number"),
        ({"turns": []}, "0 turns"),
        ({"turns": [" "]}, "none of them blank"),
        ({"emotion": "joy"}, "emotion is 'joy'"),
        ({"kind": " "}, "id or kind is blank"),
        ({"turns": "hi"}, "turns"),
        ({"reply": "Hello."}, "reply"),
        ({}, "'one' is there a second time"),
    ],
)
def test_a_line_at_fault_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = written(tmp_path / "c.jsonl", GOOD, GOOD | change)
    with pytest.raises(DataError, match=r"c\.jsonl:2 is no context") as caught:
        read_contexts(path)
    assert message in str(caught.value)


def test_files_without_ordinary_contexts_are_refused(tmp_path: Path) -> None:
    for rows in ([], [GOOD | {"kind": "crisis"}]):
        with pytest.raises(DataError, match="none of another kind than 'crisis'"):
            read_contexts(written(tmp_path / "c.jsonl", *rows))
    with pytest.raises(InputError, match="cannot be read"):
        read_contexts(tmp_path / "none.jsonl")
