"""One dialogue made ready for the model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from ..config import SearchConfig
from ..dialogue.turns import Dialogue, Turns
from ..errors import InputError
from ..text.bans import Bans
from ..text.featurizer import DialogueFeatures, Featurizer

MAX_BATCH = 32  # dialogues in the encoder at once
MAX_RUNNING = 256  # dialogues in the decoder at once
TURN_CACHE = 1024  # turns whose encodings are kept; 3.5 kB each at the paper's sizes
MAX_ROWS = 1024  # dialogues times beams: bounds what a decoder step allocates


@dataclass(frozen=True)
class Request:
    """A dialogue as ids, and how to search for its reply.

    Attributes:
        features: the turns that are read.
        search: how to search.
        bans: what the reply may not say.
        featurize_ms: how long reading took.
    """

    features: DialogueFeatures
    search: SearchConfig
    bans: Bans
    featurize_ms: float


def read_request(turns: Turns, search: SearchConfig, featurizer: Featurizer) -> Request:
    """Return the request to answer a dialogue.

    Raises:
        InputError: there is no turn, or one is empty, too long, or no text, or its label is none
            of the seven; or a banned entry has no word.
    """
    started = time.perf_counter()
    if not isinstance(search, SearchConfig):
        raise InputError(f"a search of type {type(search).__name__}", hint="give a SearchConfig")
    dialogue = Dialogue.of(turns)
    features = featurizer.features(dialogue)
    bans = featurizer.bans(tuple(search.banned_words))
    return Request(features, search, bans, (time.perf_counter() - started) * 1e3)


def by_length(requests: Sequence[Request]) -> list[int]:
    """Return the places of `requests`, shortest dialogue first, so that neighbours pad little."""
    return sorted(range(len(requests)), key=lambda place: _length(requests[place]))


def _length(request: Request) -> tuple[int, int]:
    turns = request.features.turns
    return len(turns), max(len(turn.token_ids) for turn in turns)
