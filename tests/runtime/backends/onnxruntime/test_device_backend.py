"""Memory that stays on its device holds what NumPy's does, whatever happens to the slots.

The device is the CPU: the same sessions, bindings and graphs as on CUDA, with other addresses.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_export.lint import lint
from empgan_rt import Responder, SearchConfig
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.device_backend import DeviceBackend
from empgan_rt.backends.onnxruntime.device_rows import DeviceRows, rows_graph
from empgan_rt.backends.onnxruntime.device_session import DeviceSession
from empgan_rt.backends.onnxruntime.device_state import DeviceState
from empgan_rt.backends.onnxruntime.state import OrtState
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import InputError, ProviderError
from empgan_rt.graph_spec import SOS, STRUCK
from empgan_rt.inference.scheduler import Scheduler
from support.toy_bundle import make_toy_bundle, toy_inputs

DIALOGUES = [
    ["I lost my keys today."],
    ["Hello!", "Hi, how are you?", "Not so well. My cat is ill."],
    ["I won the race!", "Congratulations!"],
    ["It is late.", "Are you tired?", "A little.", "Then sleep.", "I can not sleep."],
    ["My sister is getting married next week and I am so happy for her."],
    ["Why did you do that?"],
]
REPLIES = [DIALOGUES[i % len(DIALOGUES)][i // len(DIALOGUES) :] or ["Well."] for i in range(14)]


@pytest.fixture(scope="module")
def rows() -> DeviceRows:
    return DeviceRows("cpu")


@pytest.fixture(scope="module")
def backends(tmp_path_factory: pytest.TempPathFactory) -> tuple[OrtBackend, DeviceBackend]:
    bundle = Bundle.open(make_toy_bundle(tmp_path_factory.mktemp("device") / "toy"))
    return OrtBackend(bundle), DeviceBackend(bundle, "cpu")


def test_the_graph_of_rows_is_sound_and_gathers_alone() -> None:
    model = onnx.load_from_string(rows_graph())
    onnx.checker.check_model(model, full_check=True)
    lint(model)
    # Nothing else, so that no provider leaves a part of it to another one.
    assert {node.op_type for node in model.graph.node} == {"Gather", "Concat"}


@settings(max_examples=40, deadline=None)
@given(
    shape=st.tuples(*[st.integers(1, 4)] * 5),
    width=st.integers(1, 6),
    seed=st.integers(0, 99),
)
def test_joined_rows_are_those_asked_for(
    rows: DeviceRows, shape: tuple[int, ...], width: int, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    (slots, fresh_slots, columns, fresh_columns, h) = shape
    old = draw.random((slots, columns, h), np.float32)
    fresh = draw.random((fresh_slots, fresh_columns, h), np.float32)
    wanted = draw.integers(0, slots + fresh_slots, 5).astype(np.int32)
    both = [[*row[:width], *[row[-1]] * (width - len(row))] for row in (*old, *fresh)]
    for given_as in (fresh, rows.uploaded(fresh)):
        joined = rows.joined(rows.uploaded(old), given_as, wanted, width).numpy()
        np.testing.assert_array_equal(joined, np.array(both)[wanted])


def test_an_upload_is_a_copy(rows: DeviceRows) -> None:
    array = np.zeros((1, 1, 2), np.float32)
    value = rows.uploaded(array)
    array[:] = 1
    assert value.numpy().tolist() == [[[0, 0]]]


class Action:
    """What can happen to a state: newcomers to slots, another order and width, a step."""

    admit = st.tuples(st.just("admit"), st.sets(st.integers(0, 5), min_size=1), st.integers(1, 7))
    rearrange = st.tuples(st.just("rearrange"), st.permutations(range(6)), st.integers(1, 6))
    step = st.tuples(st.just("step"), st.none(), st.integers(0, 99))


@settings(max_examples=60, deadline=None)
@given(
    beams=st.integers(1, 3),
    actions=st.lists(Action.admit | Action.rearrange | Action.step, min_size=1, max_size=12),
)
def test_both_states_go_the_same_way(
    backends: tuple[OrtBackend, DeviceBackend], beams: int, actions: list[tuple[str, Any, int]]
) -> None:
    states = [backend.open(2, beams) for backend in backends]
    for number, (action, which, size) in enumerate([*actions, ("step", None, 1)]):
        count = states[0].rows[0]
        for at, backend in enumerate(backends):
            if action == "admit":
                slots = np.array(sorted({slot % count for slot in which}), np.int32)
                encoded = backend.encode(toy_inputs(len(slots), size, 4, 2, seed=number))
                backend.admit(states[at], slots, encoded)
            elif action == "rearrange":
                kept = [slot for slot in which if slot < count][:size]
                states[at] = backend.rearranged(states[at], np.array(kept, np.int32), size)
        assert_alike(*states)
        if action == "step":
            shape = states[0].rows
            draw = np.random.default_rng(size)
            tokens = draw.integers(SOS, 20, shape).astype(np.int32)
            parents = draw.integers(0, beams, shape).astype(np.int32)
            banned = draw.integers(0, 20, (*shape, 2)).astype(np.int32)
            one, other = (
                backend.step(state, tokens, parents, banned, 4)
                for backend, state in zip(backends, states, strict=True)
            )
            np.testing.assert_array_equal(one.token_ids, other.token_ids)
            np.testing.assert_allclose(one.log_probs, other.log_probs, atol=1e-6)


def assert_alike(arrays: OrtState, device: DeviceState) -> None:
    """Compare everything that a step reads."""
    np.testing.assert_array_equal(arrays.mask, device.mask.numpy())
    np.testing.assert_array_equal(arrays.reads.lengths, device.reads.lengths)
    full = arrays.reads.lengths > 0  # empty slots may hold anything finite
    np.testing.assert_allclose(arrays.hidden[full], device.hidden.numpy()[full], atol=1e-6)
    read = arrays.mask > STRUCK
    for name in ("values", "keys"):
        ours, theirs = getattr(arrays, name), getattr(device, name).numpy()
        assert ours.shape == theirs.shape
        np.testing.assert_array_equal(ours[read], theirs[read])
        assert np.isfinite(theirs).all()


@pytest.mark.parametrize("beam_size", [1, 3])
def test_replies_are_the_same_in_flight(beam_size: int) -> None:
    bundle = Bundle.open("tiny")
    search = SearchConfig(beam_size=beam_size, num_hypotheses=beam_size)
    found = []
    for backend in (OrtBackend(bundle), DeviceBackend(bundle, "cpu")):
        # Room for three, so that the others enter as these leave.
        with Responder(bundle, backend, search, max_running=3) as responder:
            replies = responder.reply_batch(REPLIES)
            streamed = "".join(chunk.text for chunk in responder.stream(DIALOGUES[1]))
        found.append(([(r.text, r.token_ids, r.finish_reason) for r in replies], streamed))
        scores = [reply.score for reply in replies]
        found[-1] += (np.round(scores, 4).tolist(),)
    assert found[0] == found[1]
    assert len({len(ids) for _, ids, _ in found[0][0]}) > 1  # they do leave at different times


class Binding:
    """Notes what a run binds where."""

    def __init__(self) -> None:
        self.up: list[str] = []
        self.there: list[str] = []
        self.outputs: dict[str, tuple[str, int]] = {}

    def bind_cpu_input(self, name: str, array: np.ndarray) -> None:
        assert array.flags["C_CONTIGUOUS"]
        self.up.append(name)

    def bind_ortvalue_input(self, name: str, value: object) -> None:
        self.there.append(name)

    def bind_output(self, name: str, device: str, device_id: int) -> None:
        self.outputs[name] = (device, device_id)

    def get_outputs(self) -> list[Any]:
        return [SimpleNamespace(name=name, numpy=lambda: np.ones(1)) for name in self.outputs]


def test_what_crosses_to_the_device_and_back() -> None:
    binding, runs = Binding(), []
    session = SimpleNamespace(io_binding=lambda: binding, run_with_iobinding=runs.append)
    on_cuda = DeviceSession(session, "cuda", frozenset({"next_hidden"}))
    feeds = {"token_ids": np.zeros((4, 4))[:, ::2], "hidden": object(), "values": object()}
    hidden, ids = on_cuda.run(["next_hidden", "candidate_ids"], feeds)
    assert runs == [binding]
    assert binding.up == ["token_ids"]
    assert binding.there == ["hidden", "values"]
    assert binding.outputs == {"next_hidden": ("cuda", 0), "candidate_ids": ("cpu", 0)}
    assert hidden.name == "next_hidden"
    assert isinstance(ids, np.ndarray)


def test_a_step_sends_ids_up_and_brings_candidates_down(
    backends: tuple[OrtBackend, DeviceBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = backends[1]
    state = backend.open(2, 3)
    backend.admit(state, np.arange(2, dtype=np.int32), backend.encode(toy_inputs(2)))
    seen: list[tuple[set[str], set[str]]] = []
    inner = DeviceSession.run

    def watched(self: DeviceSession, names: list[str], feeds: dict[str, Any]) -> list[Any]:
        found = inner(self, names, feeds)
        up = {name for name, value in feeds.items() if isinstance(value, np.ndarray)}
        down = {n for n, v in zip(names, found, strict=True) if isinstance(v, np.ndarray)}
        seen.append((up, down))
        return found

    monkeypatch.setattr(DeviceSession, "run", watched)
    ids = np.full((2, 3), SOS, np.int32)
    backend.step(state, ids, np.zeros_like(ids), np.zeros((2, 3, 1), np.int32), 4)
    up, down = {"token_ids", "parents", "banned", "num_candidates"}, {"candidate_ids"}
    assert seen == [(up, down | {"candidate_log_probs"})]


def test_a_closed_backend_opens_nothing(backends: tuple[OrtBackend, DeviceBackend]) -> None:
    backend = DeviceBackend(Bundle.open("tiny"), "cpu")
    backend.close()
    with pytest.raises(InputError, match="closed"):
        backend.open(1, 1)


def test_memory_that_runs_out_fails_newcomers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those in decoding go on, though the newcomer would have made the memory wider."""
    bundle = Bundle.open("tiny")
    inner, second = DeviceRows.joined, iter((False, True))

    def full(self: DeviceRows, old: Any, fresh: Any, *more: Any) -> Any:
        newcomers = not isinstance(fresh, np.ndarray)  # and no blank rows
        if newcomers and next(second):
            raise ProviderError("memory ran out", hint="ask for less")
        return inner(self, old, fresh, *more)

    scheduler = Scheduler(DeviceBackend(bundle, "cpu"), bundle.model.vocabulary_size, 8)
    with Responder.load("tiny") as other:
        running = [scheduler.intake.submit(other._ticket(DIALOGUES[0], None)) for _ in range(7)]
        scheduler.step()
        with monkeypatch.context() as patch:
            patch.setattr(DeviceRows, "joined", full)
            newcomer = scheduler.intake.submit(other._ticket(DIALOGUES[3], None))
            scheduler.step()
        with pytest.raises(ProviderError, match="memory ran out"):
            newcomer.check()
        while not scheduler.intake.is_idle:
            scheduler.step()
        alone = scheduler.intake.submit(other._ticket(DIALOGUES[0], None))
        while not scheduler.intake.is_idle:
            scheduler.step()
        wanted = other.reply(DIALOGUES[0]).token_ids
        for ticket in running:
            assert other._reply_of(ticket).token_ids == wanted
            assert ticket.steps == alone.steps  # it was not begun again


def test_memory_that_cannot_be_had_is_told_as_such(
    rows: DeviceRows, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeError("CUDA failure 2: out of memory ; GPU=0 ; hostname=a ; expr=cudaMalloc()")

    monkeypatch.setattr(rows, "_values", SimpleNamespace(ortvalue_from_numpy=full))
    with pytest.raises(ProviderError, match="memory ran out in the decoder's memory"):
        rows.uploaded(np.zeros((1, 1, 1), np.float32))
