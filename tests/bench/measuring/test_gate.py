import numpy as np
import pytest

from empgan_bench.measuring.gate import Cell, ParityGate
from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput
from empgan_rt.verification.ties import TIE

CELL = Cell(2, 5, "natural")
SEARCH = SearchConfig(length_penalty=1.0)
INPUTS = EncoderInput(
    np.array([[[4, 5]], [[6, 7]]], np.int32),
    np.array([[[3]], [[3]]], np.int32),
    np.array([[8], [8]], np.int32),
)
WANTED = [[4, 5, 3], [6, 7, 3]]


def compare(gate, found, engine="x", wanted=WANTED):
    gate.compare(engine, CELL, 0, INPUTS, SEARCH, wanted, found)
    return gate.verdict(engine, CELL)


def never(inputs, token_ids):
    raise AssertionError("equal replies need no rescoring")


def test_equal_replies_pass():
    verdict = compare(ParityGate(never), WANTED)
    assert (verdict.contexts, verdict.ties, verdict.mismatches, verdict.passed) == (2, 0, 0, True)
    assert str(verdict) == "equal"


def test_a_tie_passes_and_is_listed():
    log_probs = {(6, 7, 3): -9.0, (6, 8, 3): -9.0 - TIE / 2}
    gate = ParityGate(lambda inputs, ids: log_probs[tuple(ids)])
    verdict = compare(gate, [[4, 5, 3], [6, 8, 3]])
    assert (verdict.ties, verdict.mismatches, verdict.passed) == (1, 0, True)
    assert gate.differences[0].is_tie
    assert (gate.differences[0].row, gate.differences[0].found) == (1, [6, 8, 3])


@pytest.mark.parametrize("gap", [TIE * 1.01, 1.0, float("nan")])
def test_a_real_difference_fails(gap):
    gate = ParityGate(lambda inputs, ids: -9.0 - gap * (ids[1] == 8))
    verdict = compare(gate, [[4, 5, 3], [6, 8, 3]])
    assert (verdict.ties, verdict.mismatches, verdict.passed) == (0, 1, False)
    assert "FAILED: 1 of 2" in str(verdict)


def test_only_the_row_in_question_is_rescored():
    seen = []

    def rescore(inputs, ids):
        seen.append((inputs.utterances.tolist(), list(ids)))
        return -1.0

    compare(ParityGate(rescore), [[4, 5, 3], [6, 8, 3]])
    assert seen == [([[[6, 7]]], [6, 7, 3]), ([[[6, 7]]], [6, 8, 3])]


def test_replies_of_different_length_are_compared_by_score():
    # Scores -2 and -2 although log P is -6 and -4: a tie for the search that ranks by score.
    gate = ParityGate(lambda inputs, ids: -2.0 * len(ids))
    assert compare(gate, [[4, 3], [6, 7, 3]]).ties == 1


def test_without_rescoring_every_difference_fails():
    assert not compare(ParityGate(), [[4, 5, 3], [6, 8, 3]]).passed


def test_an_approximate_engine_passes_and_its_agreement_is_told():
    gate = ParityGate(never, {"x"})
    verdict = compare(gate, [[4, 5, 3], [6, 8, 3]])
    assert (verdict.passed, verdict.mismatches, str(verdict)) == (True, 1, "1 of 2 equal")
    with pytest.raises(AssertionError, match="no rescoring"):
        compare(gate, [[4, 5, 3], [6, 8, 3]], engine="y")


def test_a_repeated_difference_counts_once_but_a_new_one_counts():
    gate = ParityGate()
    for found in ([6, 8, 3], [6, 8, 3], [6, 9, 3]):
        compare(gate, [[4, 5, 3], found])
    assert len(gate.differences) == 2
    assert gate.verdict("x", CELL).mismatches == 1  # of contexts
    assert gate.verdict("y", CELL).passed


def test_two_engines_are_compared_by_what_each_wrote():
    scores = {(6, 7, 3): -9.0, (6, 8, 3): -9.0 - TIE / 2}
    gate = ParityGate(lambda inputs, ids: scores[tuple(ids)])
    compare(gate, WANTED, "new")
    compare(gate, [WANTED[0], [6, 8, 3]], "old")
    verdict, (apart,) = gate.between("new", "old", CELL)
    assert (verdict.engine, verdict.contexts, verdict.ties, verdict.mismatches) == ("old", 2, 1, 0)
    assert (apart.engine, apart.row) == ("old beside new", 1)
    assert (apart.wanted, apart.found) == ([6, 7, 3], [6, 8, 3])
    back, (turned,) = gate.between("old", "new", CELL)
    assert (turned.wanted, turned.found, back.ties) == (apart.found, apart.wanted, 1)
    assert gate.between("old", "old", CELL)[1] == []


def test_two_engines_that_differ_from_the_reference_alike_are_equal():
    gate = ParityGate(approximate=("new", "old", "older"))
    same = [[9, 3], [6, 7, 3]]
    compare(gate, same, "new")
    compare(gate, same, "old")
    compare(gate, [[8, 3], [6, 8, 3]], "older")
    assert str(gate.between("new", "old", CELL)[0]) == "2 of 2 equal"
    verdict, apart = gate.between("new", "older", CELL)
    assert str(verdict) == "0 of 2 equal"
    assert [(d.wanted, d.found) for d in apart] == [([9, 3], [8, 3]), ([6, 7, 3], [6, 8, 3])]
