"""Scores of replies that are stored already."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from empgan_rt.config import Limits
from empgan_rt.errors import DataError, InputError
from empgan_training.data.prepared import PreparedData, all_samples
from empgan_training.scoring.files import score_stored
from support.small_data import prepare_own


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_own(tmp_path_factory.mktemp("stored"))


def test_files_of_any_system_are_scored_line_by_line(tmp_path: Path) -> None:
    predictions, references = tmp_path / "p.txt", tmp_path / "r.txt"
    references.write_text("I see .\nthat is very good\nno\n", "utf-8")
    predictions.write_text("I see .\nthat is very good\n\n", "utf-8")
    scores = score_stored(predictions, references, None)
    assert scores.n == 3
    assert scores.empty_hypotheses == 1
    assert scores.length_ratio == pytest.approx(7 / 8)
    assert scores.bleu.bleu_1.value == pytest.approx(100 * np.exp(1 - 8 / 7))
    assert scores.rouge.rouge_l.f == pytest.approx(200 / 3)
    assert scores.distinct.distinct_1 == 100


def test_files_that_do_not_pair_up_are_refused(tmp_path: Path) -> None:
    one, two, bad = tmp_path / "1", tmp_path / "2", tmp_path / "bad"
    one.write_text("a\n", "utf-8")
    two.write_text("a\nb\n", "utf-8")
    bad.write_bytes(b"\xff\n")
    with pytest.raises(DataError, match="2 references"):
        score_stored(one, two, None)
    with pytest.raises(DataError, match="UTF-8"):
        score_stored(bad, one, None)
    with pytest.raises(InputError):
        score_stored(tmp_path / "none", one, None)


def test_a_byte_order_mark_is_no_word(tmp_path: Path) -> None:
    marked, plain = tmp_path / "marked", tmp_path / "plain"
    marked.write_bytes(b"\xef\xbb\xbfI see .\r\nno\r\n")
    plain.write_bytes(b"I see .\nno\n")
    assert score_stored(marked, plain, None).bleu.bleu_1.value == pytest.approx(100)


def test_what_evaluate_saved_is_scored_against_the_samples_of_its_folder(
    prepared: Path, tmp_path: Path
) -> None:
    data = PreparedData(prepared, Limits())
    samples = all_samples(data.split("test"))[:5]
    words = data.featurizer.tokenizer.words
    said = [words(sample.dialogue.texts[sample.response]) for sample in samples]
    said[0] = ["no"]
    rows = [
        json.dumps({"id": s.id, "hypothesis": " ".join(w)})
        for s, w in zip(samples, said, strict=True)
    ]
    saved, plain, references = (tmp_path / name for name in ("saved.jsonl", "plain", "references"))
    saved.write_text("\ufeff" + "\n".join(rows) + "\n\n", "utf-8")
    plain.write_text("".join(" ".join(w) + "\n" for w in said), "utf-8")
    texts = [" ".join(words(s.dialogue.texts[s.response])) + "\n" for s in samples]
    references.write_text("".join(texts), "utf-8")
    assert score_stored(saved, None, prepared) == score_stored(plain, references, None)


def test_stored_replies_of_the_other_kind_are_told(prepared: Path, tmp_path: Path) -> None:
    saved, plain = tmp_path / "saved.jsonl", tmp_path / "plain"
    saved.write_text('{"id":"test-00009#1","hypothesis":"no"}\n', "utf-8")
    plain.write_text("no\n", "utf-8")
    with pytest.raises(InputError, match="ids of samples") as caught:
        score_stored(saved, plain, None)
    assert "--data" in caught.value.hint
    with pytest.raises(InputError, match="plain text") as caught:
        score_stored(plain, None, prepared)
    assert "--references" in caught.value.hint
    saved.write_text('{"id":"nobody#1","hypothesis":"no"}\n', "utf-8")
    with pytest.raises(DataError, match="1 of 1 samples are not in the split test"):
        score_stored(saved, None, prepared)
