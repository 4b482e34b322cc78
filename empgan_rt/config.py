"""Frozen settings, checked once when made: sizes of a generator, limits, and the search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from .errors import InputError

Context = Literal["hierarchical", "flat"]
Stream = Literal["utterances", "emotion_words", "emotion_labels"]

MAX_BEAM_SIZE = 128
MAX_LENGTH = 200  # tokens of a reply
MAX_SEED = 2**63 - 1  # what JSON, PyTorch and msgspec all hold
MAX_BANNED_WORDS = 10_000
MAX_BANNED_CHARACTERS = 200  # of one entry
MAX_CANDIDATES = 256  # what a sampler may draw from; TensorRT's TopK ends at 3840


def _check(owner: Any, name: str, low: float, high: float) -> None:
    """Raise InputError unless `low <= owner.name <= high` and its type is the declared one."""
    value = getattr(owner, name)
    declared = owner.__dataclass_fields__[name].type
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    is_number = is_whole or isinstance(value, float)
    if not (is_whole if declared == "int" else is_number) or not low <= value <= high:
        raise InputError(
            f"{name} is {_shown(value)}", hint=f"give {declared} from {low:g} to {high:g}"
        )


def check_seed(seed: object, name: str = "seed", most: int = MAX_SEED) -> None:
    """Raise InputError unless a seed is a whole number from 0 to `most`."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed <= most:
        raise InputError(f"{name} is {_shown(seed)}", hint=f"give a whole number from 0 to {most}")


def _shown(value: object) -> str:
    """Return a value for a message; Python writes no number of thousands of digits."""
    if isinstance(value, int) and value.bit_length() > 256:
        return f"a number of {value.bit_length():,} bits"
    return repr(value)[:60]


@dataclass(frozen=True)
class GeneratorConfig:
    """Shape and sizes of a generator; travels in checkpoints and manifests.

    The defaults are EmpG, the paper's generator; its baselines leave parts of it out.

    Attributes:
        vocabulary_size: V, entries of the general vocabulary, four specials included.
        emotion_vocabulary_size: entries of the emotion vocabulary, four specials included.
        embedding_size: E, width of a word embedding, shared by encoder and decoder.
        emotion_embedding_size: width of an emotion-word embedding.
        label_embedding_size: width of an emotion-label embedding.
        hidden_size: H, width of every GRU.
        recogniser_size: width of the emotion recogniser's embedding and GRUs.
        recogniser_buckets: rows of the table in which the recogniser looks up words and pairs of
            words; 0 if it reads them one after another.
        context: "hierarchical" reads words into turns and turns into a context, one memory
            position a turn; "flat" reads the dialogue as one sequence, one position a token.
        streams: what makes the memory (Eq. 2), in this order; a flat context has "utterances".
        attention: whether the decoder attends to every position, or reads the newest one alone.
        prepend_label: whether the newest turn's emotion label stands before a flat sequence.
        word_turns: newest turns whose words are memory positions as well, behind the turns; beyond
            the paper, for a hierarchical context with attention.
        tied: whether the vocabulary's layer has the word embedding's weights (Press and Wolf
            2017); E is H then.
    """

    vocabulary_size: int
    emotion_vocabulary_size: int
    embedding_size: int = 300
    emotion_embedding_size: int = 200
    label_embedding_size: int = 100
    hidden_size: int = 400
    recogniser_size: int = 64
    recogniser_buckets: int = 0
    context: Context = "hierarchical"
    streams: tuple[Stream, ...] = get_args(Stream)
    attention: bool = True
    prepend_label: bool = False
    word_turns: int = 0
    tied: bool = False

    def __post_init__(self) -> None:
        for name in ("vocabulary_size", "emotion_vocabulary_size"):
            _check(self, name, 5, 1_000_000)
        for name in (
            "embedding_size",
            "emotion_embedding_size",
            "label_embedding_size",
            "hidden_size",
            "recogniser_size",
        ):
            _check(self, name, 1, 8192)
        _check(self, "recogniser_buckets", 0, 1 << 24)
        flat = self.context == "flat"
        if self.context not in get_args(Context) or (self.prepend_label and not flat):
            raise InputError(
                f"context is {self.context!r} with prepend_label {self.prepend_label!r}",
                hint="give hierarchical or flat; only flat takes a label before it",
            )
        known = [stream for stream in get_args(Stream) if stream in self.streams]
        if (*known,) != self.streams or known[:1] != ["utterances"] or (flat and len(known) > 1):
            raise InputError(
                f"streams are {self.streams!r} of a {self.context} context",
                hint="give utterances, and in a hierarchical context emotion_words and "
                "emotion_labels after it if wanted",
            )
        _check(self, "word_turns", 0, 8)
        if self.word_turns and (flat or not self.attention):
            raise InputError(
                f"word_turns is {self.word_turns} of a {self.context} context, attention "
                f"{self.attention!r}",
                hint="give 0, or a hierarchical context with attention",
            )
        if self.tied not in (False, True) or (
            self.tied and self.embedding_size != self.hidden_size
        ):
            raise InputError(
                f"tied is {self.tied!r} with embedding_size {self.embedding_size} and hidden_size "
                f"{self.hidden_size}",
                hint="give true or false; where it is true, give both sizes alike",
            )

    @property
    def memory_size(self) -> int:
        """G, width of one memory position."""
        return self.hidden_size * len(self.streams)

    @property
    def turn_sizes(self) -> tuple[int, ...]:
        """Widths of what is known of a turn by itself.

        They are those of each stream's vector, unless the context is flat or the stream has no
        words of its own, and of the recogniser's.
        """
        by_turn = [s for s in self.streams if s != "emotion_labels" and self.context != "flat"]
        return (*[self.hidden_size] * len(by_turn), self.recogniser_size)

    @property
    def context_sizes(self) -> tuple[int, ...]:
        """Widths of what is known of a turn after those before it: states, and once more R.

        The last is what the recogniser knows of the turn by itself.
        """
        return (*self.turn_sizes, self.recogniser_size)


@dataclass(frozen=True)
class Limits:
    """The most of a dialogue that is read; what is cut is counted in the Reply.

    Attributes:
        max_turns: newest turns that are kept.
        max_tokens: first tokens kept of each turn.
        max_emotion_words: first emotion words kept of each turn.
        max_characters: a longer turn is refused, not cut.
    """

    max_turns: int = 50
    max_tokens: int = 128
    max_emotion_words: int = 32
    max_characters: int = 20_000

    def __post_init__(self) -> None:
        _check(self, "max_turns", 1, 1000)
        _check(self, "max_tokens", 1, 2048)
        _check(self, "max_emotion_words", 1, 2048)
        _check(self, "max_characters", 1, 1_000_000)


@dataclass(frozen=True)
class SearchConfig:
    """The settings of a search for a reply. Greedy search is `beam_size=1` with early stopping.

    Attributes:
        beam_size: K, live hypotheses of a beam search; ignored when sampling.
        num_hypotheses: replies wanted, best first; at most beam_size unless sampling.
        max_length: most tokens of a reply, end of sequence not counted.
        min_length: fewest tokens before the end of sequence may come.
        length_penalty: a hypothesis is scored log P / length ** length_penalty, where the
            length counts the end of sequence (Wu et al. 2016 with their constant at 0).
        no_repeat_ngram: no sequence of this many tokens comes twice in a reply; 0 is off.
        repetition_penalty: log-probabilities of tokens already in the reply are multiplied by
            this (Keskar et al. 2019, on log-probabilities); 1 is off.
        banned_words: words and phrases that a reply never says, read as text is: capitals, kinds
            of apostrophes and spaces make no difference, "it's" and "shut up" are banned as a
            whole, and a word with a hyphen is one word. Entries with a word outside of the
            model's vocabulary can never come; they are allowed, and a warning is logged.
        allow_unknown: whether the unknown-word token may come.
        early_stopping: end as soon as beam_size hypotheses ended; otherwise only when no live
            one can still win.
        sample: draw tokens instead of searching for the most probable reply.
        temperature: divides log-probabilities before drawing.
        top_k: draw from this many most probable tokens.
        top_p: of those, draw from the smallest set holding this probability (Holtzman 2020).
        seed: makes sampling repeatable, alone or in any batch; None draws fresh entropy.
    """

    beam_size: int = 5
    num_hypotheses: int = 1
    max_length: int = 30
    min_length: int = 1
    length_penalty: float = 1.0
    no_repeat_ngram: int = 3
    repetition_penalty: float = 1.0
    banned_words: tuple[str, ...] = ()
    allow_unknown: bool = False
    early_stopping: bool = True
    sample: bool = False
    temperature: float = 1.0
    top_k: int = 50
    top_p: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        _check(self, "beam_size", 1, MAX_BEAM_SIZE)
        _check(self, "num_hypotheses", 1, MAX_BEAM_SIZE)
        _check(self, "max_length", 1, MAX_LENGTH)
        _check(self, "min_length", 0, self.max_length)
        _check(self, "length_penalty", -10.0, 10.0)
        _check(self, "no_repeat_ngram", 0, 20)
        _check(self, "repetition_penalty", 1.0, 100.0)
        _check(self, "temperature", 0.01, 100.0)
        _check(self, "top_k", 1, MAX_CANDIDATES)
        _check(self, "top_p", 1e-6, 1.0)
        for name in ("allow_unknown", "early_stopping", "sample"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(
                    f"{name} is {_shown(getattr(self, name))}", hint="give true or false"
                )
        self._check_banned_words()
        if self.num_hypotheses > self.beam_size and not self.sample:
            raise InputError(
                f"num_hypotheses is {self.num_hypotheses} with beam_size {self.beam_size}",
                hint="raise beam_size to at least num_hypotheses",
            )
        if self.seed is not None:
            check_seed(self.seed)

    def _check_banned_words(self) -> None:
        if not isinstance(self.banned_words, tuple | list):
            raise InputError("banned_words are not words", hint="give a tuple of strings")
        if len(self.banned_words) > MAX_BANNED_WORDS:
            raise InputError(
                f"{len(self.banned_words):,} banned_words",
                hint=f"give at most {MAX_BANNED_WORDS:,}",
            )
        for place, entry in enumerate(self.banned_words):
            if not isinstance(entry, str):
                raise InputError(
                    f"banned_words[{place}] is of type {type(entry).__name__}", hint="give a string"
                )
            if not entry.strip():
                raise InputError(f"banned_words[{place}] is blank", hint="leave empty entries out")
            if len(entry) > MAX_BANNED_CHARACTERS:
                raise InputError(
                    f"banned_words[{place}] has {len(entry):,} characters",
                    hint=f"give words and phrases of at most {MAX_BANNED_CHARACTERS}",
                )
            if any("\ud800" <= character <= "\udfff" for character in entry):
                raise InputError(
                    f"banned_words[{place}] has a lone surrogate", hint="decode the text as UTF-8"
                )

    @property
    def rows(self) -> int:
        """Hypotheses decoded side by side: the beam, or one chain per sampled reply."""
        return self.num_hypotheses if self.sample else self.beam_size

    @property
    def candidates(self) -> int:
        """Next tokens of each row that make every step exact, whatever the model says.

        One more than the beams suffices, because one may be the end of sequence. A repetition
        penalty pushes down at most as many as there are tokens in the reply. That is counted with
        its longest reply, so that the number is of the request alone and not of a step.
        """
        fewest = self.top_k if self.sample else self.beam_size + 1
        return fewest + (self.max_length if self.repetition_penalty > 1.0 else 0)
