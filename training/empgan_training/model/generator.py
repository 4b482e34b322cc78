"""The empathetic generator: two hierarchies and a label encoder make the memory (Eq. 2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import NUM_LABELS, STRUCK, UNKNOWN_LABEL

from .auxiliary import EmotionWordDecoder
from .decoder import Decoder
from .encoders import HierarchicalEncoder, LabelEncoder, last_valid, lengths_of
from .recogniser import EmotionRecogniser


class EncoderState(NamedTuple):
    """What decoding needs to know of a batch of dialogues.

    Attributes:
        keys: (B, M, H), W_s g (Eq. 3).
        values: (B, M, H), W_og g (Eq. 6).
        mask: (B, M), 0 for a turn, STRUCK for padding.
        hidden: (B, H), d_0.
        label_probs: (B, M, 7), the labels that were read, soft where they were recognised.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    hidden: Tensor
    label_probs: Tensor


class Memory(NamedTuple):
    """The context of each sample before it is projected for the decoder.

    Attributes:
        states: (B, M, 3 H), Eq. 2.
        newest: (B, 3 H), the state of the last valid turn.
        mask: (B, M).
    """

    states: Tensor
    newest: Tensor
    mask: Tensor


class Generator(nn.Module):
    """EmpG: encoder, recogniser, decoder and the two training-only heads."""

    def __init__(self, config: GeneratorConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden_size
        words, emotions = config.vocabulary_size, config.emotion_vocabulary_size
        word_size, emotion_size = config.embedding_size, config.emotion_embedding_size
        self.word_embedding = nn.Embedding(words, word_size, padding_idx=0)
        self.emotion_embedding = nn.Embedding(emotions, emotion_size, padding_idx=0)
        for embedding in (self.word_embedding, self.emotion_embedding):
            nn.init.normal_(embedding.weight, std=0.1)
            nn.init.zeros_(embedding.weight[0])  # padding
        self.utterances = HierarchicalEncoder(word_size, hidden, dropout)
        self.emotion_words = HierarchicalEncoder(emotion_size, hidden, dropout)
        self.labels = LabelEncoder(NUM_LABELS, config.label_embedding_size, hidden, dropout)
        self.recogniser = EmotionRecogniser(words, config.recogniser_size, dropout)
        self.decoder = Decoder(word_size, 3 * hidden, hidden, words, dropout)
        self.emotion_decoder = EmotionWordDecoder(emotion_size, hidden, emotions, dropout)
        self.label_head = nn.Linear(hidden, NUM_LABELS)

    def semantic(self, utterances: Tensor) -> Tensor:
        """Return the semantic context (B, M, H) of (B, M, L) ids."""
        context: Tensor = self.utterances(self.word_embedding(utterances), lengths_of(utterances))
        return context

    def emotional(self, emotion_words: Tensor) -> Tensor:
        """Return the fine-grained emotional context (B, M, H) of (B, M, N) ids."""
        embedded = self.emotion_embedding(emotion_words)
        context: Tensor = self.emotion_words(embedded, lengths_of(emotion_words))
        return context

    def label_probs(self, utterances: Tensor, labels: Tensor) -> Tensor:
        """Return (B, M, 7): one-hot where `labels` (B, M) is 1..7, recognised where it is 8."""
        given = functional.one_hot(labels.long().clamp(max=NUM_LABELS), NUM_LABELS + 1)[..., 1:]
        recognised = torch.softmax(self.recogniser(utterances), dim=-1)
        unknown = (labels == UNKNOWN_LABEL).unsqueeze(-1)
        return torch.where(unknown, recognised, given.to(recognised.dtype))

    def memory(
        self, semantic: Tensor, emotional: Tensor, label_probs: Tensor, turns: Tensor
    ) -> Memory:
        """Return Eq. 2 for contexts of `turns` (B,) turns.

        Args:
            semantic, emotional: (B, M, H) from the methods of those names.
            label_probs: (B, M, 7).
        """
        labels = self.labels(label_probs, last_valid(emotional, turns))
        states = torch.cat([semantic, emotional, labels], dim=-1)
        position = torch.arange(states.shape[1], device=states.device)
        mask = (position >= turns.unsqueeze(1)).to(states.dtype) * STRUCK
        return Memory(states, last_valid(states, turns), mask)

    def encode(self, utterances: Tensor, emotion_words: Tensor, labels: Tensor) -> EncoderState:
        """Return what the decoder needs; inputs as in `empgan_rt.graph_spec.EncoderInput`."""
        probs = self.label_probs(utterances, labels)
        memory = self.memory(
            self.semantic(utterances),
            self.emotional(emotion_words),
            probs,
            lengths_of(labels),
        )
        keys, values, hidden = self.decoder.prepare(memory.states, memory.newest)
        return EncoderState(keys, values, memory.mask, hidden, probs)

    def step(
        self, tokens: Tensor, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden state (B, K, H) and the logits (B, K, V) after (B, K) tokens."""
        return self.decoder.step(self.word_embedding(tokens), hidden, keys, values, mask)
