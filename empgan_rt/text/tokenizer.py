"""Text to words and ids, over a `tokenizers` file that holds all the rules.

`tokenizer.json` carries normaliser, word rules and vocabulary, so that training, the runtime
and any other language's binding read text alike. Words are cased and Treebank-like: clitics
come off ("I 'm"), negations stay whole ("couldn't"). The library runs our own rules alone, never
those of a file (see `tokenizer_file`).

>>> Tokenizer.from_words(["I", "'m", "fine", "."]).words("I ’ m fine.")
['I', "'m", 'fine', '.']
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Self

import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers

from ..errors import BundleError
from ..graph_spec import EOS, PAD, SOS, SPECIALS, UNK
from .tokenizer_file import read_tokenizer_file
from .word_rules import REWRITES, SPACE, WORD


class Tokenizer:
    """Words and ids of a text, by the rules and vocabulary of one `tokenizer.json`."""

    def __init__(self, tokenizer: tokenizers.Tokenizer, vocabulary: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._ids = vocabulary
        self.vocabulary: tuple[str, ...] = tuple(vocabulary)

    @classmethod
    def from_json(cls, data: bytes) -> Self:
        """Return the tokenizer stored in a `tokenizer.json`.

        Raises:
            BundleError: the bytes are no tokenizer file of ours; see `read_tokenizer_file`.
        """
        words, lowercase = read_tokenizer_file(data)
        return cls.from_words(words, lowercase=lowercase)

    @classmethod
    def from_words(cls, words: Sequence[str], *, lowercase: bool = False) -> Self:
        """Return a word-level tokenizer; `words` get the ids after the four specials.

        Raises:
            BundleError: a word comes twice or has the name of a special.
        """
        vocabulary = {word: i for i, word in enumerate((*SPECIALS, *words))}
        twice = len(SPECIALS) + len(words) - len(vocabulary)
        if twice:
            raise BundleError(f"{twice} of {len(words)} words come twice or are {SPECIALS}")
        tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIALS[UNK]))
        steps: list[normalizers.Normalizer] = [normalizers.NFC()]
        steps += [normalizers.Replace(Regex(pattern), new) for pattern, new in REWRITES]
        if lowercase:
            steps.append(normalizers.Lowercase())
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(SPACE), "removed"),
                pre_tokenizers.Split(Regex(WORD), "isolated"),
            ]
        )
        return cls(tokenizer, vocabulary)

    def to_json(self) -> bytes:
        """Return the `tokenizer.json` that `from_json` reads."""
        return self._tokenizer.to_str(pretty=True).encode("utf-8")

    def normalise(self, text: str) -> str:
        """Return the text with quotes, spaces and known corpus quirks made uniform."""
        return str(self._tokenizer.normalizer.normalize_str(text)).strip()

    def words(self, text: str) -> list[str]:
        """Return the words of a text as they are written, in or out of the vocabulary."""
        normalised = self._tokenizer.normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(normalised)]

    def ids(self, words: Sequence[str]) -> list[int]:
        """Return the id of each word; UNK for words outside the vocabulary.

        The specials' own names are words like any other, and unknown: text never makes them.
        """
        ids = self._ids
        found = [ids.get(word, UNK) for word in words]
        return [i if i > EOS else UNK for i in found]

    def words_of(self, ids: Sequence[int]) -> list[str]:
        """Return the words of ids, leaving out padding, start and end of sequence."""
        return [self.vocabulary[i] for i in ids if i not in (PAD, SOS, EOS)]
