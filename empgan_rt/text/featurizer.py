"""Dialogues to the encoder's input, and token ids to readable text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b

import numpy as np

from ..config import Limits
from ..dialogue.turns import Dialogue, Emotion, Turn
from ..errors import InputError
from ..graph_spec import EOS, UNK, UNKNOWN_LABEL, EncoderInput, IntArray
from .banned_words import BannedWords
from .bans import Bans
from .detokenizer import detokenise
from .emotion_lexicon import EmotionLexicon
from .tokenizer import Tokenizer

_BAN_LISTS = 64  # that are remembered, the last used ones; most programs have one


@dataclass(frozen=True)
class TurnFeatures:
    """One turn as ids.

    Attributes:
        token_ids: general-vocabulary ids, at least one.
        emotion_ids: emotion-vocabulary ids; [EOS] if the turn has no emotion word.
        label: 1..7 as given, 8 if unknown.
        tokens_dropped: tokens beyond the limit.
    """

    token_ids: list[int]
    emotion_ids: list[int]
    label: int
    tokens_dropped: int


@dataclass(frozen=True)
class DialogueFeatures:
    """One dialogue as ids, and what the limits cut from it."""

    turns: tuple[TurnFeatures, ...]
    turns_dropped: int

    @property
    def tokens_dropped(self) -> int:
        """Tokens cut from the turns that are kept."""
        return sum(turn.tokens_dropped for turn in self.turns)

    @property
    def context_tokens(self) -> int:
        """Tokens of the turns that are kept."""
        return sum(len(turn.token_ids) for turn in self.turns)

    @property
    def unk_ratio(self) -> float:
        """Share of the kept tokens that are outside the vocabulary, 0 to 1."""
        ids = [i for turn in self.turns for i in turn.token_ids]
        return ids.count(UNK) / len(ids)


class Featurizer:
    """Reads dialogues and writes text for one tokenizer, one emotion lexicon, one set of limits.

    Args:
        tokenizer, lexicon, limits: of the model.
        remembered: turns whose ids are kept, the last used ones, so that a dialogue that goes on
            is not read from its beginning again; they are found by a digest of their text.
    """

    def __init__(
        self, tokenizer: Tokenizer, lexicon: EmotionLexicon, limits: Limits, remembered: int = 0
    ) -> None:
        self.tokenizer = tokenizer
        self.lexicon = lexicon
        self.limits = limits
        self._bans = lru_cache(_BAN_LISTS)(BannedWords(tokenizer).bans)
        self._place = lru_cache(remembered)(_empty_place)

    def turn_features(self, turn: Turn) -> TurnFeatures:
        """Return the ids of one turn.

        Raises:
            InputError: the text is empty, too long, holds lone surrogates or no word at all.
        """
        limits = self.limits
        if len(turn.text) > limits.max_characters:
            raise InputError(
                f"a turn of {len(turn.text):,} characters",
                hint=f"shorten it to {limits.max_characters:,}",
            )
        try:
            text = turn.text.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                "a turn with a lone surrogate", hint="decode the text as UTF-8 before passing it"
            ) from None
        place = self._place(blake2b(text, digest_size=16).digest(), turn.emotion)
        if not place:  # two threads may both read a turn: they read the same
            place.append(self._read(turn))
        return place[0]

    def _read(self, turn: Turn) -> TurnFeatures:
        """Return the ids of a turn of acceptable length.

        Raises:
            InputError: it has no word at all.
        """
        limits = self.limits
        words = self.tokenizer.words(turn.text)
        if not words:
            raise InputError("a turn without any word", hint="leave empty turns out")
        kept = words[: limits.max_tokens]
        emotion_ids = self.lexicon.ids(kept)[: limits.max_emotion_words]
        return TurnFeatures(
            token_ids=self.tokenizer.ids(kept),
            emotion_ids=emotion_ids or [EOS],
            label=UNKNOWN_LABEL if turn.emotion is None else int(turn.emotion),
            tokens_dropped=len(words) - len(kept),
        )

    def features(self, dialogue: Dialogue) -> DialogueFeatures:
        """Return the ids of the newest turns of a dialogue.

        Raises:
            InputError: as `turn_features`, for any turn that is kept.
        """
        kept = dialogue.turns[-self.limits.max_turns :]
        return DialogueFeatures(
            turns=tuple(self.turn_features(turn) for turn in kept),
            turns_dropped=len(dialogue.turns) - len(kept),
        )

    def bans(self, banned_words: tuple[str, ...]) -> Bans:
        """Return the tokens and phrases that `SearchConfig.banned_words` keeps from a reply.

        Raises:
            InputError: an entry has no word, or too many spellings.
        """
        return self._bans(banned_words)

    def text_of(self, token_ids: Sequence[int], *, whole: bool = True) -> str:
        """Return readable text; if it is not the `whole`, as much as later tokens cannot change."""
        return detokenise(self.tokenizer.words_of(token_ids), whole=whole)


def _empty_place(digest: bytes, emotion: Emotion | None) -> list[TurnFeatures]:
    """Return where the ids of one turn are to be kept."""
    return []


def encoder_input(dialogues: Sequence[DialogueFeatures]) -> EncoderInput:
    """Return the padded batch of some dialogues (shapes in `EncoderInput`)."""
    batch = len(dialogues)
    turns = max(len(d.turns) for d in dialogues)
    tokens = max(len(t.token_ids) for d in dialogues for t in d.turns)
    words = max(len(t.emotion_ids) for d in dialogues for t in d.turns)
    utterances: IntArray = np.zeros((batch, turns, tokens), np.int32)
    emotion_words: IntArray = np.zeros((batch, turns, words), np.int32)
    labels: IntArray = np.zeros((batch, turns), np.int32)
    for b, dialogue in enumerate(dialogues):
        for m, turn in enumerate(dialogue.turns):
            utterances[b, m, : len(turn.token_ids)] = turn.token_ids
            emotion_words[b, m, : len(turn.emotion_ids)] = turn.emotion_ids
            labels[b, m] = turn.label
    return EncoderInput(utterances, emotion_words, labels)
