"""Steps over buffers that stay are eager PyTorch's, whoever comes and goes; here uncaptured."""

from __future__ import annotations

import gc
from typing import Any

import numpy as np
import pytest
import torch

from empgan_bench.engines.cuda import graphs
from empgan_bench.engines.cuda.graphs import GraphBackend
from empgan_rt.backend import Encoded
from empgan_rt.config import GeneratorConfig, SearchConfig
from empgan_rt.graph_spec import PAD, EncoderInput
from empgan_rt.inference.lane import Lane
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans
from empgan_training.eager import EagerBackend
from empgan_training.model.generator import Generator
from support.small_data import small_generator

WORDS = 40
CONFIG = GeneratorConfig(WORDS, 20, 9, 8, 7, 10, 6)
BEAMS = 3
SEARCHES = [
    SearchConfig(beam_size=BEAMS, max_length=7),
    SearchConfig(beam_size=BEAMS, max_length=9, repetition_penalty=1.3),
    SearchConfig(sample=True, num_hypotheses=2, max_length=6, seed=3, top_k=20),
]


class WarmingCaptures:
    """Does work a few times before it hands it back, as capturing on a GPU does."""

    def __init__(self, device: str) -> None:
        self.captured = 0

    def of(self, work: Any) -> Any:
        self.captured += 1
        for _ in range(3):
            work()
        return work


@pytest.fixture(scope="module")
def generator() -> Generator:
    return small_generator(CONFIG, std=0.3)


@pytest.fixture
def backend(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> GraphBackend:
    monkeypatch.setattr(graphs, "Captures", WarmingCaptures)
    return GraphBackend(generator)


def captured(backend: GraphBackend) -> int:
    counter = backend._captures
    assert isinstance(counter, WarmingCaptures)
    return counter.captured


def dialogues(rows: int, turns: int, seed: int) -> EncoderInput:
    draw = np.random.default_rng(seed)
    return EncoderInput(
        draw.integers(4, WORDS, (rows, turns, 5)).astype(np.int32),
        draw.integers(4, 20, (rows, turns, 2)).astype(np.int32),
        draw.integers(1, 9, (rows, turns)).astype(np.int32),
    )


def slots(*places: int) -> np.ndarray:
    return np.array(places, np.int32)


@pytest.mark.parametrize("seed", range(8))
def test_any_steps_admissions_and_orders_leave_both_alike(
    generator: Generator, backend: GraphBackend, seed: int
) -> None:
    draw = np.random.default_rng(seed)
    pair: tuple[Any, ...] = (EagerBackend(generator), backend)
    count = int(draw.integers(1, 4))
    states = [each.open(count, BEAMS) for each in pair]
    pending = list(range(count))  # that nobody was admitted to
    for turn in range(25):
        if pending or draw.random() < 0.25:
            places = pending or [int(draw.integers(count))]
            fresh = dialogues(len(places), int(draw.integers(1, 6)), 100 * seed + turn)
            for each, state in zip(pair, states, strict=True):
                each.admit(state, slots(*places), each.encode(fresh))
            pending = []
        elif draw.random() < 0.3:
            kept = draw.permutation(count)[: int(draw.integers(1, count + 1))]
            count = len(kept) + int(draw.integers(0, 2))
            pending = list(range(len(kept), count))
            states = [
                each.rearranged(state, kept.astype(np.int32), count)
                for each, state in zip(pair, states, strict=True)
            ]
            continue
        shape = (count, BEAMS)
        banned = draw.integers(0, WORDS, (*shape, int(draw.integers(1, 20)))).astype(np.int32)
        banned[..., -1] = PAD  # is always struck
        given = (
            draw.integers(2, WORDS, shape).astype(np.int32),
            draw.integers(0, BEAMS, shape).astype(np.int32),
            banned,
            int(draw.integers(1, WORDS - 20)),  # none of them is struck, which would be a tie
        )
        wanted, found = (each.step(state, *given) for each, state in zip(pair, states, strict=True))
        np.testing.assert_array_equal(found.token_ids, wanted.token_ids)
        np.testing.assert_array_equal(found.log_probs, wanted.log_probs)
        assert torch.equal(states[1].hidden, states[0].hidden)


@pytest.mark.parametrize("config", SEARCHES)
def test_coming_and_going_changes_nobodys_result(
    generator: Generator, backend: GraphBackend, config: SearchConfig
) -> None:
    eager = EagerBackend(generator)

    def encoded(by: EagerBackend, places: list[int]) -> Encoded:
        whole = dialogues(9, 4, 5)
        parts = (whole.utterances, whole.emotion_words, whole.emotion_labels)
        return by.encode(EncoderInput(*(part[places] for part in parts)))

    lane: Lane[int] = Lane(backend, config.rows, WORDS)
    arrivals, coming, found = [2, 0, 4, 1, 0, 2], 0, {}
    while arrivals or lane.tenants:
        if arrivals and (count := arrivals.pop(0)):
            places = [*range(coming, coming + count)]
            lane.enter(places, encoded(backend, places), [config] * count, [Bans()] * count)
            coming += count
        if lane.tenants:
            found.update(lane.step())
    assert len(found) == coming == 9
    for place, hypotheses in found.items():
        alone = decode(eager, encoded(eager, [place]), [config], [Bans()], WORDS)[0]
        assert [h.token_ids for h in hypotheses] == [h.token_ids for h in alone]


def test_a_shape_that_comes_again_is_captured_once(backend: GraphBackend) -> None:
    config = SearchConfig(beam_size=BEAMS, max_length=9)
    inputs = dialogues(2, 3, 0)
    for _ in range(3):
        decode(backend, backend.encode(inputs), [config] * 2, [Bans()] * 2, WORDS)
        gc.collect()
    assert captured(backend) == 1
    decode(backend, backend.encode(dialogues(2, 4, 0)), [config] * 2, [Bans()] * 2, WORDS)
    assert captured(backend) == 2


def test_states_that_live_side_by_side_share_no_buffer(backend: GraphBackend) -> None:
    encoded = backend.encode(dialogues(1, 3, 0))
    states = [backend.open(1, BEAMS) for _ in range(2)]
    for state in states:
        backend.admit(state, slots(0), encoded)
    addresses = {getattr(s, n).data_ptr() for s in states for n in ("hidden", "keys", "values")}
    assert len(addresses) == 6
    del state
    states.pop()
    again = backend.open(1, BEAMS)
    backend.admit(again, slots(0), encoded)
    assert {getattr(again, n).data_ptr() for n in ("hidden", "keys", "values")} < addresses


def test_candidates_outlive_the_next_step(backend: GraphBackend) -> None:
    state = backend.open(1, BEAMS)
    backend.admit(state, slots(0), backend.encode(dialogues(1, 3, 0)))
    ids = np.full((1, BEAMS), 5, np.int32)
    first = backend.step(state, ids, ids * 0, ids[..., None] * 0, 4)
    kept = first.token_ids.copy(), first.log_probs.copy()
    second = backend.step(state, ids + 4, ids * 0, ids[..., None] * 0, 4)
    assert (second.log_probs != first.log_probs).any()
    np.testing.assert_array_equal(first.token_ids, kept[0])
    np.testing.assert_array_equal(first.log_probs, kept[1])
