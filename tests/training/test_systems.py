"""The table of the nine systems says what the paper's Table 1 and its ablation say."""

from __future__ import annotations

from dataclasses import fields
from itertools import pairwise
from typing import get_args

import pytest

from empgan_rt.config import GeneratorConfig
from empgan_training.model.generator import Generator
from empgan_training.systems import SYSTEMS, SystemName
from support.small_data import SMALL_SIZES

SIZES = {"vocabulary_size": 29, "emotion_vocabulary_size": 13, **SMALL_SIZES}


def test_nine_rows_in_the_order_of_table_1() -> None:
    assert tuple(SYSTEMS) == get_args(SystemName)
    assert len(SYSTEMS) == 9
    assert len(set(SYSTEMS.values())) == 9


def test_from_empg_down_each_row_changes_one_thing() -> None:
    rows = ("EmpD", "EmpWD-next", "EmpWD", "EmpGAN")
    assert [_changes("EmpG", "EmpD")] == [{"adversary"}]
    steps = [_changes(a, b) for a, b in pairwise(rows)]
    assert steps == [{"algorithm"}, {"feedback"}, {"critics"}]


def _changes(before: SystemName, after: SystemName) -> set[str]:
    """Return the fields in which two rows differ, those of their adversaries if both have one."""
    a, b = SYSTEMS[before], SYSTEMS[after]
    changed = {f.name for f in fields(a) if getattr(a, f.name) != getattr(b, f.name)}
    if a.adversary is None or b.adversary is None:
        return changed
    assert changed == {"adversary"}
    both = (a.adversary, b.adversary)
    return {f.name for f in fields(both[0]) if getattr(both[0], f.name) != getattr(both[1], f.name)}


def test_only_the_last_row_has_two_critics() -> None:
    critics = {name: s.adversary.critics for name, s in SYSTEMS.items() if s.adversary}
    assert critics.pop("EmpGAN") == ("semantic", "emotional")
    assert set(critics) == {"SeqGAN", "EmpD", "EmpWD-next", "EmpWD"}
    assert set(critics.values()) == {("semantic",)}


def test_empg_is_the_default_generator() -> None:
    assert SYSTEMS["EmpG"].generator_config(**SIZES) == GeneratorConfig(**SIZES)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("HRED", set()),
        ("SeqGAN", set()),
        ("Emo-S2S", set()),
        ("Emo-HRED", {"labels", "label_head"}),
        (
            "EmpG",
            {"labels", "label_head", "emotion_embedding", "emotion_words", "emotion_decoder"},
        ),
    ],
)
def test_a_generator_has_the_parts_of_its_streams_alone(name: SystemName, parts: set[str]) -> None:
    generator = Generator(SYSTEMS[name].generator_config(**SIZES))
    modules = {module for module, _ in generator.named_children()}
    assert modules == {"word_embedding", "utterances", "recogniser", "decoder"} | parts
