import pytest

from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell, ParityGate
from empgan_bench.measuring.timing import CellTimer, Turns, palindrome
from empgan_rt.config import SearchConfig
from support.bench_engines import ScriptedWorker, toy_workload

CELL = Cell(2, 1, "natural")
SEARCH = SearchConfig(beam_size=1)


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def timer_of(*workers, gate=None):
    batches = toy_workload().batches(2, seed=0)[:3]
    for worker in workers:
        worker.load(batches)
    engines = {worker.name: worker for worker in workers}
    return CellTimer(engines, CELL, batches, SEARCH, gate or ParityGate())


def test_order_of_two_and_three_engines():
    assert palindrome(["a", "b"]) == ["a", "b", "b", "a"]
    assert palindrome(["a", "b", "c"]) == ["a", "b", "c", "c", "b", "a"]


def test_rounds_come_in_abba_order_after_the_first_pass():
    calls = []
    timer = timer_of(ScriptedWorker("a", calls), ScriptedWorker("b", calls))
    timer.warm_up(1)
    assert calls == ["a", "b"] * 3 + ["a", "b", "b", "a"]
    calls.clear()
    timer.measure(0.0, whole=False)
    assert calls == ["a", "b", "b", "a"] * 6  # MIN_ROUNDS, and on until all three batches are done


def test_warm_up_is_kept_but_not_counted():
    calls = []
    timer = timer_of(ScriptedWorker("a", calls), ScriptedWorker("b", calls))
    timer.warm_up(2)
    timer.measure(0.0, whole=False)
    series = timer.series["a"]
    assert len(series.warmup) == 3 + 2 * 2
    assert len(series.visits) == 2 * 6


def test_measures_until_the_time_is_filled():
    calls = []
    timer = timer_of(ScriptedWorker("a", calls), ScriptedWorker("b", calls))
    timer.warm_up(0)
    timer.measure(1.0, whole=False)  # 4 visits of 10 ms each in a round
    assert len(timer.series["a"].visits) == 2 * 27  # 25, and on until all three batches are done


def test_an_engine_waits_until_the_one_before_has_stopped_to_spin():
    waits = [1.0, 2.0, 2.0, 3.0, 3.0, 3.0]  # before and after each of three
    readings = iter([*waits, 3.0, 3.5])  # and before and after the other's turn

    class Spinning(ScriptedWorker):
        def cpu_s(self):
            return next(readings)

    turns = Turns({"spins": Spinning("spins", []), "other": ScriptedWorker("other", [])})
    with turns.of("spins") as process:
        assert process.name == "spins"
    with turns.of("other"):
        pass
    assert next(readings, None) is None
    assert turns.idle_cpu_s == {"spins": 0.5, "other": 0.0}


def test_all_engines_get_the_same_batch_in_a_round_and_batches_rotate():
    times = {"a": [], "b": []}
    workers = [
        ScriptedWorker(name, [], total_ms=lambda item, name=name: times[name].append(item) or 1.0)
        for name in times
    ]
    timer_of(*workers).measure(0.0, whole=False)
    assert times["a"] == times["b"] == [0, 0, 1, 1, 2, 2] * 2


def test_throughput_visits_decode_every_batch():
    timer = timer_of(ScriptedWorker("a", []))
    timer.measure(0.0, whole=True)
    assert [len(visit.timings) for visit in timer.series["a"].visits] == [3] * 10


def test_rounds_and_positions_pair_up():
    later = iter([10.0, 12.0] * 6)
    workers = [ScriptedWorker("a", [], total_ms=lambda item: next(later)), ScriptedWorker("b", [])]
    timer = timer_of(*workers)
    timer.measure(0.0, whole=False)
    assert timer.series["a"].by_position() == ([10.0] * 6, [12.0] * 6)
    assert timer.series["a"].by_round() == [22.0] * 6


def test_cpu_of_idle_engines_is_added_up():
    busy = ScriptedWorker("busy", [], idle_cpu_s=0.25)
    timer = timer_of(ScriptedWorker("a", []), busy)
    timer.measure(0.0, whole=False)
    assert timer.series["busy"].idle_cpu_s == pytest.approx(0.25 * 2 * 6)
    assert timer.series["a"].idle_cpu_s == 0.0
    assert timer.series["busy"].idle_wall_s > 0.0


def test_an_engine_that_changes_its_mind_fails_the_gate():
    gate = ParityGate()
    replies = iter([[5, 3]] * 3 + [[5, 3]] * 5 + [[6, 3]] * 99)
    fickle = ScriptedWorker("a", [], reply=lambda item: next(replies))
    timer = timer_of(fickle, gate=gate)
    timer.warm_up(0)
    assert gate.verdict("a", CELL).passed
    timer.measure(0.0, whole=False)
    assert not gate.verdict("a", CELL).passed
