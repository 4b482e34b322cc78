"""Where emotion words come from: lexicons, and the adjectives of a corpus.

The paper takes the NRC lexicon (Mohammad and Turney 2013) and adds the adjectives that it
lacks. VADER's lexicon (Hutto and Gilbert 2014, MIT licence) is the default, since NRC's terms
forbid passing it on: a list made with NRC stays with the user who made it.
"""

from __future__ import annotations

import json
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path

from empgan_rt.errors import DependencyError
from empgan_rt.packages import import_module

from .nrc_file import associated_words

_EXTRA = "pip install 'empgan-rt[lexicon]'"


def lexicon_terms(choice: str) -> tuple[str, frozenset[str]]:
    """Return the name of a source and its lower-case single words.

    Args:
        choice: "vader", "nrclex", or the path of an NRC lexicon (see `nrc_file`), of which the
            words count that are associated with anything.

    Raises:
        DependencyError: the package of the chosen lexicon is missing.
        DataError: the file cannot be read, or has another layout.
    """
    if choice == "vader":
        return "vader", _words(_vader())
    if choice == "nrclex":
        return "nrclex", _words(_nrclex())
    return "nrc", _words(associated_words(Path(choice)))


def _words(terms: Iterable[str]) -> frozenset[str]:
    return frozenset(t.lower() for t in terms if t.replace("-", "").replace("'", "").isalpha())


def _vader() -> Iterable[str]:
    vader = import_module("vaderSentiment.vaderSentiment", "vaderSentiment is missing", _EXTRA)
    lexicon: Mapping[str, float] = vader.SentimentIntensityAnalyzer().lexicon
    return lexicon


def _nrclex() -> Iterable[str]:
    folder = resources.files(import_module("nrclex", "nrclex is missing", _EXTRA)) / "data"
    terms: dict[str, object] = {}
    for path in folder.iterdir():
        if path.name.endswith(".json"):
            terms.update(json.loads(path.read_text("utf-8")))
    if not terms:
        raise DependencyError("nrclex has no lexicon file", hint="pip install 'nrclex>=4.1'")
    return terms


def adjectives(sentences: Iterable[list[str]]) -> frozenset[str]:
    """Return the lower-case types that are tagged as adjectives in most of their places.

    Uses TextBlob's PatternTagger, which carries its own lexicon and needs no download.

    Raises:
        DependencyError: textblob is missing.
    """
    tagger = import_module("textblob.en.taggers", "textblob is missing", _EXTRA).PatternTagger()
    with warnings.catch_warnings():  # TextBlob leaves the lexicon file that it reads here open
        warnings.simplefilter("ignore", ResourceWarning)
        tagger.tag("a", tokenize=False)
    seen: Counter[str] = Counter()
    tagged: Counter[str] = Counter()
    for sentence in sentences:
        for word, tag in tagger.tag(" ".join(sentence), tokenize=False):
            seen[word.lower()] += 1
            if tag.startswith("JJ"):
                tagged[word.lower()] += 1
    frequent = (word for word, count in tagged.items() if 2 * count > seen[word])
    return frozenset(w for w in frequent if w.replace("-", "").isalpha() and len(w) > 1)
