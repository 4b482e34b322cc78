"""What a `tokenizer.json` says, taken for true only where it says what we write.

The `tokenizers` library runs whatever steps a file names: patterns that never end, replacements
that double a text over and over, none that make words at all; a malformed step ends in a panic that
no handler catches. So the library is never given a stranger's file. The rules in it must be those
of `word_rules`, word for word, and the words are checked one by one.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from ..errors import BundleError
from ..graph_spec import SPECIALS, UNK
from .word_rules import REWRITES, SPACE, WORD

NAME = "tokenizer.json"
_MAX_BYTES = 1 << 28  # a million words of some length


class _Pattern(msgspec.Struct, frozen=True):
    Regex: str


class _Rewrite(msgspec.Struct, frozen=True):
    """One step of the normaliser; only a Replace has a pattern and its content."""

    type: str
    pattern: _Pattern | None = None
    content: str | None = None


class _Normaliser(msgspec.Struct, frozen=True):
    type: Literal["Sequence"]
    normalizers: tuple[_Rewrite, ...]


class _Split(msgspec.Struct, frozen=True):
    type: Literal["Split"]
    pattern: _Pattern
    behavior: str
    invert: bool = False


class _PreTokeniser(msgspec.Struct, frozen=True):
    type: Literal["Sequence"]
    pretokenizers: tuple[_Split, ...]


class _Model(msgspec.Struct, frozen=True):
    type: Literal["WordLevel"]
    vocab: dict[str, int]
    unk_token: str


class _File(msgspec.Struct, frozen=True):
    """The parts that change what words are; truncation and padding are not obeyed."""

    normalizer: _Normaliser
    pre_tokenizer: _PreTokeniser
    model: _Model
    added_tokens: list[msgspec.Raw] = []
    post_processor: None = None
    decoder: None = None


_REWRITES = (
    _Rewrite("NFC"),
    *(_Rewrite("Replace", _Pattern(pattern), new) for pattern, new in REWRITES),
)
_LOWER = _Rewrite("Lowercase")
_SPLITS = (
    _Split("Split", _Pattern(SPACE), "Removed"),
    _Split("Split", _Pattern(WORD), "Isolated"),
)


def read_tokenizer_file(data: bytes) -> tuple[list[str], bool]:
    """Return the words after the four specials in the order of their ids, and whether all text is
    read in lower case.

    Raises:
        BundleError: the bytes are no tokenizer file of ours, have other rules, or their ids are not
            the specials and then one word each.
    """
    if len(data) > _MAX_BYTES:
        raise BundleError(f"{NAME} holds {len(data)} bytes, more than {_MAX_BYTES}")
    try:
        file = msgspec.json.decode(data, type=_File)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise BundleError(
            f"{NAME} cannot be read: {reason[:120]}", hint="fetch the bundle anew"
        ) from None
    steps = file.normalizer.normalizers
    lower = steps[-1:] == (_LOWER,)
    if (
        steps != (*_REWRITES, *[_LOWER] * lower)
        or file.pre_tokenizer.pretokenizers != _SPLITS
        or file.model.unk_token != SPECIALS[UNK]
        or file.added_tokens
    ):
        raise BundleError(
            f"{NAME} has rules for words that this empgan-rt does not know",
            hint="export the bundle again, or install the empgan-rt that wrote it",
        )
    return _words(file.model.vocab), lower


def _words(ids: dict[str, int]) -> list[str]:
    """Return the words of a vocabulary in the order of their ids, without the specials."""
    words = sorted(ids, key=ids.__getitem__)
    if tuple(words[: len(SPECIALS)]) != SPECIALS:
        raise BundleError(f"{NAME} begins with {words[: len(SPECIALS)]}", hint=f"wanted {SPECIALS}")
    if any(ids[word] != i for i, word in enumerate(words)):
        raise BundleError(f"{NAME}: the ids of {len(ids)} words are not 0 to {len(ids) - 1}")
    blank = [ids[word] for word in words if not word.strip()]
    if blank:
        raise BundleError(f"{NAME}: {len(blank)} words are empty, the first with id {blank[0]}")
    return words[len(SPECIALS) :]
