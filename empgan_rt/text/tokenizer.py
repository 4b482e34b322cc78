"""Text to words and ids, over a `tokenizers` file that holds all the rules.

`tokenizer.json` carries normaliser, word rules and vocabulary, so that training, the runtime
and any other language's binding read text alike. Words are cased and Treebank-like: clitics
come off ("I 'm"), negations stay whole ("couldn't").

>>> Tokenizer.from_words(["I", "'m", "fine", "."]).words("I ’ m fine.")
['I', "'m", 'fine', '.']
"""

from __future__ import annotations

from collections.abc import Sequence

import tokenizers
from tokenizers import Regex, models, normalizers, pre_tokenizers

from ..errors import BundleError
from ..graph_spec import EOS, PAD, SOS, SPECIALS, UNK

CLITIC = r"(?i:s|m|d|re|ve|ll)"

# Each rule is (pattern, replacement); lookarounds because replacements take no groups.
_REWRITES = (
    (r"[\u2018\u2019\u2032\u00b4\u02bc`]", "'"),
    (r"[\u201c\u201d\u2033\u00ab\u00bb]", '"'),
    (r"[\u2010\u2011]", "-"),
    (r"[\u2012-\u2015]", " - "),
    (r"\u2026", "..."),
    (r"\u3002", ". "),
    (r"[\u3001\uff0c]", ", "),
    (r"\uff1f", "? "),
    (r"\uff01", "! "),
    (r"\p{Cf}+", ""),
    (r"[\p{Cc}\p{Zs}\p{Zl}\p{Zp}]+", " "),
    # "don ' t", "it ' s": the corpus writes many apostrophes with spaces around them
    (r"(?<=[A-Za-z]) ?' ?(?=t\b)(?<=n ' |n' |n '|n')", "'"),
    (rf"(?<=[A-Za-z]) ' ?(?={CLITIC}\b)", "'"),
    (rf"(?<=[A-Za-z])' (?={CLITIC}\b)", "'"),
    (r"(?<=[A-Za-z])'Ve\b", "'ve"),
    (r"\b[Oo] ' (?=clock\b)", "o'"),
    # "right.But": a full stop, question or exclamation mark glued to the next sentence
    (r"(?<=[a-z]{2}[.?!])(?=[A-Z])", " "),
    (r"(?<=[a-z]{2},)(?=[A-Za-z])", " "),
    # "Mr . Brown", "p . m .": abbreviations that the corpus splits
    (r"(?<=\b(?:Mr|Ms|Dr|St)) (?=\.)", ""),
    (r"(?<=\bMrs) (?=\.)", ""),
    (r"(?<=\b[ap]) ?\. ?(?=m\b)", "."),
    (r"(?<=\b[ap]\.m) (?=\.)", ""),
)

_WORD = "|".join(
    (
        r"(?:Mr|Mrs|Ms|Dr|St)\.",
        r"[ap]\.m\.?",
        r"\d+(?:[.,:]\d+)*(?:st|nd|rd|th)?",
        rf"'{CLITIC}(?![\w'])",
        rf"[^\W\d_]+(?:(?:-|'(?!{CLITIC}(?![\w'])))[^\W_]+)*",
        r"\.{2,}",
        r"\w+",
        r"[^\w\s]",
    )
)


class Tokenizer:
    """Words and ids of a text, by the rules and vocabulary of one `tokenizer.json`."""

    def __init__(self, tokenizer: tokenizers.Tokenizer) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._ids: dict[str, int] = tokenizer.get_vocab()
        self.vocabulary: tuple[str, ...] = tuple(sorted(self._ids, key=self._ids.__getitem__))
        if self.vocabulary[: len(SPECIALS)] != SPECIALS:
            raise BundleError(
                f"tokenizer.json begins with {self.vocabulary[:4]}", hint=f"wanted {SPECIALS}"
            )

    @classmethod
    def from_json(cls, data: bytes) -> Tokenizer:
        """Return the tokenizer stored in a `tokenizer.json`.

        Raises:
            BundleError: the bytes are no tokenizer file or its first ids are not the specials.
        """
        try:
            return cls(tokenizers.Tokenizer.from_str(data.decode("utf-8")))
        except BundleError:
            raise
        except Exception as error:  # `tokenizers` raises bare Exception for any fault
            raise BundleError(
                "tokenizer.json cannot be read", hint="fetch the bundle anew"
            ) from error

    @classmethod
    def from_words(cls, words: Sequence[str], *, lowercase: bool = False) -> Tokenizer:
        """Return a word-level tokenizer; `words` get the ids after the four specials."""
        vocabulary = {word: i for i, word in enumerate((*SPECIALS, *words))}
        tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token=SPECIALS[UNK]))
        steps: list[normalizers.Normalizer] = [normalizers.NFC()]
        steps += [normalizers.Replace(Regex(pattern), new) for pattern, new in _REWRITES]
        if lowercase:
            steps.append(normalizers.Lowercase())
        tokenizer.normalizer = normalizers.Sequence(steps)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [
                pre_tokenizers.Split(Regex(r"\s+"), "removed"),
                pre_tokenizers.Split(Regex(_WORD), "isolated"),
            ]
        )
        return cls(tokenizer)

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
