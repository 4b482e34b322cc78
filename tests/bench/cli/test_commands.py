import json
import re
import sys

import pytest
from click.testing import CliRunner

from empgan_bench.batches import run
from empgan_bench.cli import commands, values
from empgan_bench.engines import base, table
from empgan_bench.measuring import bench, cold_start, fingerprint, timing, workload
from empgan_bench.measuring.gpu import Gpu
from empgan_bench.measuring.timing import CellTimer
from empgan_bench.reports.files import FILES
from empgan_bench.scaling import run as scaling
from empgan_rt.errors import (
    BundleError,
    DataError,
    DependencyError,
    EmpganError,
    GateError,
    InputError,
    ProviderError,
)
from support.bench_engines import write_text_bundle
from support.scripted_server import Says, scripted_server
from support.source_tree import ROOT

pytestmark = pytest.mark.long

SMALL = ("--batch", "1,2", "--beam", "2", "--warmup", "0", "--min-time", "0", "--threads", "1")
SERVED = (
    *("--rate", "50", "--requests", "6", "--warmup", "1", "--beam", "2", "--threads", "1"),
    *("--max-batch", "4"),
)


@pytest.fixture(autouse=True)
def _two_batches(monkeypatch):
    """Let cells have the fewest batches: what is tested lies above what is measured."""
    for module in (workload, scaling):
        monkeypatch.setattr(module, "_MAX_ITEMS", module._MIN_ITEMS)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return str(write_text_bundle(tmp_path_factory.mktemp("bundles") / "toy.empgan"))


@pytest.fixture
def work(tmp_path):
    file = tmp_path / "work.jsonl"
    file.write_text('{"turns": ["word1 word2", "word3"]}\n{"turns": ["word4"]}\n')
    return str(file)


@pytest.fixture
def use(monkeypatch):
    """Let the command's engine names stand for fakes, and start no process for the cold start."""

    def put(**openers):
        named = {name: f"support.bench_engines:{function}" for name, function in openers.items()}
        monkeypatch.setattr(values, "ENGINES", {"cpu": named, "cuda": named})
        monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
        monkeypatch.setattr(bench, "eager_rescore", lambda bundle: None)
        sample = cold_start.ColdSample(1.0, 2.0, 3.0, 9.0)
        monkeypatch.setattr(cold_start, "cold_sample", lambda *_: sample)

    return put


def invoke(*arguments):
    """Return click's result; an EmpganError is raised, as `empgan_rt.cli.main` gets it."""
    result = CliRunner().invoke(commands.bench, arguments)
    if isinstance(result.exception, EmpganError):
        raise result.exception
    return result


@pytest.mark.parametrize("kind", ["latency", "throughput"])
def test_two_engines_that_agree(kind, bundle, work, use, tmp_path):
    use(onnxruntime="open_plain", eager="open_talking")
    out = tmp_path / "new" / "out"
    result = invoke(kind, bundle, *SMALL, "--workload", work, "--out", str(out), "--json")
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["passed"] is True
    assert {(r["batch"], r["beam"]) for r in shown["ratios"]} == {(1, 2), (2, 2)}
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    saved = json.loads((out / "report.json").read_text())
    assert saved["fingerprint"]["threads"] == 1
    assert saved["fingerprint"]["cores_allowed"] >= 1
    assert all(engine["rss_mib"] > 1 for engine in saved["engines"])
    assert [start["engine"] for start in saved["cold_starts"]] == ["onnxruntime"]
    assert saved["cold_starts"][0]["first_reply_ms"]["p50"] == 9.0


@pytest.mark.parametrize(
    ("kind", "more", "told"),
    [
        (
            "latency",
            SMALL,
            r"bench latency: about \d+ s for 4 cells \(cold starts 8 s, eager",
        ),
        (
            "throughput",
            SMALL,
            r"bench throughput: about \d+ s for 2 cells \(cold starts 8 s",
        ),
        ("serve", SERVED, "bench serve: at least 0 s for 4 visits"),
        (
            "scaling",
            ("--axis", "beam", "--min-time", "0", "--warmup", "0", "--threads", "1"),
            r"bench scaling: at least 0 s for \d points",
        ),
    ],
)
def test_how_long_it_will_take_is_told_before_it_starts(
    near, bundle, work, use, tmp_path, caplog, kind, more, told
):
    use(onnxruntime="open_plain", eager="open_plain")
    caplog.set_level("INFO", "empgan_rt")
    arguments = (kind, bundle, *more, "--workload", work, "--out", str(tmp_path / "out"), "--json")
    result = invoke(*arguments)
    assert re.match(told, result.stderr), result.stderr
    json.loads(result.stdout)
    caplog.set_level("WARNING", "empgan_rt")  # as -q asks
    assert not re.search("about|at least", invoke(*arguments).stderr)


def test_other_tokens_end_with_a_gate_error_after_the_report(near, bundle, work, use, tmp_path):
    use(onnxruntime="open_other", eager="open_plain")
    with pytest.raises(GateError, match="FAILED") as caught:
        invoke("latency", bundle, *SMALL, "--workload", work, "--out", str(tmp_path / "out"))
    assert caught.value.exit_code == 6
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_missed_objective_ends_with_a_gate_error(near, bundle, work, use, tmp_path):
    use(onnxruntime="open_plain", eager="open_plain")
    arguments = ("latency", bundle, *SMALL, "--workload", work, "--out", str(tmp_path / "out"))
    with pytest.raises(GateError, match="ratio>1e\\+06 missed") as caught:
        invoke(*arguments, "--slo", "ratio>1000000", "--slo", "p50_ms<1000000")
    assert "p50_ms" not in caught.value.message


@pytest.mark.slow
def test_a_run_is_held_against_its_baseline(near, bundle, work, use, tmp_path):
    use(onnxruntime="open_plain", eager="open_plain")
    old = tmp_path / "old" / "report.json"
    arguments = ("latency", bundle, *SMALL, "--workload", work)
    invoke(*arguments, "--out", str(old.parent))
    again = ("--out", str(tmp_path / "out"), "--baseline", str(old), "--json")
    shown = json.loads(invoke(*arguments, *again, "--max-regress", "900%").stdout)
    assert shown["passed"]
    assert len(shown["changes"]) == 4
    assert all(change["relative_to_reference"] for change in shown["changes"])
    quicker = json.loads(old.read_text())
    for series in quicker["outcome"]["series"]:
        if series["engine"] == "onnxruntime":
            for visit in series["visits"]:
                visit["timings"] = [t | {"total_ms": t["total_ms"] / 1e3} for t in visit["timings"]]
    old.write_text(json.dumps(quicker))
    with pytest.raises(GateError, match=r"4 gates failed, first slower than before: onnxruntime"):
        invoke(*arguments, *again[:-1])
    assert invoke(*arguments, *again).exit_code == 6
    new = str(tmp_path / "out" / "report.json")
    assert invoke("compare", new, str(old)).exit_code == 0  # it became faster
    compared = invoke("compare", str(old), new, "--json")
    assert compared.exit_code == 6
    assert json.loads(compared.stdout)["error"]["code"] == GateError.code


def test_a_baseline_of_another_run_is_refused_before_anything_is_measured(
    near, bundle, work, use, tmp_path
):
    use(onnxruntime="open_plain", eager="open_plain")
    old = tmp_path / "old" / "report.json"
    arguments = (bundle, *SMALL, "--workload", work)
    invoke("latency", *arguments, "--out", str(old.parent))
    use(onnxruntime="open_crashing", eager="open_crashing")
    again = ("--baseline", str(old), "--out", str(tmp_path / "out"))
    with pytest.raises(InputError, match="differ in kind: latency and throughput"):
        invoke("throughput", *arguments, *again)
    with pytest.raises(InputError, match=r"differ in threads: .* and 64"):
        invoke("latency", *arguments, *again, "--threads", "64")
    assert not (tmp_path / "out").exists()


def test_onnx_runtime_on_a_toy_bundle(bundle, work, tmp_path, monkeypatch):
    monkeypatch.setattr(cold_start, "RUNS", 1)
    out = tmp_path / "out"
    result = invoke(
        *("latency", bundle, *SMALL, "--workload", work, "--out", str(out)),
        *("--backends", "onnxruntime"),
    )
    assert result.exit_code == 0, result.output
    assert "there is no ratio" in result.stdout
    assert "report.html" in result.stdout
    saved = json.loads((out / "report.json").read_text())
    assert "onnxruntime" in saved["engines"][0]["versions"]
    (started,) = saved["cold_starts"]
    assert 0 < started["import_ms"]["p50"] < started["first_reply_ms"]["p50"]
    fixed = [s for s in saved["outcome"]["series"] if s["cell"]["mode"] == "fixed"]
    assert {t["steps"] for s in fixed for v in s["visits"] for t in v["timings"]} == {20}


@pytest.fixture
def peer(monkeypatch, tmp_path):
    """Return what makes a fake peer: its function's name to the value of --peer."""

    def make(function):
        monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
        monkeypatch.setitem(table.PEERS, "joeynmt", f"support.fake_peer:{function}")
        python = tmp_path / "python"  # an environment of its own, with the tests' fakes
        python.write_text(
            f'#!/bin/sh\nPYTHONPATH="$PYTHONPATH:{ROOT / "tests"}" exec {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        return f"joeynmt={python}"

    return make


def test_a_peer_and_the_floor_beside_our_engine(bundle, work, peer, tmp_path):
    value = peer("open_fake")
    out = tmp_path / "out"
    result = invoke(
        *("latency", bundle, *SMALL, "--workload", work, "--out", str(out), "--json"),
        *("--batch", "8", "--backends", "floor,onnxruntime", "--peer", value),
    )
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["ratios"] == []
    stands = {s["length"]: s for s in shown["standings"]}
    assert {s["engine"] for s in stands.values()} == {"onnxruntime"}
    assert all(s["times_of_floor"]["value"] > 0 for s in stands.values())
    assert stands["fixed"]["over_best_peer"]["value"] > 0
    assert stands["natural"]["best_peer"] is None
    assert any(text.startswith("joeynmt was not measured") for text in shown["warnings"])
    saved = json.loads((out / "report.json").read_text())
    versions = {e["name"]: e["versions"] for e in saved["engines"]}
    assert versions["joeynmt"] == {"fake": "empgan_bench, empgan_rt"}  # and nothing else of ours
    of_peer = [s for s in saved["outcome"]["series"] if s["engine"] == "joeynmt"]
    assert {(s["cell"]["mode"], s["settings"]) for s in of_peer} == {("fixed", "beam 2, 1 threads")}
    steps = {
        s["engine"]: [t["steps"] for v in s["visits"] for t in v["timings"]]
        for s in saved["outcome"]["series"]
        if s["cell"]["mode"] == "natural"
    }
    assert steps["floor"] == steps["onnxruntime"]
    assert {v["engine"] for v in saved["outcome"]["verdicts"]} == {"onnxruntime"}


def test_engines_of_a_gpu(near, bundle, work, use, tmp_path, monkeypatch):
    use(onnxruntime="open_plain", eager="open_plain")
    monkeypatch.setattr(run, "measure_cold_starts", None)  # it is not called
    gpu = Gpu("An L4", "8.9", 23_034, "580.1", "13.0")
    monkeypatch.setattr(fingerprint, "gpus", lambda: [gpu])
    old = tmp_path / "old"
    arguments = ("latency", bundle, *SMALL, "--workload", work, "--device", "cuda")
    assert invoke(*arguments, "--out", str(old)).exit_code == 0
    saved = json.loads((old / "report.json").read_text())
    assert saved["plan"]["device"] == "cuda"
    assert saved["fingerprint"]["gpu"]["name"] == "An L4"
    assert saved["cold_starts"] == []
    again = ("--baseline", str(old / "report.json"), "--out", str(tmp_path / "out"))
    with pytest.raises(InputError, match="differ in device: cuda and cpu"):
        invoke(*arguments[:-2], *again)


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("eager", "latency"),
        *(("onnxruntime", each) for each in ("latency", "throughput", "serve", "scaling")),
    ],
)
def test_without_a_gpu_nothing_is_measured(bundle, work, tmp_path, monkeypatch, command, name):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    monkeypatch.setattr(CellTimer, "warm_up", None)
    out = tmp_path / "out"
    with pytest.raises(ProviderError, match=f"^{name}: ") as caught:
        invoke(
            *(command, bundle, "--workload", work, "--device", "cuda", "--backends", name),
            *("--out", str(out)),
        )
    assert caught.value.exit_code == 3
    assert len(caught.value.hint.splitlines()) == 2
    assert not out.exists()


def test_a_peer_beside_a_gpu_is_refused(bundle, peer):
    with pytest.raises(InputError, match="--peer with --device cuda"):
        invoke("latency", bundle, "--device", "cuda", "--peer", peer("open_fake"))


def test_a_peer_that_writes_too_little_ends_the_run(near, bundle, work, peer, tmp_path):
    out = tmp_path / "out"
    value = peer("open_short")
    with pytest.raises(EmpganError, match=r"fake wrote replies of \[19\] tokens, not 20"):
        invoke(
            *("latency", bundle, *SMALL, "--workload", work, "--out", str(out)),
            *("--backends", "onnxruntime", "--peer", value),
        )
    assert not out.exists()


@pytest.mark.slow
def test_the_floor_counts_in_throughput_too_and_peers_do_not(bundle, work, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    result = invoke(
        *("throughput", bundle, *SMALL, "--workload", work, "--out", str(tmp_path / "out")),
        *("--batch", "8", "--backends", "onnxruntime,floor", "--json"),
    )
    assert result.exit_code == 0, result.output
    assert {s["floor"] for s in json.loads(result.stdout)["standings"]} == {"floor"}
    refused = CliRunner().invoke(commands.bench, ["throughput", bundle, "--peer", "joeynmt=python"])
    assert refused.exit_code == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--backends", "floor"), InputError, "nothing to hold against them"),
        (("--backends", "joeynmt"), InputError, "backend 'joeynmt'"),
        (("--peer", "joeynmt"), InputError, "--peer 'joeynmt'"),
        (("--peer", "joeynmt=/no/python"), DependencyError, "/no/python is no Python"),
        (("--backends", "caffe"), InputError, r"backend 'caffe' \(use"),
        (("--backends", "tensorrt"), InputError, "backend 'tensorrt' on device 'cpu'"),
        (
            ("--device", "cuda", "--backends", "eager,openvino"),
            InputError,
            "backend 'openvino' on device 'cuda'",
        ),
        (("--batch", "0"), InputError, "--batch '0'"),
        (("--batch", "1,,2"), InputError, "--batch"),
        (("--batch", "4097"), InputError, "--batch"),
        (("--beam", "129"), InputError, "--beam"),
        (("--beam", "five"), InputError, "--beam"),
        (("--slo", "speed>9"), InputError, "objective 'speed>9'"),
        (("--max-regress", "5"), InputError, "--max-regress '5'"),
        (("--baseline", "none.json"), InputError, "none.json cannot be read"),
    ],
)
def test_bad_options(bundle, use, arguments, error, message):
    with pytest.raises(error, match=message):
        invoke("latency", bundle, *arguments)


def test_failures_leave_no_empty_folder(near, bundle, work, use, tmp_path):
    use(onnxruntime="open_refusing", eager="open_plain")
    out = tmp_path / "out"
    for folder, file, error in (
        (str(tmp_path / "none"), work, BundleError),
        (bundle, str(tmp_path / "none.jsonl"), InputError),
        (bundle, work, BundleError),
    ):
        with pytest.raises(error):
            invoke("latency", folder, *SMALL, "--workload", file, "--out", str(out))
        assert not out.exists()
    (tmp_path / "bad.jsonl").write_text("nonsense\n")
    with pytest.raises(DataError, match=r"bad\.jsonl:1"):
        invoke("latency", bundle, "--workload", str(tmp_path / "bad.jsonl"), "--out", str(out))


def test_serving_writes_its_report_and_other_replies_end_with_a_gate_error(
    near, bundle, work, use, tmp_path
):
    use(onnxruntime="open_other", eager="open_plain")
    out = tmp_path / "out"
    arguments = ("serve", bundle, *SERVED, "--workload", work, "--out", str(out))
    with pytest.raises(GateError, match="onnxruntime, 50 requests/s, beam 2: FAILED"):
        invoke(*arguments)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert "FAILED" in (out / "report.md").read_text()
    with pytest.raises(InputError, match="is a report of `bench serve`"):
        invoke("compare", str(out / "report.json"), str(out / "report.json"))


def test_serving_onnx_runtime_on_a_toy_bundle(bundle, work, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    out = tmp_path / "out"
    result = invoke(
        *("serve", bundle, *SERVED, "--backends", "onnxruntime", "--workload", work),
        *("--rate", "50,100", "--slo", "goodput>=1", "--goodput", "e2e_ms<600000"),
        *("--deadline", "600", "--out", str(out), "--json"),
    )
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert shown["passed"] is True
    assert [(row["rate_per_s"], row["answered"]) for row in shown["rows"]] == [(50, 6), (100, 6)]
    assert all(row["replies_equal"] and row["goodput"] == 1.0 for row in shown["rows"])
    assert "kept up" in (out / "report.html").read_text()


@pytest.mark.parametrize("backends", [(), ("--backends", "onnxruntime")])
def test_a_server_over_http_alone_and_beside_an_engine(
    near, bundle, work, tmp_path, monkeypatch, backends
):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    keys, out = tmp_path / "key", tmp_path / "out"
    keys.write_text("secret\n")
    with scripted_server(lambda asked: Says(("word1", " word2"), tokens=3)) as server:
        result = invoke(
            *("serve", bundle, "--workload", work, "--url", server.url, *backends, "--plain"),
            *("--rate", "50", "--requests", "6", "--warmup", "1", "--threads", "1", "--json"),
            *("--model", "second", "--api-key-file", str(keys), "--out", str(out)),
        )
    assert result.exit_code == 0, result.output
    *ours, remote = json.loads(result.stdout)["rows"]
    assert [row["engine"] for row in ours] == ([] if not backends else ["onnxruntime"])
    assert (remote["engine"], remote["answered"], remote["beam"]) == (server.url, 6, 0)
    assert remote["contexts"] == (4 if backends else 0)
    assert {asked["model"] for _, asked in server.asked} == {"second"}
    assert not any("stream" in asked for _, asked in server.asked)
    told = (out / "report.md").read_text()
    assert f"Over HTTP: {server.url}" in told
    assert ("not compared" in told) == (not backends)
    assert "own search" in (out / "report.html").read_text()
    assert "secret" not in (out / "report.json").read_text()


def test_a_server_that_loses_requests_fails_the_run(near, bundle, work, tmp_path, monkeypatch):
    monkeypatch.setattr(timing, "_SETTLE_S", 0.0)
    replies = iter([Says(("word1",), breaks=True), Says(status=429)] + [Says(("word1",))] * 9)
    arguments = ("serve", bundle, "--workload", work, "--rate", "50", "--requests", "6")
    out = tmp_path / "out"
    with (
        scripted_server(lambda asked: next(replies)) as server,
        pytest.raises(GateError, match="1 requests failed, first: 127"),
    ):
        invoke(*arguments, "--warmup", "0", "--url", server.url, "--out", str(out))
    (row,) = json.loads((out / "report.json").read_text())["outcome"]["rows"]
    assert (row["answered"], row["refused"], row["failed"]) == (4, 1, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backends", "onnxruntime,naive"), "naive cannot serve"),
        (("--backends", "floor,eager", "--device", "cuda"), "floor cannot serve"),
        (("--rate", "0"), "--rate '0'"),
        (("--rate", "4,-1"), "--rate"),
        (("--rate", "1e3"), "--rate"),
        (("--rate", "20000"), "--rate"),
        (("--slo", "ratio>1"), "objective 'ratio>1'"),
        (("--goodput", "p99_ms<1"), "objective 'p99_ms<1'"),
        (("--beam", "0"), "--beam '0'"),
        (("--url", "http://127.0.0.1:9", "--beam", "5"), "--beam with --url"),
        (("--url", "http://127.0.0.1:9", "--api-key-file", "none"), "--api-key-file none"),
        (("--url", "nowhere"), "--url 'nowhere/v1'"),
    ],
)
def test_bad_options_of_serving(bundle, arguments, message):
    with pytest.raises(InputError, match=message):
        invoke("serve", bundle, *arguments)


def test_a_missing_extra_is_named(monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="torch")

    monkeypatch.setattr(base, "import_module", missing)
    with pytest.raises(DependencyError, match="torch is not installed") as caught:
        base.resolve(table.ENGINES["cpu"]["eager"])
    assert "empgan-rt[train]" in caught.value.hint


@pytest.mark.parametrize("kind", ["latency", "serve", "scaling"])
def test_far_more_threads_than_cores_are_refused(bundle, kind):
    with pytest.raises(InputError, match="100000 threads"):
        invoke(kind, bundle, "--threads", "100000")


def test_json_of_a_failed_gate_is_still_one_object(near, bundle, work, use, tmp_path):
    use(onnxruntime="open_other", eager="open_plain")
    arguments = ("latency", bundle, *SMALL, "--workload", work, "--out", str(tmp_path / "out"))
    result = invoke("--json", *arguments)
    assert result.exit_code == 6
    shown = json.loads(result.stdout)
    assert shown["passed"] is False
    assert shown["error"]["code"] == "gate"


def test_bare_bench_is_latency_of_the_default_bundle(monkeypatch):
    seen = []
    monkeypatch.setattr(commands, "_run", lambda kind, **options: seen.append((kind, options)))
    assert CliRunner().invoke(commands.bench, []).exit_code == 0
    assert CliRunner().invoke(commands.bench, ["latency"]).exit_code == 0
    assert seen[0] == seen[1]
    kind, options = seen[0]
    assert (kind, options["bundle"], options["batch"]) == ("latency", "default", "1,8,32,128")
    assert options["workload"] is options["out"] is None
    assert not options["as_json"]
    CliRunner().invoke(commands.bench, ["--json"])
    assert seen[2][1]["as_json"]


@pytest.mark.slow
def test_latency_of_tiny_against_eager(tmp_path):
    out = tmp_path / "out"
    result = invoke(
        *("latency", "tiny", "--batch", "1,8", "--beam", "1,5", "--warmup", "1"),
        *("--min-time", "0", "--threads", "1", "--out", str(out), "--json"),
    )
    assert result.exit_code == 0, result.output
    shown = json.loads(result.stdout)
    assert len(shown["ratios"]) == 8
    assert all(r["replies_equal"] and r["ratio"] > 0 for r in shown["ratios"])
    saved = json.loads((out / "report.json").read_text())
    assert [engine["name"] for engine in saved["engines"]] == ["onnxruntime", "eager"]


@pytest.mark.parametrize("kind", ["latency", "throughput", "serve", "scaling"])
@pytest.mark.parametrize("seed", [-1, 2**63, 2**64, 10**4000], ids=["-1", "2**63", "2**64", "huge"])
def test_a_seed_that_no_report_can_hold_is_refused(kind, seed, bundle, tmp_path):
    out = tmp_path / "out"
    refused = CliRunner().invoke(
        commands.bench, [kind, bundle, "--seed", str(seed), "--out", str(out)]
    )
    assert refused.exit_code == 2
    assert f"0<=x<={2**63 - 1}" in refused.output
    assert not out.exists()


def params(*arguments):
    return commands.latency.make_context("latency", [*arguments]).params


@pytest.mark.parametrize("place", [0, 2])
def test_quick_changes_what_is_not_given(place):
    given = ["--min-time", "3"]
    quick = params(*given[:place], "--quick", *given[place:])
    assert (quick["batch"], quick["warmup"], quick["min_time_s"]) == ("1,8", 1, 3.0)
    assert params("--quick")["min_time_s"] == 0.5
    slow = params()
    assert (slow["batch"], slow["warmup"], slow["min_time_s"]) == ("1,8,32,128", 2, 5.0)
