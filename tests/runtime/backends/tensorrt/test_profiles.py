"""Profiles: every batch class, bounds from the limits, and no tensor too large to be counted."""

from __future__ import annotations

import pytest

from empgan_rt.backends.tensorrt.profiles import BATCHES, MAX_ELEMENTS, most_positions, profiles
from empgan_rt.config import GeneratorConfig, Limits
from empgan_rt.graph_spec import GRAPH_NAMES

HIERARCHICAL = GeneratorConfig(11647, 500)
FLAT = GeneratorConfig(11647, 500, context="flat", streams=("utterances",), prepend_label=True)


def test_an_everyday_model_has_every_batch_size_and_all_that_its_limits_allow() -> None:
    for which in GRAPH_NAMES:
        found = profiles(which, HIERARCHICAL, Limits(), 5)
        batch = "U" if which == "turn_encoder" else "B"
        assert tuple(profile[batch] for profile in found) == BATCHES
        largest = {axis: sizes[2] for axis, sizes in found[-1].items() if axis != batch}
        assert (
            largest
            == {
                "turn_encoder": {"L": 128, "N": 32},
                "context_encoder": {"M": 50, "L": 128},
                "decoder_step": {"P": 50, "S": 1024},
            }[which]
        )


def test_batch_classes_leave_no_gap() -> None:
    ends = [high for _, _, high in BATCHES]
    assert [low for low, _, _ in BATCHES[1:]] == [end + 1 for end in ends[:-1]]


def test_a_flat_context_has_a_position_for_each_token_and_end_of_turn() -> None:
    assert most_positions(FLAT, 5, 15) == 5 * 16 + 1
    assert most_positions(HIERARCHICAL, 5, 15) == 5
    smallest = profiles("decoder_step", FLAT, Limits(), 5)[0]
    assert smallest["P"] == (1, 81, 50 * 129 + 1)


@pytest.mark.parametrize("model", [HIERARCHICAL, FLAT], ids=["hierarchical", "flat"])
@pytest.mark.parametrize("limits", [Limits(), Limits(1000, 2048, 2048), Limits(1, 1, 1)])
@pytest.mark.parametrize("beam", [1, 5, 128])
def test_no_tensor_is_too_large_to_be_counted(
    model: GeneratorConfig, limits: Limits, beam: int
) -> None:
    hidden, words = model.hidden_size, model.vocabulary_size
    for profile in profiles("decoder_step", model, limits, beam):
        rows = profile["B"][2] * beam
        assert rows * profile["P"][2] * hidden <= MAX_ELEMENTS
        assert rows * words <= MAX_ELEMENTS
    for profile in profiles("turn_encoder", model, limits):
        assert profile["U"][2] * profile["L"][2] * 3 * hidden <= MAX_ELEMENTS
    for profile in profiles("context_encoder", model, limits):
        turns, tokens = profile["M"][2], profile["L"][2]
        positions = most_positions(model, turns, tokens)
        assert profile["B"][2] * positions * 3 * hidden <= MAX_ELEMENTS
    for which in GRAPH_NAMES:
        for profile in profiles(which, model, limits, beam):
            assert all(1 <= low <= best <= high for low, best, high in profile.values())


def test_large_flat_batches_still_take_everyday_dialogues() -> None:
    largest = profiles("context_encoder", FLAT, Limits())[-1]
    assert largest["B"] == (65, 128, 512)
    assert largest["M"][2] >= 10
    assert largest["L"][2] >= 30


def test_batches_that_cannot_be_are_left_out() -> None:
    huge = GeneratorConfig(1_000_000, 500)
    assert [p["B"] for p in profiles("decoder_step", huge, Limits(), 5)] == [
        (1, 1, 1),
        (2, 8, 8),
        (9, 32, 53),
    ]
