"""ONNX Runtime computes what NumPy does, for any company in the batch, and refuses bad input.

Every test of a backend runs twice: with NumPy arrays, and with memory that stays on the device,
which is the CPU here.
"""

import dataclasses
import os
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy

from empgan_rt.backend import Encoded
from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime import session as ort_session
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.backends.onnxruntime.device_backend import DeviceBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import (
    BundleError,
    DependencyError,
    DivergenceError,
    InputError,
    ProviderError,
)
from empgan_rt.graph_spec import SOS, STRUCK, EncoderInput
from support.toy_bundle import (
    MODEL,
    make_toy_bundle,
    numpy_encode,
    numpy_step,
    toy_inputs,
    toy_weights,
    write_staging,
)

V = MODEL.vocabulary_size


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(make_toy_bundle(tmp_path_factory.mktemp("ort") / "toy"))


@pytest.fixture(scope="module", params=[OrtBackend, DeviceBackend])
def kind(request: pytest.FixtureRequest) -> type[OrtBackend]:
    return request.param


@pytest.fixture(scope="module")
def backend(kind: type[OrtBackend], bundle: Bundle) -> OrtBackend:
    return kind(bundle, "cpu")


def host(tensor: Any) -> np.ndarray:
    """Return a tensor of a state or of encoded dialogues as an array."""
    return tensor if isinstance(tensor, np.ndarray) else tensor.numpy()


def int32(*values: object) -> np.ndarray:
    return np.array(values, np.int32)


def start(backend: OrtBackend, inputs: EncoderInput, beams: int) -> Any:
    encoded = backend.encode(inputs)
    state = backend.open(encoded.rows, beams)
    backend.admit(state, np.arange(encoded.rows, dtype=np.int32), encoded)
    return state


def forced(rows: int, beams: int, steps: int, seed: int = 3) -> list[tuple[np.ndarray, ...]]:
    """Return (token_ids, parents, banned) of some steps."""
    draw = np.random.default_rng(seed)
    shape = (rows, beams)
    made = [
        (
            draw.integers(0, V, shape).astype(np.int32),
            draw.integers(0, beams, shape).astype(np.int32),
            draw.integers(0, V, (*shape, 3)).astype(np.int32),
        )
        for _ in range(steps)
    ]
    made[0][0][:] = SOS
    return made


@pytest.mark.parametrize(("rows", "turns", "tokens", "words"), [(1, 1, 1, 1), (4, 3, 7, 2)])
def test_encoder_equals_numpy(
    backend: OrtBackend, rows: int, turns: int, tokens: int, words: int
) -> None:
    inputs = toy_inputs(rows, turns, tokens, words)
    encoded = backend.encode(inputs)
    wanted = numpy_encode(toy_weights(), inputs)
    assert encoded.rows == rows
    np.testing.assert_allclose(encoded.label_probs, wanted["label_probs"], atol=1e-6)
    for name in ("values", "keys", "mask", "hidden"):
        np.testing.assert_allclose(host(encoded.tensors[name]), wanted[name], atol=2e-6)


@pytest.mark.parametrize(("rows", "beams", "count"), [(1, 1, 1), (3, 4, 6), (2, 5, V)])
def test_steps_equal_numpy(backend: OrtBackend, rows: int, beams: int, count: int) -> None:
    inputs = toy_inputs(rows)
    state = start(backend, inputs, beams)
    memory = numpy_encode(toy_weights(), inputs)
    hidden = np.repeat(memory["hidden"][:, None], beams, axis=1)
    for token_ids, parents, banned in forced(rows, beams, 6):
        hidden, log_probs = numpy_step(toy_weights(), memory, hidden, token_ids, parents, banned)
        found = backend.step(state, token_ids, parents, banned, count)
        assert found.token_ids.dtype == np.int32
        assert found.token_ids.shape == found.log_probs.shape == (rows, beams, count)
        best = np.sort(log_probs, axis=-1)[..., ::-1][..., :count]
        np.testing.assert_allclose(found.log_probs, best, atol=1e-5)
        own = np.take_along_axis(log_probs, found.token_ids.astype(np.int64), axis=-1)
        np.testing.assert_allclose(own, found.log_probs, atol=1e-5)
        np.testing.assert_allclose(host(state.hidden), hidden, atol=1e-5)


def test_banned_ids_are_struck_and_pad_always(backend: OrtBackend) -> None:
    state = start(backend, toy_inputs(1), 1)
    found = backend.step(state, int32([SOS]), int32([0]), int32([[5, 6, 7]]), V)
    log_probs = dict(zip(found.token_ids[0, 0].tolist(), found.log_probs[0, 0], strict=True))
    assert {token for token, value in log_probs.items() if value <= STRUCK} == {0, 5, 6, 7}


def test_parents_reorder_the_beams(backend: OrtBackend) -> None:
    state = start(backend, toy_inputs(2), 3)
    tokens, none = int32([4, 5, 6], [7, 8, 9]), np.zeros((2, 3, 1), np.int32)
    backend.step(state, tokens, np.zeros((2, 3), np.int32), none, 4)
    other = dataclasses.replace(state)
    same = np.full((2, 3), 10, np.int32)
    straight = backend.step(state, same, int32([0, 1, 2], [0, 1, 2]), none, 4)
    crossed = backend.step(other, same, int32([2, 2, 0], [1, 0, 1]), none, 4)
    np.testing.assert_array_equal(crossed.log_probs[0], straight.log_probs[0][[2, 2, 0]])
    np.testing.assert_array_equal(crossed.token_ids[1], straight.token_ids[1][[1, 0, 1]])
    assert not np.array_equal(straight.log_probs[0, 0], straight.log_probs[0, 2])


def test_slots_admitted_with_other_lengths_equal_runs_of_their_own(backend: OrtBackend) -> None:
    long, short, middle = (toy_inputs(1, turns, 4 + turns, 2, seed=turns) for turns in (6, 1, 3))
    state = backend.open(3, 2)
    alone = {slot: start(backend, inputs, 2) for slot, inputs in ((0, short), (2, long))}
    for slot, inputs in ((0, short), (2, long)):
        backend.admit(state, int32(slot), backend.encode(inputs))
    steps = forced(3, 2, 9)
    for index, (tokens, parents, banned) in enumerate(steps):
        if index == 4:  # slot 2 is refilled by a shorter dialogue, slot 1 is used at last
            batch = backend.encode(middle)
            backend.admit(state, int32(2), batch)
            alone[2] = start(backend, middle, 2)
            backend.admit(state, int32(1), backend.encode(long))
            alone[1] = start(backend, long, 2)
        together = backend.step(state, tokens, parents, banned, 5)
        for slot, own in alone.items():
            one = slice(slot, slot + 1)
            wanted = backend.step(own, tokens[one], parents[one], banned[one], 5)
            np.testing.assert_array_equal(together.token_ids[one], wanted.token_ids)
            np.testing.assert_allclose(together.log_probs[one], wanted.log_probs, atol=1e-6)


def test_memory_shrinks_when_the_longest_dialogue_leaves(backend: OrtBackend) -> None:
    state = backend.open(2, 1)
    backend.admit(state, int32(0, 1), backend.encode(toy_inputs(2, turns=9)))
    assert host(state.mask).shape == (2, 9)
    backend.admit(state, int32(0, 1), backend.encode(toy_inputs(2, turns=2)))
    assert host(state.mask).shape == (2, 2)
    assert host(state.values).shape == (2, 2, MODEL.hidden_size)


def test_company_and_padding_change_nothing(backend: OrtBackend) -> None:
    batch = toy_inputs(7, 4, 6, 3, seed=5)
    steps = forced(7, 3, 5)
    state = start(backend, batch, 3)
    together = [backend.step(state, *step, 6) for step in steps]
    for row in range(7):
        one = slice(row, row + 1)
        turns = max(1, 4 - row)  # toy_inputs pads row i to 4 - i turns
        own = EncoderInput(
            batch.utterances[one, :turns],
            batch.emotion_words[one, :turns],
            batch.emotion_labels[one, :turns],
        )
        state = start(backend, own, 3)
        for (tokens, parents, banned), wanted in zip(steps, together, strict=True):
            alone = backend.step(state, tokens[one], parents[one], banned[one], 6)
            np.testing.assert_array_equal(alone.token_ids, wanted.token_ids[one])
            np.testing.assert_allclose(alone.log_probs, wanted.log_probs[one], atol=1e-6)


def test_empty_slots_may_be_stepped(backend: OrtBackend) -> None:
    zeros = np.zeros((2, 3), np.int32)
    found = backend.step(backend.open(2, 3), zeros, zeros, zeros[..., None], 2)
    assert np.isfinite(found.log_probs).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("utterances", np.zeros((0, 1, 1), np.int32)),
        ("utterances", np.full((2, 3, 5), V, np.int32)),
        ("utterances", np.full((2, 3, 5), -1, np.int32)),
        ("utterances", np.ones((2, 3, 0), np.int32)),
        ("utterances", np.ones((2, 4, 5), np.int32)),
        ("utterances", np.ones((2, 3), np.int32)),
        ("utterances", np.ones((2, 3, 5), np.int64)),
        ("utterances", [[[1]]]),
        ("emotion_words", np.full((2, 3, 2), MODEL.emotion_vocabulary_size, np.int32)),
        ("emotion_labels", np.full((2, 3), 9, np.int32)),
        ("emotion_labels", np.ones((0, 3), np.int32)),
        ("emotion_labels", np.ones((2, 0), np.int32)),
        ("emotion_labels", np.array([[1, 0, 1], [1, 0, 0]], np.int32)),
    ],
)
def test_bad_dialogues_never_reach_the_session(
    backend: OrtBackend, name: str, value: object
) -> None:
    with pytest.raises(InputError, match=r"utterances|emotion"):
        backend.encode(dataclasses.replace(toy_inputs(2, 3, 5, 2), **{name: value}))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"token_ids": int32([V, 1], [1, 1])}, f"token_ids holds 1 to {V}"),
        ({"token_ids": int32([1, 1])}, "token_ids has shape"),
        ({"parents": int32([0, 2], [0, 0])}, "parents holds 0 to 2"),
        ({"parents": int32([0, -1], [0, 0])}, "parents holds -1"),
        ({"banned": np.zeros((2, 2), np.int32)}, "banned has shape"),
        ({"banned": np.full((2, 2, 1), V, np.int32)}, "banned holds"),
        ({"num_candidates": 0}, "0 candidates"),
        ({"num_candidates": V + 1}, "24 candidates"),
    ],
)
def test_bad_steps_never_reach_the_session(
    backend: OrtBackend, changes: dict, message: str
) -> None:
    state = start(backend, toy_inputs(2), 2)
    good = {
        "token_ids": int32([1, 1], [1, 1]),
        "parents": int32([0, 1], [1, 0]),
        "banned": np.zeros((2, 2, 1), np.int32),
        "num_candidates": 3,
    }
    backend.step(state, **good)
    with pytest.raises(InputError, match=message):
        backend.step(state, **good | changes)


def test_bad_slots_are_refused(backend: OrtBackend) -> None:
    encoded = backend.encode(toy_inputs(2))
    state = backend.open(3, 1)
    for slots in (int32(0), int32(0, 3), int32(-1, 0), int32(1, 1)):
        with pytest.raises(InputError, match="slot"):
            backend.admit(state, slots, encoded)
    with pytest.raises(InputError, match="0 slots"):
        backend.open(0, 1)


def with_nan(bundle: Bundle, name: str) -> Bundle:
    """Return an opened bundle whose weights of one name became NaN afterwards."""
    broken = toy_weights()
    broken[name][:] = np.nan
    files = {**bundle.files, "weights.safetensors": safetensors.numpy.save(broken)}
    return dataclasses.replace(bundle, files=files)


def test_nan_weights_diverge(kind: type[OrtBackend], tmp_path: Path) -> None:
    backend = kind(with_nan(Bundle.open(make_toy_bundle(tmp_path / "toy")), "output"), "cpu")
    state = start(backend, toy_inputs(1), 1)
    with pytest.raises(DivergenceError):
        backend.step(state, int32([SOS]), int32([0]), int32([[0]]), 3)
    for name in ("turn", "heard", "recogniser", "emotion_embedding", "label_embedding"):
        backend = kind(with_nan(Bundle.open(tmp_path / "toy"), name), "cpu")
        with pytest.raises(DivergenceError):
            backend.encode(toy_inputs(1))


def test_a_closed_backend_says_so(kind: type[OrtBackend], bundle: Bundle) -> None:
    backend = kind(bundle, "cpu")
    backend.close()
    with pytest.raises(InputError, match="closed"):
        backend.encode(toy_inputs(1))


def test_use_after_fork_is_refused(backend: OrtBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend._guard, "_process", os.getpid() + 1)
    with pytest.raises(ProviderError, match="forked"):
        backend.encode(toy_inputs(1))


def test_unknown_names_are_listed(kind: type[OrtBackend], bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"device 'tpu'.*cpu, cuda"):
        kind(bundle, "tpu")
    with pytest.raises(InputError, match=r"device 'tpu'.*cpu, cuda"):
        load_backend(bundle, device="tpu")
    with pytest.raises(InputError, match=r"precision 'int8'.*fp32"):
        kind(bundle, "cpu", precision="int8")
    with pytest.raises(InputError, match=r"backend 'tvm'.*onnxruntime"):
        load_backend(bundle, "tvm")
    assert type(load_backend(bundle)) is OrtBackend


def test_missing_package_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DependencyError, match=r"empgan-rt\[cpu\]"):
        ort_session.import_onnxruntime()


def test_two_wheels_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "distribution", lambda name: SimpleNamespace(name=name))
    with pytest.raises(DependencyError, match="both installed") as caught:
        ort_session.import_onnxruntime()
    first, second = caught.value.hint.splitlines()
    assert first == "pip uninstall -y onnxruntime onnxruntime-gpu"
    assert second.startswith("pip install onnxruntime")


def test_an_old_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    old = SimpleNamespace(SessionOptions=object, __version__="1.20.0")
    monkeypatch.setitem(sys.modules, "onnxruntime", old)
    with pytest.raises(DependencyError, match=r"1\.20\.0"):
        ort_session.import_onnxruntime()


def altered(tmp_path: Path, graph: str, change: object) -> Bundle:
    """Return a sealed toy whose graph was changed by `change(model)`."""
    fields = write_staging(tmp_path / "toy")
    path = tmp_path / "toy" / f"{graph}.fp32.onnx"
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())
    return Bundle.seal(tmp_path / "toy", fields)


def external(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    return [t for t in model.graph.initializer if t.external_data]


@pytest.mark.parametrize("location", ["canary", "../canary", "/canary", "tokenizer.json"])
def test_data_outside_the_weights_is_refused(
    tmp_path: Path, location: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    canary.write_bytes(b"\0" * 10_000)
    monkeypatch.chdir(tmp_path)
    place = str(canary) if location == "/canary" else location

    def redirect(model: onnx.ModelProto) -> None:
        next(e for e in external(model)[0].external_data if e.key == "location").value = place

    with pytest.raises(BundleError, match="refused the turn_encoder"):
        OrtBackend(altered(tmp_path, "turn_encoder", redirect))


@pytest.mark.parametrize("offset", ["-8", "1000000", str(2**62)])
def test_data_outside_the_file_is_refused(tmp_path: Path, offset: str) -> None:
    def shift(model: onnx.ModelProto) -> None:
        next(e for e in external(model)[0].external_data if e.key == "offset").value = offset

    with pytest.raises(BundleError, match="refused the decoder_step"):
        OrtBackend(altered(tmp_path, "decoder_step", shift))


def test_another_signature_is_refused(tmp_path: Path) -> None:
    def rename(model: onnx.ModelProto) -> None:
        model.graph.output[4].name = "hidden"
        model.graph.output.pop(3)

    with pytest.raises(BundleError, match=r"refused|no label_probs"):
        OrtBackend(altered(tmp_path, "context_encoder", rename))


def test_a_graph_of_another_width_is_refused(tmp_path: Path) -> None:
    fields = write_staging(tmp_path / "toy")
    wrong = dataclasses.replace(fields, model=dataclasses.replace(MODEL, hidden_size=9))
    bundle = Bundle.seal(tmp_path / "toy", wrong)
    with pytest.raises(BundleError, match="another signature: turn_vectors is"):
        OrtBackend(bundle)


def test_rubbish_in_place_of_a_graph_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fields = write_staging(tmp_path / "toy")
    (tmp_path / "toy" / "turn_encoder.fp32.onnx").write_bytes(b"not a graph")
    with pytest.raises(BundleError, match="refused the turn_encoder"):
        OrtBackend(Bundle.seal(tmp_path / "toy", fields))
    assert capfd.readouterr() == ("", "")  # ONNX Runtime would print of its own accord


def test_encoded_names_its_rows(backend: OrtBackend) -> None:
    encoded = backend.encode(toy_inputs(3))
    assert isinstance(encoded, Encoded)
    assert encoded.label_probs.shape == (3, 3, 7)


def test_threads_of_a_session_stop_spinning_when_its_call_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ort_session, "claim_threads", lambda: 2)
    options = ort_session._session_options(ort_session.import_onnxruntime())
    assert options.use_per_session_threads
    assert options.intra_op_num_threads == 2
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"
