"""A `tokenizer.json` is ours, word for word, or a BundleError; the library never sees a stranger's.

What it would make of one: a panic that is no Exception, patterns without end, text without words.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from empgan_rt import BundleError
from empgan_rt.bundle.bundle import EMBEDDED, Bundle
from empgan_rt.graph_spec import SPECIALS
from empgan_rt.text.tokenizer import Tokenizer
from empgan_rt.text.tokenizer_file import read_tokenizer_file

WORDS = ["I", "'m", "fine", "."]
Tree = dict[str, Any]


def altered(alter: Callable[[Tree], object]) -> bytes:
    tree = json.loads(Tokenizer.from_words(WORDS).to_json())
    alter(tree)
    return json.dumps(tree).encode()


def steps(tree: Tree) -> list[Any]:
    found: list[Any] = tree["normalizer"]["normalizers"]
    return found


def splits(tree: Tree) -> list[Any]:
    found: list[Any] = tree["pre_tokenizer"]["pretokenizers"]
    return found


DOUBLING = {"type": "Replace", "pattern": {"String": ""}, "content": "aa"}
RULES: dict[str, Callable[[Tree], object]] = {
    "no normaliser": lambda t: t.update(normalizer=None),
    "no pre-tokeniser": lambda t: t.update(pre_tokenizer=None),
    "no splits": lambda t: splits(t).clear(),
    "other splits": lambda t: splits(t)[1].update(behavior="Removed"),
    "inverted splits": lambda t: splits(t)[0].update(invert=True),
    "growing text": lambda t: steps(t).extend([DOUBLING] * 64),
    "a malformed step": lambda t: steps(t).append({"type": "Precompiled"}),
    "a step of no kind": lambda t: steps(t).append(None),
    "a step too few": lambda t: steps(t).pop(),
    "steps in another order": lambda t: steps(t).reverse(),
    "a pattern without end": lambda t: steps(t)[1].update(pattern={"Regex": "(a*)*b"}),
    "a pattern of no kind": lambda t: steps(t)[1].update(pattern=None),
    "other content": lambda t: steps(t)[1].update(content='"'),
    "lower case twice": lambda t: steps(t).extend([{"type": "Lowercase"}] * 2),
    "added tokens": lambda t: t["added_tokens"].append({"id": 4, "content": "I"}),
    "a decoder": lambda t: t.update(decoder={"type": "WordPiece"}),
    "a post-processor": lambda t: t.update(post_processor={"type": "ByteLevel"}),
    "another model": lambda t: t.update(model={"type": "BPE", "vocab": {}, "merges": []}),
    "no model": lambda t: t.update(model=None),
    "another unknown word": lambda t: t["model"].update(unk_token="I"),
    "nested too deep": lambda t: t.update(normalizer=json.loads("[" * 900 + "]" * 900)),
}
IDS: dict[str, Any] = {
    "an empty word": {"": 4},
    "a word of spaces": {" \t": 4},
    "an id twice": {"I": 4, "you": 4},
    "an id left out": {"I": 5},
    "a negative id": {"I": -1},
    "an id beyond all": {"I": 2**40},
    "a number of thousands of digits": {"I": "digits"},
    "a fraction": {"I": 4.0},
    "null": {"I": None},
}


@pytest.mark.parametrize("rule", RULES)
def test_other_rules_are_refused(rule: str) -> None:
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        Tokenizer.from_json(altered(RULES[rule]))


@pytest.mark.parametrize("case", IDS)
def test_odd_vocabularies_are_refused(case: str) -> None:
    ids = {word: i for i, word in enumerate(SPECIALS)} | IDS[case]
    raw = altered(lambda tree: tree["model"].update(vocab=ids))
    with pytest.raises(BundleError, match=r"tokenizer\.json"):
        Tokenizer.from_json(raw.replace(b'"digits"', b"9" * 5000))


@pytest.mark.parametrize(
    "raw", [b"[" * 10**6, b'"\\ud800"', b"nul", b'{"model": {"vocab": {"\\udc00": 4}}}']
)
def test_what_is_no_json_is_refused(raw: bytes) -> None:
    with pytest.raises(BundleError, match="cannot be read"):
        Tokenizer.from_json(raw)


@pytest.mark.parametrize("lowercase", [False, True])
def test_what_we_write_is_read(lowercase: bool) -> None:
    data = Tokenizer.from_words(WORDS, lowercase=lowercase).to_json()
    assert read_tokenizer_file(data) == (WORDS, lowercase)


@pytest.mark.parametrize("name", EMBEDDED)
def test_the_embedded_files_come_out_as_they_are(name: str) -> None:
    raw = Bundle.open(name).files["tokenizer.json"]
    assert Tokenizer.from_json(raw).to_json() == raw


def test_a_word_twice_is_refused() -> None:
    for words in (["a", "a"], ["<unk>"]):
        with pytest.raises(BundleError, match="come twice"):
            Tokenizer.from_words(words)
