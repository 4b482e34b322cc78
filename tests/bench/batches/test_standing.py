import pytest

from empgan_bench.batches.page import render_markdown, render_page
from empgan_bench.batches.report import brief, headline
from empgan_bench.measuring import timing
from empgan_bench.measuring.gate import Cell
from support.bench_engines import ScriptedWorker
from support.bench_reports import report_of

TIMES = {"eager": 10.0, "onnxruntime": 4.0, "floor": 2.5, "joeynmt": 40.0, "ctranslate2": 20.0}


@pytest.fixture(autouse=True)
def _no_settling(monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)


def worker(name, **changes):
    replies = [] if name not in ("eager", "onnxruntime") else [5, 6, 3]
    settings = {"reply": lambda item: replies, "total_ms": lambda item: TIMES[name]}
    return ScriptedWorker(name, [], **(settings | changes))


def report(*names, **changes):
    return report_of([worker(name, **changes.get(name, {})) for name in names])


def test_an_engine_stands_beside_the_best_peer_and_above_its_floor():
    outcome = report(*TIMES).outcome
    fixed, natural = (
        {s.engine: s for s in outcome.standings if s.cell == Cell(1, 1, mode)}
        for mode in ("fixed", "natural")
    )
    ours = fixed["onnxruntime"]
    assert (ours.peer, ours.over_peer.value) == ("ctranslate2", 5.0)
    assert (ours.floor, ours.over_floor.value) == ("floor", 1.6)
    assert (fixed["eager"].floor, fixed["eager"].over_peer.value) == (None, 2.0)
    assert {*fixed} == {"eager", "onnxruntime"}
    assert {*natural} == {"onnxruntime"}  # peers are left out
    assert (natural["onnxruntime"].peer, natural["onnxruntime"].over_floor.value) == (None, 1.6)


def test_yardsticks_are_timed_and_are_no_engines():
    outcome = report(*TIMES).outcome
    assert {row.engine for row in outcome.rows} == {*TIMES}
    assert {ratio.engine for ratio in outcome.ratios} == {"onnxruntime"}
    assert {verdict.engine for verdict in outcome.verdicts} == {"eager", "onnxruntime"}
    assert outcome.failures == outcome.differences == []


def test_peers_are_left_out_of_natural_lengths_by_name():
    outcome = report(*TIMES).outcome
    left_out = [text for text in outcome.warnings if "natural lengths" in text]
    assert [text.split()[0] for text in left_out] == ["joeynmt", "ctranslate2"]
    natural = {row.engine for row in outcome.rows if row.cell.mode == "natural"}
    assert natural == {"eager", "onnxruntime", "floor"}


def test_a_yardstick_takes_as_many_steps_as_the_reference_whatever_its_place():
    floor = worker("floor")
    eager = worker("eager", reply=lambda item: [5] * (4 + item), total_ms=lambda item: 1.0)
    report_of([floor, eager])
    searches = {(s.min_length, s.max_length) for s in floor.searches}
    assert {low for low, _ in searches} == {high for _, high in searches}
    assert {high for _, high in searches} == {4 + item for item in range(16)}


def test_objectives_do_not_bind_yardsticks():
    workers = [worker(name) for name in TIMES]
    assert report_of(workers, objectives=["max_ms<5"]).outcome.failures == []


def test_the_first_lines_say_all_three():
    shown = headline(report(*TIMES)).splitlines()[0]
    assert shown.startswith("onnxruntime against eager, batch 1, beam 1, fixed length: 2.50×")
    assert "5.00× [5.00, 5.00] as fast as ctranslate2" in shown
    assert shown.endswith("1.60× [1.60, 1.60] the time of floor")


def test_a_run_without_reference_still_says_how_far_the_floor_is():
    lines = headline(report("onnxruntime", "floor")).splitlines()
    assert lines[0] == "one engine only: there is no ratio"
    assert lines[1].endswith("1.60× [1.60, 1.60] the time of floor")


def test_where_the_gate_failed_there_is_no_distance(tmp_path):
    failed = report(*TIMES, onnxruntime={"reply": lambda item: [7, 3]})
    assert "the time of floor" not in headline(failed)
    assert "as fast as ctranslate2" not in headline(failed).splitlines()[0]
    record = brief(failed, tmp_path)["standings"]
    assert {r["replies_equal"] for r in record if r["engine"] == "onnxruntime"} == {False}


@pytest.mark.parametrize("render", [render_markdown, render_page])
def test_reports_say_what_is_a_peer_and_what_it_was_tuned_to(render):
    shown = render(report(*TIMES, joeynmt={"settings": "two threads"}))
    for text in ("joeynmt (peer)", "floor (products only)", "two threads", "is no engine"):
        assert text in shown
    assert "tuned to" not in render(report("eager", "onnxruntime", "floor"))


def test_an_unlike_floor_is_noisy():
    drift = iter([2.0, 3.0] * 9_999)
    shaky = report("eager", "onnxruntime", "floor", floor={"total_ms": lambda item: next(drift)})
    assert all(s.noisy for s in shaky.outcome.standings)
    assert "noisy" in str(shaky.outcome.standings[0])


def test_on_a_gpu_every_engine_stands_above_the_floor_of_its_precision():
    floors = {"floor": 2.0, "floor-fp16": 1.0}
    times = {"eager": 10.0, "cuda-graphs": 4.0, "tensorrt-fp16": 3.0, "tensorrt-int8": 3.0}
    workers = [
        ScriptedWorker(
            name,
            [],
            reply=lambda item, name=name: [] if name in floors else [5, 6, 3],
            total_ms=lambda item, ms=ms: ms,
        )
        for name, ms in (times | floors).items()
    ]
    stands = report_of(workers, device="cuda").outcome.standings
    found = {s.engine: (s.floor, s.over_floor.value) for s in stands}
    assert found == {
        "eager": ("floor", 5.0),
        "cuda-graphs": ("floor", 2.0),
        "tensorrt-fp16": ("floor-fp16", 3.0),
    }


def against(ours=(5, 6, 3), other=(5, 6, 3), reference="eager", name="onnxruntime"):
    workers = [
        worker("eager"),
        ScriptedWorker(name, [], lambda item: [*ours], lambda item: 4.0),
        ScriptedWorker(f"{name}@other", [], lambda item: [*other], lambda item: 6.0),
    ]
    return report_of([w for w in workers if w.name != "eager" or reference == "eager"])


def test_an_engine_stands_beside_itself_in_another_build():
    made = against()
    ours, *_ = made.outcome.standings
    assert (ours.engine, ours.other, ours.over_other.value) == (
        *("onnxruntime", "onnxruntime@other", 1.5),
    )
    assert {s.engine for s in made.outcome.standings} == {"onnxruntime"}
    assert str(ours) == "1.50× [1.50, 1.50] as fast as onnxruntime@other, replies equal"
    assert str(ours) in headline(made)
    assert str(ours) in render_markdown(made)
    assert "1.50×" in render_page(made)
    assert brief(made, "out")["standings"][0]["over_other_build"]["value"] == 1.5
    ratios = {r.engine: r.speedup.value for r in made.outcome.ratios}
    assert ratios == {"onnxruntime": 2.5, "onnxruntime@other": pytest.approx(10 / 6)}


def test_a_build_that_writes_other_replies_has_no_ratio():
    made = against(other=(7, 3))
    assert made.outcome.standings[0].other_text().startswith("FAILED: 16 of 16 replies differ")
    assert any(text.startswith("onnxruntime@other, batch 1") for text in made.outcome.failures)


def test_rounded_engines_of_two_builds_are_held_against_each_other():
    made = against((7, 3), (7, 3), name="onnxruntime-int8")
    assert made.outcome.failures == []
    standing = made.outcome.standings[0]
    assert str(standing.verdict) == "0 of 16 equal"
    assert str(standing.other_verdict) == "16 of 16 equal"
    apart = against((7, 3), (8, 3), name="onnxruntime-int8")
    assert str(apart.outcome.standings[0].other_verdict) == "0 of 16 equal"
    beside = [d for d in apart.outcome.differences if " beside " in d.engine]
    assert beside[0].engine == "onnxruntime-int8@other beside onnxruntime-int8"
    assert (beside[0].wanted, beside[0].found) == ([7, 3], [8, 3])
    assert beside[0].engine in render_markdown(apart)


def test_without_eager_this_builds_first_engine_is_the_reference():
    made = against(reference="")
    assert [r.engine for r in made.outcome.ratios] == ["onnxruntime@other"] * 8
    assert made.outcome.standings[0].over_other.value == 1.5


def test_objectives_bind_this_build_alone():
    names = ("eager", "onnxruntime", "onnxruntime@other")
    times = {"eager": 10.0, "onnxruntime": 4.0, "onnxruntime@other": 6.0}
    workers = [ScriptedWorker(n, [], total_ms=lambda item, n=n: times[n]) for n in names]
    kept = report_of(workers, objectives=["max_ms<5", "over_other>1.4"])
    assert kept.outcome.failures == []
    missed = report_of(workers, objectives=["over_other>1.8"]).outcome.failures
    assert missed[0].endswith("over_other>1.8 missed with 1.5")
    assert {text.partition(",")[0] for text in missed} == {"onnxruntime"}
