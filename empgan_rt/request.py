"""One dialogue made ready for the model, and how several of them share batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from .config import SearchConfig
from .dialogue import Dialogue, Turn
from .errors import InputError
from .text.featurizer import DialogueFeatures, Featurizer

MAX_BATCH = 32  # dialogues
MAX_ROWS = 1024  # dialogues times beams: bounds what a decoder step allocates

Turns = Dialogue | Sequence[str | Turn]


@dataclass(frozen=True)
class Request:
    """A dialogue as ids, and how to search for its reply.

    Attributes:
        features: the turns that are read.
        search: how to search.
        banned: token ids that never come.
        featurize_ms: how long reading took.
    """

    features: DialogueFeatures
    search: SearchConfig
    banned: tuple[int, ...]
    featurize_ms: float


def read_request(turns: Turns, search: SearchConfig, featurizer: Featurizer) -> Request:
    """Return the request to answer a dialogue.

    Banned words outside the vocabulary need no ban: they cannot come.

    Raises:
        InputError: there is no turn, or one is empty, too long, or no text, or its label is none
            of the seven.
    """
    started = time.perf_counter()
    if not isinstance(search, SearchConfig):
        raise InputError(f"a search of type {type(search).__name__}", hint="give a SearchConfig")
    dialogue = Dialogue.of(turns)
    features = featurizer.features(dialogue)
    vocabulary = featurizer.tokenizer.vocabulary
    ids = featurizer.tokenizer.ids(search.banned_words)
    found = zip(ids, search.banned_words, strict=True)
    banned = tuple(i for i, word in found if vocabulary[i] == word)
    return Request(features, search, banned, (time.perf_counter() - started) * 1e3)


def group(requests: Sequence[Request], max_batch: int = MAX_BATCH) -> list[list[int]]:
    """Return the places of `requests` in batches; those of one batch are of similar length.

    No batch has more than `max_batch` dialogues, nor more than MAX_ROWS rows in the decoder.
    """
    batches: list[list[int]] = []
    widest = 0  # rows of the widest request in the last batch
    for place in sorted(range(len(requests)), key=lambda i: _length(requests[i])):
        rows = requests[place].search.rows
        size = len(batches[-1]) + 1 if batches else 0
        if not 0 < size <= max_batch or size * max(widest, rows) > MAX_ROWS:
            batches.append([])
            widest = 0
        batches[-1].append(place)
        widest = max(widest, rows)
    return batches


def _length(request: Request) -> tuple[int, int]:
    turns = request.features.turns
    return len(turns), max(len(turn.token_ids) for turn in turns)
