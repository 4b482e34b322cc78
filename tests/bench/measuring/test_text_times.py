"""Reading and writing text: the same ids as anywhere, and times that add up."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_bench.batches.suite import Plan, run_suite
from empgan_bench.batches.summary import STAGES
from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell
from empgan_bench.measuring.text_times import PASSES, TextSeries, TextTimer, TokenizerClock
from empgan_bench.measuring.timing import CellTimer
from empgan_rt.graph_spec import EOS
from empgan_rt.text.featurizer import Featurizer
from support.bench_engines import ScriptedWorker, bench_of, toy_workload

CELL = Cell(2, 1, "natural")
REPLIES = [[[5, 6, EOS]] * 2] * 16


def test_there_is_a_value_for_each_batch_and_pass() -> None:
    series = TextTimer(toy_workload()).measure(CELL, 0, REPLIES)
    for values in (series.tokenise_ms, series.featurise_ms, series.detokenise_ms):
        assert len(values) == 16 * PASSES
        assert all(value > 0 for value in values)


def test_the_contexts_of_the_cell_are_read_and_the_replies_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []
    written: list[list[int]] = []
    words, text_of = TokenizerClock.words, Featurizer.text_of
    monkeypatch.setattr(
        TokenizerClock, "words", lambda self, text: read.append(text) or words(self, text)
    )
    monkeypatch.setattr(
        Featurizer, "text_of", lambda self, ids: written.append(ids) or text_of(self, ids)
    )
    workload = toy_workload()
    TextTimer(workload).measure(CELL, 3, REPLIES)
    places = [place for batch in workload.places(2, 3) for place in batch]
    wanted = [turn.text for place in places for turn in workload.dialogues[place].turns]
    assert read == wanted * (PASSES + 1)
    assert written == [reply for batch in REPLIES for reply in batch] * (PASSES + 1)


def test_the_clock_reads_what_the_tokenizer_reads_and_counts_it() -> None:
    timer = TextTimer(toy_workload())
    clock = timer._clock
    own = toy_workload().featurizer.tokenizer
    assert clock.ids(clock.words("worda, wordb? Nothing")) == own.ids(
        own.words("worda, wordb? Nothing")
    )
    assert clock.seconds > 0


def test_text_is_measured_when_the_last_engine_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    measure = TextTimer.measure

    def noted(self: TextTimer, *arguments: Any) -> TextSeries:
        calls.append("text")
        return measure(self, *arguments)

    monkeypatch.setattr(CellTimer, "settle", lambda self: calls.append("settle"))
    monkeypatch.setattr(TextTimer, "measure", noted)
    plan = Plan("throughput", (2,), (1,), 0, 0.0, 0)
    run_suite(plan, bench_of([ScriptedWorker("eager", calls)]))
    assert calls[-3:] == ["eager", "settle", "text"]


def test_a_breakdown_holds_every_stage_per_dialogue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    workers = [
        ScriptedWorker("eager", [], total_ms=lambda item: 20.0),
        ScriptedWorker("onnxruntime", [], total_ms=lambda item: 10.0),
    ]
    plan = Plan("throughput", (2, 4), (1,), 0, 0.0, 0)
    outcome = run_suite(plan, bench_of(workers))
    assert [(b.engine, b.cell) for b in outcome.breakdowns] == [
        (row.engine, row.cell) for row in outcome.rows
    ]
    slow, fast = outcome.breakdowns[:2]
    assert [name for name, _ in slow.stages] == [*STAGES]
    assert (slow.encode_ms, slow.step_ms, slow.search_ms) == pytest.approx((2.0, 7.0, 1.0))
    assert slow.whole_ms == pytest.approx(sum(value for _, value in slow.stages))
    text = ("tokenise_ms", "featurise_ms", "detokenise_ms")
    assert [getattr(slow, name) for name in text] == [getattr(fast, name) for name in text]
    assert slow.whole_ms - fast.whole_ms == pytest.approx(5.0)
