"""What of a bundle the browser needs: graphs and weights as they are, the rest as one JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from ..bundle.bundle import Bundle
from ..bundle.manifest import WEIGHTS_NAME
from ..config import SearchConfig
from ..errors import InputError
from ..graph_spec import GRAPH_NAMES
from ..text.bans import Bans
from ..text.featurizer import Featurizer

FACTS = "model.json"
PRECISIONS = ("fp32", "int8")  # what onnxruntime-web has been seen to compute as Python does
_FOR_READERS = ("MODEL_CARD.md", "LICENSES/")


def model_files(bundle: Bundle, precision: str, name: str) -> dict[str, bytes]:
    """Return the files of a model, by name.

    Args:
        bundle: the model.
        precision: one of PRECISIONS that the bundle has.
        name: what the page calls the model.

    Raises:
        InputError: the precision is another, or the bundle's own search draws words.
        BundleError: a text file of the bundle is damaged.
    """
    if precision not in PRECISIONS:
        raise InputError(f"precision {precision!r}", hint=f"give one of {', '.join(PRECISIONS)}")
    graphs = {f"{which}.onnx": bundle.graph(precision, which) for which in GRAPH_NAMES}
    readable = {each: data for each, data in bundle.files.items() if each.startswith(_FOR_READERS)}
    facts = msgspec.json.encode(_facts(bundle, precision, name))
    return {FACTS: facts, **graphs, WEIGHTS_NAME: bundle.weights, **readable}


def _facts(bundle: Bundle, precision: str, name: str) -> Mapping[str, Any]:
    search = _search(bundle)
    featurizer = bundle.featurizer()
    return {
        "name": name,
        "bundle_id": bundle.bundle_id,
        "precision": precision,
        "licence": bundle.manifest.licence,
        "vocabulary_size": bundle.model.vocabulary_size,
        "limits": bundle.limits,
        "search": search,
        "bans": bans_table(featurizer.bans(search.banned_words)),
        "text": _text(featurizer),
    }


def _search(bundle: Bundle) -> SearchConfig:
    """Return how the page searches, with all hypotheses for its alternatives."""
    if bundle.search.sample:
        raise InputError(
            "the bundle's own search draws words, which the page cannot",
            hint="export the bundle with a beam search as its default",
        )
    return replace(bundle.search, num_hypotheses=bundle.search.beam_size)


def _text(featurizer: Featurizer) -> Mapping[str, Any]:
    """Return both vocabularies; the rules for words are the engine's own."""
    tokenizer, lexicon = featurizer.tokenizer, featurizer.lexicon
    return {
        "vocabulary": tokenizer.vocabulary,
        "lowercase": tokenizer.normalise("A") == "a",
        "emotion_words": {word: id for word in lexicon.sources for id in lexicon.ids([word])},
    }


def bans_table(bans: Bans) -> Mapping[str, Any]:
    """Return a ban as plain JSON values."""
    return {
        "ids": [*bans.ids],
        "ends": {
            str(token): {
                "ids": [*ends.ids],
                "longer": [[sorted(ids) for ids in phrase] for phrase in ends.longer],
            }
            for token, ends in bans.ends.items()
        },
    }
