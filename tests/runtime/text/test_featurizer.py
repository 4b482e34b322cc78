"""Dialogues to ids: limits and their counts, refusals, and the padded batch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empgan_rt.config import Limits
from empgan_rt.dialogue.turns import Dialogue, Emotion, Turn
from empgan_rt.errors import InputError
from empgan_rt.graph_spec import EOS, SOS, UNK, UNKNOWN_LABEL
from empgan_rt.text.emotion_lexicon import EmotionLexicon
from empgan_rt.text.featurizer import Featurizer, TurnFeatures, encoder_input
from empgan_rt.text.tokenizer import Tokenizer

WORDS = ["I", "'m", "happy", "sad", ".", "not", "now"]  # ids from 4
TOKENIZER = Tokenizer.from_words(WORDS)
LEXICON = EmotionLexicon({"happy": "vader", "sad": "vader", "grim": "vader"}, ["sad", "happy"])
LIMITS = Limits(max_turns=3, max_tokens=6, max_emotion_words=2, max_characters=40)
FEATURIZER = Featurizer(TOKENIZER, LEXICON, LIMITS)


def test_ids_of_a_turn() -> None:
    turn = FEATURIZER.turn_features(Turn("I ’ m Happy, not sad.", Emotion.HAPPINESS))
    assert turn == TurnFeatures(
        token_ids=[4, 5, UNK, UNK, 9, 7],  # "Happy" and "," are unknown, "." is cut
        emotion_ids=[5, 4],
        label=5,
        tokens_dropped=1,
    )


def test_a_turn_without_emotion_words_holds_eos_and_without_emotion_asks_the_recogniser() -> None:
    turn = FEATURIZER.turn_features(Turn("not now"))
    assert (turn.emotion_ids, turn.label) == ([EOS], UNKNOWN_LABEL)


@pytest.mark.parametrize("emotion", Emotion)
def test_given_emotions_are_1_to_7(emotion: Emotion) -> None:
    assert FEATURIZER.turn_features(Turn("now", emotion)).label == emotion.value


def test_emotion_words_are_counted_before_their_limit_and_only_in_kept_tokens() -> None:
    assert FEATURIZER.turn_features(Turn("sad grim happy sad")).emotion_ids == [4, UNK]
    assert FEATURIZER.turn_features(Turn("now now now now now now sad")).emotion_ids == [EOS]


def test_oldest_turns_are_left_out_and_everything_cut_is_counted() -> None:
    dialogue = Dialogue.of(["happy", "sad", "now " * 8, "x now", "not now . . . . . . ."])
    features = FEATURIZER.features(dialogue)
    assert features.turns_dropped == 2
    assert [turn.tokens_dropped for turn in features.turns] == [2, 0, 3]
    assert features.tokens_dropped == 5
    assert features.unk_ratio == 1 / 14
    assert features.context_tokens == 14


def test_turns_outside_the_window_are_not_even_read() -> None:
    assert FEATURIZER.features(Dialogue.of(["", "now", "now", "now"])).turns_dropped == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "without any word"),
        (" \n\t", "without any word"),
        ("\x00\x1b\u202e\u200b", "without any word"),
        ("a" * 41, "a turn of 41 characters"),
        ("secret \ud800", "lone surrogate"),
    ],
)
def test_refusals_name_the_fault_and_never_the_text(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        FEATURIZER.features(Dialogue.of(["now", text]))
    assert caught.value.hint
    assert "secret" not in str(caught.value)
    assert "aaa" not in str(caught.value)


def test_the_longest_allowed_turn_is_read() -> None:
    assert FEATURIZER.turn_features(Turn("a" * 40)).token_ids == [UNK]


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        turn = FEATURIZER.turn_features(Turn(text))
    except InputError:
        return
    assert 1 <= len(turn.token_ids) <= 6
    assert 1 <= len(turn.emotion_ids) <= 2
    assert all(i == UNK or i > EOS for i in turn.token_ids)


def test_batch_is_padded_on_the_right_with_zero() -> None:
    dialogues = [
        FEATURIZER.features(Dialogue.of(["now", Turn("I 'm sad . happy", Emotion.SADNESS)])),
        FEATURIZER.features(Dialogue.of(["not"])),
    ]
    batch = encoder_input(dialogues)
    assert batch.utterances.tolist() == [
        [[10, 0, 0, 0, 0], [4, 5, 7, 8, 6]],
        [[9, 0, 0, 0, 0], [0, 0, 0, 0, 0]],
    ]
    assert batch.emotion_words.tolist() == [[[EOS, 0], [4, 5]], [[EOS, 0], [0, 0]]]
    assert batch.emotion_labels.tolist() == [[8, 6], [8, 0]]
    for array in (batch.utterances, batch.emotion_words, batch.emotion_labels):
        assert array.dtype == np.int32
        assert array.flags.c_contiguous


def test_text_of_ids_is_readable() -> None:
    assert FEATURIZER.text_of([SOS, 4, 5, 9, 6, 8, EOS, 0]) == "I'm not happy."


@given(st.lists(st.integers(0, len(WORDS) + 3), max_size=10))
def test_text_of_a_prefix_is_a_prefix(ids: list[int]) -> None:
    whole = FEATURIZER.text_of(ids)
    beginnings = [FEATURIZER.text_of(ids[:end], whole=False) for end in range(len(ids))]
    assert all(map(whole.startswith, beginnings))


@pytest.mark.parametrize(("remembered", "reads"), [(0, 6), (1, 5), (2, 3)])
def test_turns_are_read_once_while_they_are_remembered(
    monkeypatch: pytest.MonkeyPatch, remembered: int, reads: int
) -> None:
    read: list[str] = []

    def words(self: Tokenizer, text: str) -> list[str]:
        read.append(text)
        return text.split()

    monkeypatch.setattr(Tokenizer, "words", words)
    featurizer = Featurizer(TOKENIZER, LEXICON, LIMITS, remembered)
    sad, now = Turn("I sad"), Turn("not now .")
    found = [featurizer.turn_features(turn) for turn in (sad, now, sad, now, now)]
    assert featurizer.turn_features(Turn("I sad", Emotion.SADNESS)).label == Emotion.SADNESS
    assert len(read) == reads
    assert found == [FEATURIZER.turn_features(turn) for turn in (sad, now, sad, now, now)]
