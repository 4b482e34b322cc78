"""Fields of a request, and the search that they ask for."""

from __future__ import annotations

from typing import Any

import pytest

from empgan_rt import SearchConfig
from empgan_rt.server.openai.search_fields import SearchFields, search_of

BEAM = SearchConfig(beam_size=5, banned_words=("never",))
SAMPLER = SearchConfig(sample=True, temperature=0.7, top_p=0.9, top_k=20)


@pytest.mark.parametrize(
    ("own", "asked", "sample", "temperature", "top_p"),
    [
        (BEAM, {}, False, 1.0, 1.0),
        (SAMPLER, {}, True, 0.7, 0.9),
        (BEAM, {"temperature": 0}, False, 1.0, 1.0),
        (SAMPLER, {"temperature": 0}, False, 0.7, 0.9),
        (BEAM, {"temperature": 0, "top_p": 0.5}, False, 1.0, 0.5),
        (BEAM, {"temperature": 0.7}, True, 0.7, 1.0),
        (BEAM, {"temperature": 1}, True, 1.0, 1.0),
        (BEAM, {"temperature": 1e-9}, True, 0.01, 1.0),
        (BEAM, {"top_p": 0.9}, True, 1.0, 0.9),
        (BEAM, {"top_p": 1}, False, 1.0, 1.0),
        (BEAM, {"top_p": 0.0}, True, 1.0, 1e-6),
        (SAMPLER, {"top_p": 1.0}, True, 0.7, 1.0),
    ],
)
def test_temperature_and_top_p_decide_whether_to_sample(
    own: SearchConfig, asked: dict[str, Any], sample: bool, temperature: float, top_p: float
) -> None:
    found = search_of(own, SearchFields(**asked), 1, None)
    assert (found.sample, found.temperature, found.top_p) == (sample, temperature, top_p)


@pytest.mark.parametrize(
    ("asked", "name", "value"),
    [
        ({"seed": 3}, "seed", 3),
        ({"seed": -1}, "seed", 2**63 - 1),
        ({"seed": 2**64}, "seed", 0),
        ({"top_k": 7}, "top_k", 7),
        ({"top_k": 0}, "top_k", 256),
        ({"top_k": -1}, "top_k", 256),
        ({"top_k": 10_000}, "top_k", 256),
        ({"min_tokens": 4}, "min_length", 4),
        ({"min_tokens": 4000}, "min_length", 30),
        ({"ignore_eos": True}, "min_length", 30),
        ({"repetition_penalty": 2}, "repetition_penalty", 2.0),
        ({"length_penalty": 0}, "length_penalty", 0.0),
        ({"bad_words": ["shut up"]}, "banned_words", ("never", "shut up")),
        ({}, "max_length", 30),
    ],
)
def test_each_field_has_its_setting(asked: dict[str, Any], name: str, value: object) -> None:
    assert getattr(search_of(BEAM, SearchFields(**asked), 1, None), name) == value


@pytest.mark.parametrize(("asked", "found"), [(1, 1), (50, 50), (1024, 200), (None, 30)])
def test_a_limit_is_clamped(asked: int | None, found: int) -> None:
    assert search_of(BEAM, SearchFields(), 1, asked).max_length == found


def test_choices_widen_a_beam_and_are_the_samples() -> None:
    narrow = search_of(BEAM, SearchFields(), 2, None)
    assert (narrow.beam_size, narrow.num_hypotheses) == (5, 5)
    wide = search_of(BEAM, SearchFields(), 9, None)
    assert (wide.beam_size, wide.num_hypotheses) == (9, 9)
    assert search_of(BEAM, SearchFields(temperature=1.0), 9, None).num_hypotheses == 9


def test_a_limit_below_the_models_own_shortest_reply_holds() -> None:
    own = SearchConfig(min_length=8)
    assert search_of(own, SearchFields(), 1, 3).min_length == 3
