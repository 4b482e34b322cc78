import io

import numpy as np
import pytest

from empgan_bench.engines.base import Engine
from empgan_bench.workers.client import Worker
from empgan_bench.workers.messages import Done, Failed, Run, decode_answer, send
from empgan_bench.workers.requests import Arrival
from empgan_bench.workers.worker import _Worker, measure, serve
from empgan_rt.config import SearchConfig
from empgan_rt.errors import BundleError, EmpganError
from empgan_rt.graph_spec import EOS
from support import bench_engines
from support.bench_engines import VOCABULARY_SIZE, FakeBackend, toy_workload
from support.device_clocks import ScriptedClock

SEARCH = SearchConfig(beam_size=2, max_length=6)


def opener(name):
    return f"support.bench_engines:{name}"


@pytest.fixture(scope="module")
def batches():
    return toy_workload().batches(3, seed=0)[:2]


def test_a_worker_answers_what_the_engine_says_in_process(batches):
    with Worker("plain", opener("open_plain"), "anything", 1) as worker:
        assert worker.opened.versions == {"fake": "1"}
        worker.load(batches)
        found = worker.run([1, 0, 1], SEARCH)
        assert worker.cpu_s() > 0
        assert worker.rss_mib() > 1
    engine = bench_engines.open_plain("anything", 1)
    wanted = [measure(engine, batches[item], SEARCH).replies for item in (1, 0, 1)]
    assert [sample.replies for sample in found] == wanted


def test_timings_add_up(batches):
    timing = measure(bench_engines.open_plain("", 1), batches[0], SEARCH).timing
    parts = timing.encode_ms + timing.step_ms + timing.search_ms
    assert parts == pytest.approx(timing.total_ms)
    assert 0 < timing.encode_ms < timing.first_token_ms <= timing.total_ms
    assert timing.dialogues == 3


def test_the_devices_clock_runs_around_the_encoder_and_each_step(batches):
    clock = ScriptedClock([7.0, 0.5, 1.5, 2.0])
    engine = Engine(FakeBackend(), VOCABULARY_SIZE, {}, clock)
    search = SearchConfig(beam_size=2, min_length=3, max_length=3)
    timing = measure(engine, batches[0], search).timing
    assert clock.calls == ["start", "stop"] * 4 + ["read"]
    assert (timing.device_encode_ms, timing.device_step_ms) == (7.0, 4.0)
    without = measure(bench_engines.open_plain("", 1), batches[0], search).timing
    assert (without.device_encode_ms, without.device_step_ms) == (None, None)


@pytest.mark.parametrize(("device", "uncounted"), [("cpu", 0), ("cuda", 1)])
def test_a_visit_to_a_gpu_begins_with_a_run_that_is_not_counted(batches, device, uncounted):
    encoded = []

    class Counting(FakeBackend):
        def encode(self, inputs):
            encoded.append(len(inputs.emotion_labels))
            return super().encode(inputs)

    worker, backend = _Worker(), Counting()
    backend.device = device
    worker._engine, worker._batches = Engine(backend, VOCABULARY_SIZE, {}), batches
    answer = worker.answer(Run([1, 0], SEARCH))
    assert len(answer.samples) == 2
    assert len(encoded) == 2 + uncounted


def test_fixed_length_gives_exactly_that_many_steps_and_tokens(batches):
    search = SearchConfig(beam_size=2, min_length=5, max_length=5, no_repeat_ngram=0)
    sample = measure(bench_engines.open_plain("", 1), batches[0], search)
    assert (sample.timing.steps, sample.timing.tokens) == (5, 15)
    assert all(len(reply) == 5 and EOS not in reply for reply in sample.replies)


def test_what_an_engine_prints_does_not_disturb_the_protocol(batches):
    with Worker("talking", opener("open_talking"), "", 1) as worker:
        worker.load(batches)
        assert len(worker.run([0], SEARCH)) == 1


def test_an_error_of_the_engine_keeps_its_class_and_hint():
    with pytest.raises(BundleError, match="refusing: no such bundle") as caught:
        Worker("refusing", opener("open_refusing"), "", 1)
    assert caught.value.hint == "make one"


def test_a_crash_is_named_and_the_worker_lives_on(batches):
    with Worker("crashing", opener("open_crashing"), "", 1) as worker:
        worker.load(batches)
        for _ in range(2):
            with pytest.raises(EmpganError, match="crashing: ValueError: a fault of the engine"):
                worker.run([0], SEARCH)


def test_a_dead_worker_is_named_with_status_and_last_words(batches):
    with Worker("exiting", opener("open_exiting"), "", 1) as worker:
        worker.load(batches)
        with pytest.raises(EmpganError, match=r"exiting worker ended with status 9.*last words"):
            worker.run([0], SEARCH)
        with pytest.raises(EmpganError, match="ended with status 9"):
            worker.run([0], SEARCH)


def test_requests_are_served_by_a_worker_as_they_arrive(toy_folder):
    arrivals = [Arrival(0.0, 1), Arrival(2.0, 0), Arrival(4.0, 1)]
    engine = "empgan_bench.engines.base:open_onnxruntime"
    with Worker("onnxruntime", engine, str(toy_folder), 1) as worker:
        with pytest.raises(EmpganError, match="before it hosted"):
            worker.serve(arrivals, SEARCH, None)
        worker.host([["I am happy."], ["the day", "we"]], 2, 8)
        served = [worker.serve(arrivals, SEARCH, None) for _ in range(2)]
    for found in served:
        assert [request.item for request in found.requests] == [1, 0, 1]
        assert {request.outcome for request in found.requests} == {"answered"}
        assert found.replies[0] == found.replies[2] != found.replies[1]
    assert served[0].replies == served[1].replies


def test_messages_are_one_line_each_and_a_run_before_an_open_is_refused(batches):
    from empgan_bench.workers.messages import Batch, Load

    requests, answers = io.BytesIO(), io.BytesIO()
    send(requests, Load([Batch.of(batch) for batch in batches]))
    send(requests, Run([0], SEARCH))
    assert requests.getvalue().count(b"\n") == 2
    serve(io.BytesIO(requests.getvalue()), answers)
    first, second = (decode_answer(line) for line in answers.getvalue().splitlines())
    assert isinstance(first, Done)
    assert isinstance(second, Failed)


def test_batches_survive_the_pipe(batches):
    from empgan_bench.workers.messages import Batch

    made = Batch.of(batches[0]).inputs()
    for name, array in vars(batches[0]).items():
        assert getattr(made, name).dtype == np.int32
        np.testing.assert_array_equal(getattr(made, name), array)
