"""Fresh processes: what they load, what they tell, and how they fail."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_bench.measuring import cold_start
from empgan_bench.measuring.cold_start import ColdSample, cold_sample, measure_cold_starts
from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import EmpganError

HELLO = Dialogue.of(["Hello, how are you?"])


def test_a_fresh_process_answers_and_its_parts_are_within_the_whole() -> None:
    found = cold_sample("tiny", "fp32", 1, [turn.text for turn in HELLO.turns])
    assert min(found.import_ms, found.load_ms, found.reply_ms) > 0
    assert found.import_ms + found.load_ms + found.reply_ms < found.first_reply_ms


def test_engines_come_in_turns_and_the_first_round_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, int]] = []

    def sample(bundle: str, precision: str, threads: int, turns: list[str]) -> ColdSample:
        assert turns == ["Hello, how are you?"]
        asked.append((precision, threads))
        return ColdSample(1.0, 2.0, 3.0, float(len(asked)))

    monkeypatch.setattr(cold_start, "cold_sample", sample)
    monkeypatch.setattr(cold_start, "RUNS", 2)
    engines = ["eager", "onnxruntime-int8", "onnxruntime"]
    found = measure_cold_starts(engines, "tiny", HELLO, 4, 0)
    assert asked == [("fp32", 4), ("int8", 4)] * 3
    assert [start.engine for start in found] == ["onnxruntime", "onnxruntime-int8"]
    assert [s.first_reply_ms for s in found[0].samples] == [3.0, 5.0]
    assert (found[0].first_reply_ms.n, found[0].first_reply_ms.p50) == (2, 4.0)
    assert measure_cold_starts(["eager"], "tiny", HELLO, 4, 0) == []


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import sys; sys.exit('the last words')", "ended without a reply: the last words"),
        (
            'print(\'{"import_ms": 1, "load_ms": 1, "reply_ms": 1, '
            '"packages": ["torch", "numpy"]}\')',
            "loaded torch",
        ),
    ],
)
def test_a_process_that_does_otherwise_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, message: str
) -> None:
    script = tmp_path / "script.py"
    script.write_text(source)
    monkeypatch.setattr(cold_start, "_SCRIPT", script)
    with pytest.raises(EmpganError, match=message):
        cold_sample("tiny", "fp32", 1, ["Hello"])
