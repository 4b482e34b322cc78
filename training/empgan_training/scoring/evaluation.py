"""What an evaluation was asked for and what it found, as frozen values ready for JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from empgan_rt.config import SearchConfig
from empgan_rt.errors import InputError

from ..config import TrainConfig
from ..metrics.scores import TextScores
from .decoding import Labels
from .recognition import RecogniserScores

TEXT_METRICS = ("bleu", "distinct", "rouge")
METRICS = ("perplexity", *TEXT_METRICS, "recogniser")


@dataclass(frozen=True)
class EvaluateOptions:
    """The choice of what is scored, and how.

    Attributes:
        split: of the prepared folder.
        metrics: some of `METRICS`.
        labels: emotion labels that the model reads; None scores perplexity with both kinds
            and generates with recognised ones, as users do.
        samples: what is generated: the samples of the protocol's tables, which only the test
            split has, or all; None takes the tables' where they exist.
        limit: take only so many samples and dialogues, the first ones.
        search: how replies are searched for.
        max_response: longer responses are cut to this many tokens for perplexity, as in training.
        source: of a folder of several corpora, the one that is scored; None for all.
    """

    split: str = "test"
    metrics: tuple[str, ...] = METRICS
    labels: Labels | None = None
    samples: Literal["table", "all"] | None = None
    limit: int | None = None
    search: SearchConfig = field(default_factory=lambda: SearchConfig(beam_size=1))
    max_response: int = TrainConfig().max_response
    source: str | None = None

    def __post_init__(self) -> None:
        unknown = [name for name in self.metrics if name not in METRICS]
        if unknown or not self.metrics:
            raise InputError(f"metrics {unknown}", hint=f"use some of {', '.join(METRICS)}")
        if self.limit is not None and self.limit < 1:
            raise InputError(f"limit is {self.limit}", hint="give at least 1")
        if self.samples == "table" and self.split != "test":
            raise InputError(
                f"the {self.split} split has no table samples", hint="use --samples all"
            )


@dataclass(frozen=True)
class Perplexity:
    """The perplexity of responses under one kind of labels.

    Attributes:
        labels: which emotion labels the model read.
        perplexity: exp of the mean negative log-probability per token.
        n: responses; tokens: their tokens, one EOS each included.
    """

    labels: Labels
    perplexity: float
    n: int
    tokens: int


@dataclass(frozen=True)
class LanguageScores:
    """Perplexities over the same responses, and what they depend on.

    Attributes:
        model: one for each kind of labels.
        trigram: perplexity of an add-one trigram model of the training responses, over the
            same tokens and vocabulary.
        vocabulary_size: V.
        unknown_percent: share of UNK among the tokens.
        max_response: tokens kept of a response.
    """

    model: tuple[Perplexity, ...]
    trigram: float
    vocabulary_size: int
    unknown_percent: float
    max_response: int


@dataclass(frozen=True)
class Prediction:
    """A generated reply: the sample's id, and words joined by spaces; never corpus text."""

    id: str
    hypothesis: str


@dataclass(frozen=True)
class Generation:
    """Generated replies and their scores.

    Attributes:
        labels: which emotion labels the model read.
        samples: "table" or "all".
        search: every setting of the search.
        mean_length: words of a reply; reference_length: words of a reference.
        scores: against the gold responses.
        predictions: the replies themselves; not part of the report.
    """

    labels: Labels
    samples: str
    search: SearchConfig
    mean_length: float
    reference_length: float
    scores: TextScores
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True)
class Evaluation:
    """Every score of one model on one split; what was not asked for is None.

    Attributes:
        facts: JSON-ready: the model, its engine, the data and its hash.
        options: what was asked for.
        language: perplexities.
        generation: replies and their scores.
        recogniser: of every turn that a context can hold.
    """

    facts: Mapping[str, Any]
    options: EvaluateOptions
    language: LanguageScores | None
    generation: Generation | None
    recogniser: RecogniserScores | None

    def as_dict(self) -> dict[str, Any]:
        """Return the evaluation as nested plain values, ready for JSON."""
        tree: dict[str, Any] = dict(self.facts)
        if self.language is not None:
            tree["perplexity"] = asdict(self.language)
        if self.generation is not None:
            text = asdict(self.generation)
            del text["predictions"]
            for name in TEXT_METRICS:
                if name not in self.options.metrics:
                    del text["scores"][name]
            tree["text"] = text
        if self.recogniser is not None:
            tree["recogniser"] = self.recogniser.as_dict()
        return tree
