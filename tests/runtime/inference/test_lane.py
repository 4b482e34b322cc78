"""Whoever comes and goes, each request is searched as if it were alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from empgan_rt.config import SearchConfig
from empgan_rt.errors import ProviderError
from empgan_rt.graph_spec import IntArray
from empgan_rt.inference.lane import Lane
from empgan_rt.search.decode import decode
from empgan_rt.search.hypothesis import Hypothesis
from empgan_rt.text.bans import Bans
from support.scripted_backend import ScriptedBackend, random_model

WORDS, WIDTH = 9, 3
CONFIGS = [
    SearchConfig(beam_size=WIDTH, max_length=6),
    SearchConfig(beam_size=WIDTH, max_length=2, num_hypotheses=3),
    SearchConfig(beam_size=WIDTH, max_length=9, early_stopping=False, length_penalty=0.0),
    SearchConfig(beam_size=2, max_length=5, repetition_penalty=1.5, no_repeat_ngram=2),
    SearchConfig(sample=True, num_hypotheses=2, max_length=7, seed=3),
]


def alone(seed: int, dialogue: int, config: SearchConfig) -> list[Hypothesis]:
    backend = ScriptedBackend(random_model(seed, WORDS), WORDS)
    return decode(backend, backend.encoded([dialogue]), [config], [Bans()], WORDS)[0]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    groups=st.lists(st.integers(0, 4), min_size=1, max_size=5),
    quitters=st.sets(st.integers(0, 12), max_size=4),
)
def test_coming_and_going_changes_nobodys_result(
    seed: int, groups: list[int], quitters: set[int]
) -> None:
    backend = ScriptedBackend(random_model(seed, WORDS), WORDS)
    lane: Lane[int] = Lane(backend, WIDTH, WORDS)
    config_of = {d: CONFIGS[(d + seed) % len(CONFIGS)] for d in range(sum(groups))}
    found: dict[int, list[Hypothesis]] = {}
    coming, arrivals = 0, list(groups)
    while arrivals or lane.tenants:
        if arrivals and (count := arrivals.pop(0)):
            tenants = list(range(coming, coming + count))
            configs = [config_of[d] for d in tenants]
            lane.enter(tenants, backend.encoded(tenants), configs, [Bans()] * count)
            coming += count
        for quitter in quitters & set(lane.tenants):
            lane.leave(quitter)
            assert quitter not in lane.tenants
        if lane.tenants:
            found.update(lane.step())
    assert set(found) == set(config_of) - quitters
    for dialogue, hypotheses in found.items():
        assert hypotheses == alone(seed, dialogue, config_of[dialogue])


def test_a_step_computes_little_for_nobody() -> None:
    backend = ScriptedBackend(random_model(1, WORDS), WORDS)
    lane: Lane[int] = Lane(backend, 1, WORDS)
    lengths = [1, 1, 2, 3, 5, 5, 5, 5]
    configs = [
        SearchConfig(beam_size=1, min_length=n, max_length=n, no_repeat_ngram=0) for n in lengths
    ]
    lane.enter(range(8), backend.encoded(range(8)), configs, [Bans()] * 8)
    while lane.tenants:
        lane.step()
    assert [len(tokens) for tokens, *_ in backend.steps] == [8, 6, 6, 4, 4]


def test_without_room_for_newcomers_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ScriptedBackend(random_model(4, WORDS), WORDS)
    lane: Lane[int] = Lane(backend, WIDTH, WORDS)
    lane.enter([0], backend.encoded([0]), CONFIGS[:1], [Bans()])
    lane.step()

    def full(*arguments: object) -> None:
        raise ProviderError("the GPU's memory is full")

    with monkeypatch.context() as patch:
        patch.setattr(backend, "rearranged", full)
        with pytest.raises(ProviderError):
            lane.enter([1, 2], backend.encoded([1, 2]), CONFIGS[:1] * 2, [Bans()] * 2)
    found: dict[int, list[Hypothesis]] = {}
    while lane.tenants:
        found.update(lane.step())
    assert found == {0: alone(4, 0, CONFIGS[0])}


def test_a_newcomer_takes_a_seat_that_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = ScriptedBackend(random_model(5, WORDS), WORDS)
    moved: list[int] = []
    rearranged = backend.rearranged

    def counted(state: Any, slots: IntArray, count: int) -> Any:
        moved.append(count)
        return rearranged(state, slots, count)

    monkeypatch.setattr(backend, "rearranged", counted)
    lane: Lane[int] = Lane(backend, WIDTH, WORDS)

    def enter(*tenants: int) -> None:
        count = len(tenants)
        lane.enter(tenants, backend.encoded(tenants), CONFIGS[:1] * count, [Bans()] * count)

    enter(*range(10))
    lane.leave(3)
    lane.leave(7)
    enter(10)
    assert moved == [10]
    enter(11)
    assert moved == [10]
    enter(12)
    assert moved == [10, 11]
    found = {}
    while lane.tenants:
        found.update(lane.step())
    assert found == {
        tenant: alone(5, tenant, CONFIGS[0]) for tenant in (*range(13),) if tenant not in (3, 7)
    }
