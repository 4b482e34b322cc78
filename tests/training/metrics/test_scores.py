import dataclasses
import json
import subprocess
import sys
from typing import Any

import pytest

from empgan_rt.errors import DataError, DependencyError
from empgan_training.metrics.scores import score_texts


def words(text: str) -> list[str]:
    return text.split()


HYPOTHESES = [words("oh , i am sorry to hear that ."), words("that is great !"), []]
REFERENCES = [words("i am sorry to hear that ."), ["great", "news", "!"], ["why", "?"]]


def test_gathers_all_metrics_of_the_same_pairs() -> None:
    scores = score_texts(HYPOTHESES, REFERENCES)
    assert scores.n == scores.bleu.n == scores.distinct.n == scores.rouge.n == 3
    assert scores.length_ratio == pytest.approx(13 / 12)
    assert scores.empty_hypotheses == 1
    # BLEU-1: 7 + 2 of 13 hypothesis tokens, no brevity penalty
    assert scores.bleu.bleu_1.value == pytest.approx(100 * 9 / 13)
    # 13 tokens, of which only "that" occurs twice
    assert scores.distinct.distinct_1 == pytest.approx(100 * 12 / 13)
    # recalls 7/7, 2/3 and 0
    assert scores.rouge.rouge_1.r == pytest.approx(100 * (1 + 2 / 3) / 3)


def test_as_dict_is_nested_and_survives_json() -> None:
    scores = score_texts(HYPOTHESES, REFERENCES).as_dict()
    assert json.loads(json.dumps(scores)) == scores
    assert scores["n"] == 3
    assert "tok:none" in scores["bleu"]["bleu_4"]["signature"]
    assert "avg:macro" in scores["rouge"]["signature"]
    assert set(scores["rouge"]["rouge_l"]) == {"f", "p", "r"}


def test_is_frozen() -> None:
    scores: Any = score_texts(HYPOTHESES, REFERENCES)
    with pytest.raises(dataclasses.FrozenInstanceError):
        scores.n = 4


def test_all_hypotheses_empty_scores_0() -> None:
    scores = score_texts([[], []], [["a"], ["b"]])
    assert scores.length_ratio == 0
    assert scores.bleu.bleu_1.value == scores.distinct.distinct_1 == scores.rouge.rouge_1.f == 0


def test_refuses_what_cannot_be_scored() -> None:
    with pytest.raises(DataError, match="3 hypotheses for 2 references, equal counts wanted"):
        score_texts(HYPOTHESES, REFERENCES[:2])
    with pytest.raises(DataError, match="0 hypotheses"):
        score_texts([], [])
    with pytest.raises(DataError, match="2 references hold 0 tokens"):
        score_texts([["a"], ["b"]], [[], []])


def test_messages_do_not_hold_the_text() -> None:
    with pytest.raises(DataError) as caught:
        score_texts([["my secret"]], [["a"]])
    assert "secret" not in str(caught.value)


def test_missing_packages_name_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sacrebleu.metrics.bleu", "rouge_score.rouge_scorer"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, module, None)
            with pytest.raises(DependencyError, match=r"empgan-rt\[eval\]"):
                score_texts(HYPOTHESES, REFERENCES)


def test_importing_the_metrics_loads_neither_package_nor_torch() -> None:
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "import empgan_training.metrics.scores\n"
        "print(sorted({'sacrebleu', 'rouge_score', 'nltk', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
