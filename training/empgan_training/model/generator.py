"""The generator: up to three streams make the memory (Eq. 2) that one decoder reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import NUM_LABELS, UNKNOWN_LABEL

from .attention import Readable
from .auxiliary import EmotionWordDecoder
from .decoder import Decoder
from .encoders import FlatEncoder, HierarchicalEncoder, LabelEncoder, last_valid, lengths_of
from .memory import Memory, flat_memory, memory_of
from .newest_words import NewestWords, beside
from .recogniser import EmotionRecogniser


class EncoderState(NamedTuple):
    """What decoding needs to know of a batch of dialogues.

    Attributes:
        keys: (B, P, H), W_s g (Eq. 3).
        values: (B, P, H), W_og g (Eq. 6).
        mask: (B, P), 0 where the decoder reads, STRUCK elsewhere.
        hidden: (B, H), d_0.
        label_probs: (B, M, 7), the labels that were read, soft where they were recognised.
    """

    keys: Tensor
    values: Tensor
    mask: Tensor
    hidden: Tensor
    label_probs: Tensor


class Generator(nn.Module):
    """Encoders, recogniser, decoder and the training-only heads of the streams it has."""

    def __init__(self, config: GeneratorConfig, dropout: float = 0.0) -> None:
        super().__init__()
        self.config = config
        hidden, words = config.hidden_size, config.vocabulary_size
        word_size = config.embedding_size
        self.word_embedding = _embedding(words, word_size)
        self.emotion_embedding: nn.Embedding | None = None
        self.emotion_words: HierarchicalEncoder | None = None
        self.emotion_decoder: EmotionWordDecoder | None = None
        self.labels: LabelEncoder | None = None
        self.label_head: nn.Linear | None = None
        self.utterances: HierarchicalEncoder | FlatEncoder
        if config.context == "flat":
            self.utterances = FlatEncoder(
                word_size, hidden, dropout, prepend_label=config.prepend_label
            )
        else:
            self.utterances = HierarchicalEncoder(word_size, hidden, dropout)
        if "emotion_words" in config.streams:
            emotions, emotion_size = config.emotion_vocabulary_size, config.emotion_embedding_size
            self.emotion_embedding = _embedding(emotions, emotion_size)
            self.emotion_words = HierarchicalEncoder(emotion_size, hidden, dropout)
            self.emotion_decoder = EmotionWordDecoder(emotion_size, hidden, emotions, dropout)
        if "emotion_labels" in config.streams:
            self.labels = LabelEncoder(config.label_embedding_size, hidden, dropout)
            self.label_head = nn.Linear(hidden, NUM_LABELS)
        self.recogniser = EmotionRecogniser(
            words, config.recogniser_size, dropout, config.recogniser_buckets
        )
        self.newest_words: NewestWords | None = None
        if config.word_turns:
            self.newest_words = NewestWords(config.word_turns, hidden, dropout)
        shared = self.word_embedding if config.tied else None
        self.decoder = Decoder(word_size, config.memory_size, hidden, words, dropout, shared)

    def trained_after_recogniser(self) -> list[nn.Parameter]:
        """Return the parameters of everything but the recogniser, which is frozen by then."""
        return [p for n, p in self.named_parameters() if not n.startswith("recogniser.")]

    def memory(
        self,
        utterances: Tensor,
        emotion_words: Tensor,
        label_probs: Tensor,
        turns: Tensor,
        dialogue_of: Tensor | None = None,
    ) -> Memory:
        """Return Eq. 2 of S contexts, each the first turns of a dialogue.

        Args:
            utterances: (B, M, L) ids of the general vocabulary.
            emotion_words: (B, M, N) ids of the emotion vocabulary.
            label_probs: (B, M, 7).
            turns: (S,) turns of each context.
            dialogue_of: (S,) row of each context's dialogue; None if each has one context.
        """
        vectors, words = self._stream_turns(utterances, emotion_words)
        contexts = self._contexts(vectors)
        memory = self._memory(contexts, utterances, label_probs, turns, dialogue_of)
        if self.newest_words is None or words is None:
            return memory
        lengths = lengths_of(utterances)
        positions = self.newest_words.in_dialogues(words, lengths, turns, dialogue_of)
        return memory._replace(words=positions)

    def _stream_turns(
        self, utterances: Tensor, emotion_words: Tensor
    ) -> tuple[list[Tensor], Tensor | None]:
        """Return the turn vectors (B, M, H) of each stream that has words of its own.

        Returns:
            Those, and the states (B, M, L, H) of the words of utterances; a flat context has none.
        """
        if isinstance(self.utterances, FlatEncoder):
            return [], None  # it knows no turns
        lengths = lengths_of(utterances)
        words = self.utterances.words(self.word_embedding(utterances), lengths)
        vectors = [self.utterances.of_words(words, lengths)]
        if self.emotion_words is not None and self.emotion_embedding is not None:
            embedded = self.emotion_embedding(emotion_words)
            vectors.append(self.emotion_words.turns(embedded, lengths_of(emotion_words)))
        return vectors, words

    def _contexts(
        self, vectors: Sequence[Tensor], initial: Sequence[Tensor] | None = None
    ) -> list[Tensor]:
        """Return the context vectors (B, M, H) of each stream's turn vectors (B, M, H).

        Args:
            vectors: from `_stream_turns`.
            initial: of each stream, the context vectors (B, H) before these turns.
        """
        encoders = (self.utterances, self.emotion_words)
        read = [each for each in encoders if isinstance(each, HierarchicalEncoder)]
        before: Sequence[Tensor | None] = initial or [None] * len(read)
        return [
            encoder.in_context(turns, start)
            for encoder, turns, start in zip(read, vectors, before, strict=False)
        ]

    def _memory(
        self,
        contexts: Sequence[Tensor],
        utterances: Tensor,
        label_probs: Tensor,
        turns: Tensor,
        dialogue_of: Tensor | None = None,
    ) -> Memory:
        """Return `memory`, the context vectors given."""
        attention = self.config.attention
        if isinstance(self.utterances, FlatEncoder):
            return flat_memory(
                self.utterances,
                self.word_embedding,
                utterances,
                label_probs,
                turns,
                dialogue_of,
                attention=attention,
            )

        def of_contexts(states: Tensor) -> Tensor:
            return states if dialogue_of is None else states[dialogue_of]

        label_probs = of_contexts(label_probs)
        # read once for every context: a context's states are the first of its dialogue's
        streams = [of_contexts(states) for states in contexts]
        emotional = None
        if self.emotion_words is not None:
            emotional = last_valid(streams[-1], turns)
        if self.labels is not None:
            streams.append(self.labels(label_probs, last_valid(streams[-1], turns)))
        return memory_of(streams, turns, attention=attention, emotional=emotional)

    def readable(self, memory: Memory) -> tuple[Readable, Tensor]:
        """Return what a given memory's replies read, and their first hidden state (B, H)."""
        keys, values, hidden = self.decoder.prepare(
            memory.rows, memory.newest, memory.mask, memory.row_of
        )
        read = Readable(keys, values, memory.mask, memory.row_of)
        return (read if memory.words is None else beside(read, memory.words)), hidden

    def encode(self, utterances: Tensor, emotion_words: Tensor, labels: Tensor) -> EncoderState:
        """Return what the decoder needs; inputs as in `empgan_rt.graph_spec.EncoderInput`."""
        vectors = self.encode_turns(utterances, emotion_words)
        return self.encode_context(vectors, utterances, labels)

    def encode_turns(self, utterances: Tensor, emotion_words: Tensor) -> Tensor:
        """Return (B, M, D), what is known of each turn by itself, for `encode_context`.

        It depends on no other turn: each stream's vector, and the recogniser's.
        """
        vectors, _ = self._stream_turns(utterances, emotion_words)
        return torch.cat([*vectors, self.recogniser.turns(utterances)], dim=-1)

    def encode_context(self, vectors: Tensor, utterances: Tensor, labels: Tensor) -> EncoderState:
        """Return what the decoder needs to know of dialogues.

        Args:
            vectors: (B, M, D) from `encode_turns`, of any float type, and of any value where a
                label is 0.
            utterances: (B, M, L), read by a flat encoder, and where words are memory positions.
            labels: (B, M) as in `empgan_rt.graph_spec.EncoderInput`.
        """
        return self._encoded(self._states(vectors), utterances, labels)

    def continue_context(
        self, vectors: Tensor, earlier: Tensor, read: Tensor, utterances: Tensor, labels: Tensor
    ) -> tuple[EncoderState, Tensor]:
        """Return what `encode_context` does of dialogues whose first turns were read before.

        The GRUs over turns go on from the states that they had then. The labels' own GRU cannot:
        it starts from the newest emotion words, so it reads all turns again.

        Args:
            vectors: (B, T, D) from `encode_turns`, of the turns that are new.
            earlier: (B, E, W), a row of zeros, and the rows that were returned of earlier turns.
            read: (B,) how many turns these are, from 0 to E - 1.
            utterances, labels: as in `encode_context`, of all turns.

        Returns:
            That, and the rows (B, T, W) of the new turns, to be given as `earlier` later; of the
            sizes `GeneratorConfig.context_sizes`.
        """
        dtype = self.word_embedding.weight.dtype
        sizes, read = [*self.config.context_sizes], read.long()
        before = last_valid(earlier, read + 1).to(dtype)
        new = torch.cat(self._states(vectors, torch.split(before, sizes, dim=-1)[:-1]), dim=-1)
        place = torch.arange(labels.shape[1], device=labels.device)
        since = place - read.unsqueeze(1)  # (B, M), below 0 where a turn was read before
        place = torch.where(since < 0, place + 1, earlier.shape[1] + since)
        # padding may lie beyond both, and reads anything
        place = place.clamp(max=earlier.shape[1] + new.shape[1] - 1)
        both = torch.cat([earlier.to(dtype), new], dim=1)
        contexts = both.gather(1, place.unsqueeze(-1).expand(-1, -1, both.shape[2]))
        states = torch.split(contexts, sizes, dim=-1)
        return self._encoded(states, utterances, labels), new

    def _states(self, vectors: Tensor, initial: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Return what is known of turns (B, M, D) after the turns before them.

        Args:
            vectors: from `encode_turns`.
            initial: states (B, ...) before the first of them; zeros if None.

        Returns:
            A state of each stream and of the recogniser, and the recogniser's turn vectors.
        """
        vectors = vectors.to(self.word_embedding.weight.dtype)
        *streams, recognised = torch.split(vectors, [*self.config.turn_sizes], dim=-1)
        heard = self.recogniser.states(recognised, initial[-1] if initial else None)
        return [*self._contexts(streams, initial[:-1] if initial else None), heard, recognised]

    def _encoded(
        self, states: Sequence[Tensor], utterances: Tensor, labels: Tensor
    ) -> EncoderState:
        """Return `encode_context`, the states of all turns given."""
        *contexts, heard, recognised = states
        probs = label_probs(self.recogniser.logits(recognised, heard), labels)
        turns = lengths_of(labels)
        memory = self._memory(contexts, utterances, probs, turns)
        keys, values, hidden = self.decoder.prepare(memory.rows, memory.newest)
        read = Readable(keys, values, memory.mask)
        if self.newest_words is not None and isinstance(self.utterances, HierarchicalEncoder):
            ids, lengths = self.newest_words.ids(utterances, turns)
            words = self.utterances.words(self.word_embedding(ids), lengths_of(ids))
            read = beside(read, self.newest_words.of_newest(turns, words, lengths))
        return EncoderState(read.keys, read.values, read.mask, hidden, probs)

    def step(
        self, tokens: Tensor, hidden: Tensor, keys: Tensor, values: Tensor, mask: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return the next hidden state (B, K, H) and the logits (B, K, V) after (B, K) tokens."""
        return self.decoder.step(self.word_embedding(tokens), hidden, keys, values, mask)


def label_probs(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (B, M, 7): one-hot where `labels` (B, M) is 1..7, recognised where it is 8."""
    given = functional.one_hot(labels.long().clamp(max=NUM_LABELS), NUM_LABELS + 1)[..., 1:]
    recognised = torch.softmax(logits, dim=-1)
    unknown = (labels == UNKNOWN_LABEL).unsqueeze(-1)
    return torch.where(unknown, recognised, given.to(recognised.dtype))


def _embedding(entries: int, size: int) -> nn.Embedding:
    embedding = nn.Embedding(entries, size, padding_idx=0)
    nn.init.normal_(embedding.weight, std=0.1)
    nn.init.zeros_(embedding.weight[0])  # padding
    return embedding
