"""The paper's figures, held against what the paper itself says follows from them."""

from __future__ import annotations

import pytest

from empgan_training.systems import SYSTEMS
from empgan_training.tables.cases import CASES
from empgan_training.tables.paper import COLUMNS, TABLE_1, TABLE_2, TABLE_4, TABLE_4_EMOTIONAL


def test_rows_are_those_of_the_systems() -> None:
    assert list(TABLE_1) == list(SYSTEMS)
    assert {len(row) for row in TABLE_1.values()} == {len(COLUMNS)}
    assert set(TABLE_2) < set(SYSTEMS)
    assert {len(words) for words in TABLE_4.values()} == {10}


def test_gains_that_the_design_page_recomputed() -> None:
    empg, gan = TABLE_1["EmpG"], TABLE_1["EmpGAN"]
    assert gan["bleu"] - empg["bleu"] == pytest.approx(0.64)
    assert sum(gan[c] - empg[c] for c in ("distinct_1", "distinct_2")) == pytest.approx(3.39)
    rouge = [column for column in COLUMNS if column.startswith("rouge")]
    assert sum(gan[c] - empg[c] for c in rouge) == pytest.approx(1.56)
    hred = TABLE_1["Emo-HRED"]
    assert sum(gan[c] for c in rouge) / sum(hred[c] for c in rouge) == pytest.approx(1.29, abs=0.01)


def test_the_impossible_recall_is_kept_as_printed() -> None:
    impossible = [name for name, row in TABLE_1.items() if row["rouge_l_r"] > row["rouge_1_r"]]
    assert impossible == ["Emo-S2S"]


def test_precision_recall_and_f_are_not_mixed_up() -> None:
    for row in TABLE_1.values():
        for kind in ("rouge_1", "rouge_2"):
            assert row[f"{kind}_p"] > row[f"{kind}_f"] > row[f"{kind}_r"]


def test_more_of_empgans_frequent_words_are_emotional() -> None:
    counts = {name: len(TABLE_4_EMOTIONAL.intersection(words)) for name, words in TABLE_4.items()}
    assert counts == {
        **{"HRED": 2, "SeqGAN": 2, "Emo-S2S": 2},
        **{"Emo-HRED": 3, "EmpG": 3, "EmpGAN": 4},
    }


def test_cases() -> None:
    assert [case.id for case in CASES] == ["paper-1", "paper-2", "own-1", "own-2", "own-3"]
    for case in CASES:
        assert len(case.words) == (len(case.turns) if case.paper_replies else 0)
        assert case.dialogue.turns == case.turns
        assert all(turn.emotion is not None for turn in case.turns)
