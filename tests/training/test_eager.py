"""The eager reference backend: the same numbers as the generator, whatever the slots."""

import numpy as np
import pytest
import torch

from empgan_rt.config import GeneratorConfig
from empgan_rt.graph_spec import EOS, PAD, SOS, STRUCK, EncoderInput
from empgan_training.eager import EagerBackend, Parcel, inference_weights, log_prob, sent, unpacked
from support.small_data import small_generator

CONFIG = GeneratorConfig(40, 20, 9, 8, 7, 10, 6)


@pytest.fixture(scope="module")
def backend():
    return EagerBackend(small_generator(CONFIG, std=0.3))


def _inputs(rows, turns, seed=0):
    draw = np.random.default_rng(seed)
    return EncoderInput(
        draw.integers(4, 40, (rows, turns, 5)).astype(np.int32),
        draw.integers(4, 20, (rows, turns, 2)).astype(np.int32),
        draw.integers(1, 9, (rows, turns)).astype(np.int32),
    )


def _step(backend, state, token, beams=1, rows=1, banned=PAD, count=39):
    parents = np.tile(np.arange(beams, dtype=np.int32), (rows, 1))
    tokens = np.full((rows, beams), token, np.int32)
    struck = np.full((rows, beams, 1), banned, np.int32)
    return backend.step(state, tokens, parents, struck, count)


def test_candidates_are_log_softmax_of_the_generator(backend):
    inputs = _inputs(1, 3)
    encoded = backend.encode(inputs)
    state = backend.open(1, 1)
    backend.admit(state, np.array([0], np.int32), encoded)
    found = _step(backend, state, SOS)
    keys, values, mask, hidden, _ = encoded.tensors
    with torch.inference_mode():
        _, logits = backend.generator.step(
            torch.tensor([[SOS]]), hidden.unsqueeze(1), keys, values, mask
        )
    wanted = torch.log_softmax(logits, -1)[0, 0].numpy()
    np.testing.assert_allclose(found.log_probs[0, 0], wanted[found.token_ids[0, 0]], atol=1e-5)
    assert PAD not in found.token_ids
    assert (np.diff(found.log_probs) <= 0).all()


def test_banned_ids_are_struck(backend):
    state = backend.open(1, 1)
    backend.admit(state, np.array([0], np.int32), backend.encode(_inputs(1, 2)))
    found = _step(backend, state, SOS, banned=EOS, count=40)
    place = found.token_ids[0, 0].tolist().index(EOS)
    assert found.log_probs[0, 0, place] < STRUCK / 2


def test_slots_admitted_later_and_longer_change_no_other(backend):
    short, long = _inputs(2, 2), _inputs(1, 6, seed=9)
    alone = backend.open(2, 1)
    backend.admit(alone, np.array([0, 1], np.int32), backend.encode(short))
    mixed = backend.open(3, 1)
    backend.admit(mixed, np.array([2, 0], np.int32), backend.encode(short))
    backend.admit(mixed, np.array([1], np.int32), backend.encode(long))
    first = _step(backend, alone, SOS, rows=2)
    second = _step(backend, mixed, SOS, rows=3)
    np.testing.assert_allclose(second.log_probs[[2, 0]], first.log_probs, atol=1e-5)
    np.testing.assert_array_equal(second.token_ids[[2, 0]], first.token_ids)


def test_a_slot_can_be_taken_over(backend):
    state = backend.open(1, 2)
    backend.admit(state, np.array([0], np.int32), backend.encode(_inputs(1, 6)))
    _step(backend, state, SOS, beams=2)
    backend.admit(state, np.array([0], np.int32), backend.encode(_inputs(1, 2, seed=3)))
    fresh = backend.open(1, 2)
    backend.admit(fresh, np.array([0], np.int32), backend.encode(_inputs(1, 2, seed=3)))
    after = _step(backend, state, SOS, beams=2)
    wanted = _step(backend, fresh, SOS, beams=2)
    np.testing.assert_allclose(after.log_probs, wanted.log_probs, atol=1e-5)


def test_log_prob_sums_the_steps(backend):
    inputs = _inputs(1, 2)
    reply = [7, 11]
    state = backend.open(1, 1)
    backend.admit(state, np.array([0], np.int32), backend.encode(inputs))
    total = 0.0
    for token, target in zip([SOS, 7, 11], [7, 11, EOS], strict=True):
        found = _step(backend, state, token)
        total += float(found.log_probs[found.token_ids == target][0])
    assert log_prob(backend.generator, inputs, reply, ended=True) == pytest.approx(total, abs=1e-4)
    assert log_prob(backend.generator, inputs, reply, ended=False) > total


def test_training_heads_are_left_out(backend):
    names = inference_weights(backend.generator)
    assert not any(name.startswith(("emotion_decoder", "label_head")) for name in names)
    assert "decoder.vocabulary.weight" in names


def test_arrays_lie_one_behind_the_other_each_where_kernels_like_it() -> None:
    draw = np.random.default_rng(0)
    shapes = [(3, 5), (1, 1), (2, 3, 7), (4,)]
    arrays = [draw.integers(0, 99, shape).astype(np.int32) for shape in shapes]
    parcel = Parcel(shapes)
    for dtype in (torch.int32, torch.int64):
        whole = torch.full((parcel.size,), -1, dtype=dtype)
        parcel.fill(whole, [array[..., ::-1] for array in arrays])
        for part, array in zip(parcel.parts(whole), arrays, strict=True):
            np.testing.assert_array_equal(part.numpy(), array[..., ::-1])
            assert part.is_contiguous()
            assert part.storage_offset() * part.element_size() % 16 == 0
    assert parcel.size == 16 + 4 + 44 + 4


def test_candidates_keep_every_bit() -> None:
    ids = torch.arange(12, dtype=torch.int32).view(1, 3, 4)
    log_probs = -torch.rand(1, 3, 4) * 1e4
    found = unpacked(torch.stack([ids, log_probs.view(torch.int32)]))
    np.testing.assert_array_equal(found.token_ids, ids.numpy())
    np.testing.assert_array_equal(found.log_probs, log_probs.numpy())
    assert (found.token_ids.dtype, found.log_probs.dtype) == (np.int32, np.float32)


def test_on_the_cpu_arrays_are_copied_one_by_one() -> None:
    array = np.ones((2, 3), np.int32)
    (tensor,) = sent([array], torch.device("cpu"))
    array[:] = 5
    assert tensor.tolist() == [[1, 1, 1], [1, 1, 1]]
