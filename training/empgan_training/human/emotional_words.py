"""The words of a turn that raters are shown as emotional.

They are those of the emotion lexicon, and their plain inflections: a lexicon may list "want" and
not "wanted". A corpus's adjectives, which the model also reads as emotion words, are left out:
"last", "first" and "public" tell a rater nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from empgan_rt.text.emotion_lexicon import EmotionLexicon

_ENDINGS = (("ies", "y"), ("ied", "y"), ("es", ""), ("s", ""), ("ed", ""), ("d", ""), ("ing", ""))
_SHORTEST = 3  # letters of a stem


def emotional_words(words: Sequence[str], lexicon: EmotionLexicon) -> list[str]:
    """Return the emotional ones of a turn's words, each once, in their order."""
    return list(dict.fromkeys(word for word in words if _is_emotional(word.lower(), lexicon)))


def _is_emotional(word: str, lexicon: EmotionLexicon) -> bool:
    return any(lexicon.sources.get(form, "adjective") != "adjective" for form in _forms(word))


def _forms(word: str) -> Iterator[str]:
    """Yield a word and what it may be a plain inflection of."""
    yield word
    for ending, instead in _ENDINGS:
        stem = word.removesuffix(ending) + instead
        if stem == word or len(stem) < _SHORTEST:
            continue
        yield stem
        if ending in ("ed", "ing"):
            if stem[-1] == stem[-2]:
                yield stem[:-1]  # stopped
            yield f"{stem}e"  # caring
