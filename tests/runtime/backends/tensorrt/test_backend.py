"""Replies by TensorRT are those of ONNX Runtime, in any company; failures have their reasons.

TensorRT and CUDA are pretended (`tests/support/pretended`): engines are run by ONNX Runtime on
memory of the host. What they cannot show is in `tests/runtime/backends/tensorrt/test_on_gpu.py`.
"""

from __future__ import annotations

import gc
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.tensorrt import profiles as profiles_module
from empgan_rt.backends.tensorrt.backend import TrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import DependencyError, InputError, ProviderError
from empgan_rt.graph_spec import SOS
from empgan_rt.inference.lane import Lane
from empgan_rt.inference.request import read_request
from empgan_rt.inference.responder import Responder
from empgan_rt.inference.scheduler import Scheduler
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans
from empgan_rt.verification import parity
from runtime.backends.conftest import Fakes
from support.command_line import Outcome
from support.toy_bundle import toy_inputs

DIALOGUES = [
    ["I lost my job today."],
    ["Hello!", "Hi, how are you?", "I am so happy, we won the match!"],
    ["My dog died.", "Oh no.", "He was so old.", "I am sorry.", "Thank you. It hurts."],
    ["What a day."],
    ["Are you there?", "Yes.", "Good."],
]
SEARCHES = [
    SearchConfig(),
    SearchConfig(beam_size=1),
    SearchConfig(beam_size=5, num_hypotheses=3, early_stopping=False),
    SearchConfig(beam_size=5, repetition_penalty=1.3),
    SearchConfig(sample=True, seed=3),
]


@pytest.fixture
def bundle(toy_folder: Path) -> Bundle:
    return Bundle.open(toy_folder)


def say(reply: Any) -> tuple[Any, ...]:
    return reply.text, reply.token_ids, reply.finish_reason, round(reply.score, 4)


def int32(*values: object) -> np.ndarray:
    return np.array(values, np.int32)


def started(backend: Any, rows: int, beams: int, turns: int = 3) -> Any:
    encoded = backend.encode(toy_inputs(rows, turns))
    state = backend.open(rows, beams)
    backend.admit(state, np.arange(rows, dtype=np.int32), encoded)
    return state


def stepped(backend: Any, state: Any, beams: int, rows: int, count: int = 3) -> Any:
    """Return the candidates of one more step in which every beam takes word 5."""
    tokens = np.full((rows, beams), 5, np.int32)
    parents = np.zeros((rows, beams), np.int32)
    return backend.step(state, tokens, parents, parents[..., None], count)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_replies_are_those_of_onnx_runtime(fakes: Fakes, precision: str) -> None:
    with (
        Responder.load("tiny", backend="tensorrt", device="cuda", precision=precision) as responder,
        Responder.load("tiny", precision=precision) as other,
    ):
        assert responder._executor._thread._scheduler._backend.device == "cuda"
        # Of int8 equal numbers of candidates are compared: it scores so many words again.
        searches = SEARCHES if precision == "fp32" else SEARCHES[:3]
        for search in searches:
            for dialogue in DIALOGUES:
                assert say(responder.reply(dialogue, search)) == say(other.reply(dialogue, search))
        batch = [(d, s) for d in DIALOGUES for s in searches]
        dialogues, searches = [d for d, _ in batch], [s for _, s in batch]
        found = responder.reply_batch(dialogues, searches)
        assert [*map(say, found)] == [*map(say, other.reply_batch(dialogues, searches))]
    assert "launch" in fakes.cuda.calls
    assert fakes.cuda.left == (0, 0, 0)


@pytest.fixture(scope="module")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose memory has a position for each token; made before TensorRT is a stand-in."""
    from empgan_export.options import ExportOptions
    from empgan_export.package import export_bundle
    from support.small_data import small_checkpoint

    folder = tmp_path_factory.mktemp("flat")
    checkpoint = small_checkpoint(folder, system="Emo-S2S")
    export_bundle(checkpoint, folder / "flat.empgan", ExportOptions(num_contexts=1))
    return folder / "flat.empgan"


@pytest.mark.slow
@pytest.mark.parametrize("elements", [1 << 28, 1 << 14])
def test_flat_memory_in_one_piece_and_in_several(
    flat: Path, fakes: Fakes, monkeypatch: pytest.MonkeyPatch, elements: int
) -> None:
    monkeypatch.setattr(profiles_module, "MAX_ELEMENTS", elements)
    with (
        Responder.load(flat, backend="tensorrt", device="cuda") as responder,
        Responder.load(flat) as other,
    ):
        found, wanted = responder.reply_batch(DIALOGUES * 3), other.reply_batch(DIALOGUES * 3)
        assert [*map(say, found)] == [*map(say, wanted)]
    assert fakes.cuda.left == (0, 0, 0)


@pytest.mark.parametrize("beams", [1, 5])
def test_coming_and_going_changes_nobodys_result(fakes: Fakes, beams: int) -> None:
    bundle = Bundle.open("tiny")
    config = SearchConfig(beam_size=beams)
    words = bundle.model.vocabulary_size
    backend = TrtBackend(bundle)
    from empgan_rt.text.featurizer import encoder_input

    featurizer = bundle.featurizer()
    requests = [read_request(dialogue, config, featurizer) for dialogue in DIALOGUES * 3]

    def encode(places: list[int], by: Any) -> Any:
        return by.encode(encoder_input([requests[place].features for place in places]))

    reference = OrtBackend(bundle)
    wanted = [
        decode(reference, encode([place], reference), [config], [Bans()], words)[0]
        for place in range(len(requests))
    ]
    lane: Lane[int] = Lane(backend, beams, words)
    arrivals, coming, found = [2, 0, 4, 1, 0, 0, 0, 5, 3], 0, {}
    while arrivals or lane.tenants:
        if arrivals and (count := arrivals.pop(0)):
            places = [*range(coming, coming + count)]
            lane.enter(places, encode(places, backend), [config] * count, [Bans()] * count)
            coming += count
        if lane.tenants:
            found.update(lane.step())
    for place, hypotheses in found.items():
        assert [h.token_ids for h in hypotheses] == [h.token_ids for h in wanted[place]]
    assert len(found) == len(requests)
    backend.close()
    assert fakes.cuda.left == (0, 0, 0)


@pytest.mark.parametrize("captures", [True, False])
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_goldens_are_met(fakes: Fakes, precision: str, captures: bool) -> None:
    bundle = Bundle.open("tiny")
    backend = TrtBackend(bundle, precision=precision, captures=captures)
    atol = bundle.manifest.variants[precision].atol
    parity.check(parity.replay(backend, bundle.goldens(precision), atol), atol)
    assert ("launch" in fakes.cuda.calls) == captures
    backend.close()


@pytest.mark.parametrize("rows", [1, 2, 5, 9, 23])
def test_what_no_profile_takes_runs_in_parts(
    fakes: Fakes, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(profiles_module, "BATCHES", ((1, 1, 1), (2, 3, 3), (4, 5, 7)))
    backend, reference = TrtBackend(bundle), OrtBackend(bundle)
    state, wanted = started(backend, rows, 2), started(reference, rows, 2)
    for _ in range(4):
        for one, other in zip(
            vars(stepped(backend, state, 2, rows)).values(),
            vars(stepped(reference, wanted, 2, rows)).values(),
            strict=True,
        ):
            np.testing.assert_allclose(one, other, atol=1e-6)
    backend.close()
    assert fakes.cuda.left == (0, 0, 0)


def test_only_what_must_goes_up_and_down_in_a_step(fakes: Fakes, bundle: Bundle) -> None:
    backend = TrtBackend(bundle, captures=False)
    state = started(backend, 2, 2)
    stepped(backend, state, 2, 2)
    kept = [state.values.address, state.keys.address, state.mask.address]
    buffers = []
    for _ in range(6):
        fakes.cuda.calls.clear()
        stepped(backend, state, 2, 2)
        assert fakes.cuda.calls == [
            "cudaMemcpyHostToDevice",  # token ids, parents and banned ids
            *["address"] * 10,
            "enqueue decoder_step",
            *["cudaMemcpyDeviceToHost"] * 2,  # candidates and their log-probabilities
            "synchronize",
        ]
        buffers.append(state.hidden.address)
    assert buffers[::2] == [buffers[0]] * 3  # two buffers by turns
    assert buffers[1::2] == [buffers[1]] * 3
    assert buffers[0] != buffers[1]
    assert kept == [state.values.address, state.keys.address, state.mask.address]


def test_a_step_is_replayed_while_shapes_stay(fakes: Fakes, bundle: Bundle) -> None:
    backend = TrtBackend(bundle)
    state = started(backend, 2, 2)
    for _ in range(8):
        stepped(backend, state, 2, 2)
    assert fakes.cuda.calls.count("enqueue decoder_step") == 3  # plain, and one for each buffer
    assert fakes.cuda.calls.count("launch") == 7
    fakes.cuda.calls.clear()
    state = backend.rearranged(state, int32(1), 3)
    stepped(backend, state, 2, 3)
    assert "launch" not in fakes.cuda.calls
    assert not fakes.cuda.graphs


def test_engines_go_at_close_and_not_some_time_later(fakes: Fakes, bundle: Bundle) -> None:
    backend = TrtBackend(bundle)
    stepped(backend, started(backend, 3, 2), 2, 3)
    assert len(fakes.trt.engines) == 3
    gc.disable()
    try:
        backend.close()
        assert len(fakes.trt.engines) == 0
    finally:
        gc.enable()


def test_memory_does_not_grow_with_requests(fakes: Fakes) -> None:
    with Responder.load("tiny", backend="tensorrt", device="cuda") as responder:
        sizes = []
        for _ in range(4):
            responder.reply_batch(DIALOGUES * 2, SearchConfig())
            sizes.append(len(fakes.cuda.allocated))
        assert sizes[1:] == [sizes[1]] * 3


def test_an_engine_is_built_once_and_the_log_says_so(
    fakes: Fakes, bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    TrtBackend(bundle).close()
    assert caplog.text.count("is built now") == 3
    assert fakes.trt.names().count("build") == 3
    caplog.clear()
    backend = TrtBackend(bundle)
    assert fakes.trt.names().count("build") == 3  # found
    stepped(backend, started(backend, 2, 4), 4, 2)
    assert "beam 4, 5 candidates; it is built now" in caplog.text
    assert fakes.trt.names().count("build") == 4
    backend.close()


def test_more_candidates_than_tensorrt_offers(fakes: Fakes, caplog: Any) -> None:
    backend = TrtBackend(Bundle.open("default"))
    state = backend.open(1, 1)
    with pytest.raises(InputError, match="3841 candidates"):
        backend.step(state, int32([SOS]), int32([0]), int32([[0]]), 3841)
    backend.close()


def test_too_many_banned_ids_are_refused(fakes: Fakes, bundle: Bundle) -> None:
    backend = TrtBackend(bundle)
    state = started(backend, 1, 1)
    many = np.zeros((1, 1, 1025), np.int32)
    with pytest.raises(InputError, match="S = 1040") as raised:
        backend.step(state, int32([SOS]), int32([0]), many, 2)
    assert "1024" in raised.value.hint
    backend.step(state, int32([SOS]), int32([0]), many[:, :, :1024], 2)
    backend.close()


def _refused(fakes: Fakes) -> None:
    fakes.trt.fails = "Cask: invalid kernel"


def _full(fakes: Fakes) -> None:
    fakes.trt.fails = "[resizingAllocator] Cuda Runtime (out of memory)"


@pytest.mark.parametrize("captures", [True, False])
@pytest.mark.parametrize(
    ("fail", "message", "hint"),
    [
        (_refused, "tensorrt 11.4.0 refused to run: Cask", "-v before the command"),
        (_full, "memory is full", "smaller batches"),
    ],
)
def test_a_failed_step_leaves_everything_usable(
    fakes: Fakes,
    bundle: Bundle,
    fail: Callable[[Fakes], None],
    message: str,
    hint: str,
    captures: bool,
) -> None:
    backend = TrtBackend(bundle, captures=captures)
    state, wanted = started(backend, 2, 2), started(backend, 2, 2)
    fail(fakes)
    with pytest.raises(ProviderError, match=message) as raised:
        stepped(backend, state, 2, 2)
    assert hint in raised.value.hint
    fakes.trt.fails = ""
    for _ in range(5):
        found, other = stepped(backend, state, 2, 2), stepped(backend, wanted, 2, 2)
        np.testing.assert_array_equal(found.log_probs, other.log_probs)
    backend.close()
    assert fakes.cuda.left == (0, 0, 0)


def test_full_memory_fails_newcomers_alone(fakes: Fakes) -> None:
    """A batch that finds no room is refused; who is in decoding goes on, and so does the next."""
    bundle = Bundle.open("tiny")
    scheduler = Scheduler(TrtBackend(bundle), bundle.model.vocabulary_size, 64)
    with Responder.load("tiny") as other:
        ticket = scheduler.intake.submit(other._ticket(DIALOGUES[0], None))
        scheduler.step()
        fakes.cuda.memory = sum(a.nbytes for _, a in fakes.cuda.allocated.values())
        newcomer = scheduler.intake.submit(other._ticket(DIALOGUES[2] * 12, None))
        scheduler.step()
        fakes.cuda.memory = 1 << 30
        with pytest.raises(ProviderError, match="memory is full"):
            newcomer.check()
        after = scheduler.intake.submit(other._ticket(DIALOGUES[1], None))
        while not scheduler.intake.is_idle:
            scheduler.step()
        assert say(other._reply_of(ticket)) == say(other.reply(DIALOGUES[0]))
        assert say(other._reply_of(after)) == say(other.reply(DIALOGUES[1]))
    scheduler.close()
    assert fakes.cuda.left == (0, 0, 0)


def test_a_lost_gpu_is_told_and_closing_raises_nothing(fakes: Fakes) -> None:
    responder = Responder.load("tiny", backend="tensorrt", device="cuda")
    responder.reply(DIALOGUES[0])
    fakes.cuda.lost = True
    for _ in range(2):
        with pytest.raises(ProviderError, match="the GPU is lost") as raised:
            responder.reply(DIALOGUES[1])
        assert "start the process again" in raised.value.hint
    responder.close()
    assert fakes.cuda.left == (0, 0, 0)


def test_an_engine_that_does_not_load(fakes: Fakes, bundle: Bundle) -> None:
    fakes.trt.damaged = True
    with pytest.raises(ProviderError, match=r"did not load the turn_encoder .* Serialization"):
        TrtBackend(bundle)
    assert fakes.cuda.left == (0, 0, 0)


def test_nothing_is_captured_with_rtx(fakes: Fakes, bundle: Bundle) -> None:
    fakes.trt.__name__ = "tensorrt_rtx"
    backend = TrtBackend(bundle)
    state = started(backend, 1, 2)
    for _ in range(4):
        stepped(backend, state, 2, 1)
    assert "begin capture" not in fakes.cuda.calls


def test_a_closed_backend_says_so(fakes: Fakes, bundle: Bundle) -> None:
    backend = TrtBackend(bundle)
    encoded = backend.encode(toy_inputs(1))
    state = backend.open(1, 2)
    backend.close()
    for call in (
        lambda: backend.encode(toy_inputs(1)),
        lambda: backend.open(1, 2),
        lambda: backend.admit(state, int32(0), encoded),
        lambda: backend.rearranged(state, int32(0), 2),
        lambda: stepped(backend, state, 2, 1),
    ):
        with pytest.raises(InputError, match="the backend is closed"):
            call()


@pytest.mark.parametrize(("slots", "beams"), [(0, 1), (1, 0)])
def test_an_empty_state_is_refused(fakes: Fakes, bundle: Bundle, slots: int, beams: int) -> None:
    with pytest.raises(InputError, match="at least 1"):
        TrtBackend(bundle).open(slots, beams)


def test_what_cannot_be_loaded(
    fakes: Fakes, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match="device 'cpu'") as raised:
        load_backend(bundle, "tensorrt")
    assert "cuda" in raised.value.hint
    with pytest.raises(InputError, match="precision 'fp8'"):
        load_backend(bundle, "tensorrt", "cuda", "fp8")
    assert fakes.cuda.left == (0, 0, 0)
    import sys

    for name in ("tensorrt", "tensorrt_rtx"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(DependencyError, match="TensorRT is not installed"):
        load_backend(bundle, "tensorrt", "cuda")


def test_tf32_is_off_unless_asked_for(fakes: Fakes, bundle: Bundle) -> None:
    TrtBackend(bundle).close()
    assert "set_flag" not in fakes.trt.names()
    TrtBackend(bundle, tf32=True).close()
    assert ("set_flag", "TF32") in fakes.trt.calls


def test_logs_name_no_words_of_a_dialogue(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Responder.load("tiny", backend="tensorrt", device="cuda") as responder:
        responder.reply(["zyzzyva is my secret"])
    assert "zyzzyva" not in caplog.text


@pytest.mark.parametrize("name", ["chat", "reply", "inspect"])
def test_commands_take_the_backend(
    fakes: Fakes, command: Callable[..., Outcome], toy_folder: Path, tmp_path: Path, name: str
) -> None:
    lines = tmp_path / "in.jsonl"
    lines.write_text('{"turns": ["I lost my keys."]}\n')
    arguments, said = {
        "chat": ((toy_folder,), b"I lost my keys.\n"),
        "reply": ((toy_folder, lines, tmp_path / "out.jsonl"), b""),
        "inspect": ((toy_folder, "--verify"), b""),
    }[name]
    refused = command(name, *arguments, "--backend", "tensorrt", stdin=said)
    assert refused.code == 2
    assert "device 'cpu' with the backend 'tensorrt'" in refused.err
    done = command(name, *arguments, "--backend", "tensorrt", "--device", "cuda", stdin=said)
    assert done.code == 0
    assert "launch" in fakes.cuda.calls
    assert fakes.cuda.left == (0, 0, 0)
