"""Shapes of a generator without its memory."""

from __future__ import annotations

import pytest
import torch

from empgan_rt.config import GeneratorConfig
from empgan_training.model.generator import Generator
from empgan_training.model.shapes import generator_shapes, shapes_of
from empgan_training.systems import SYSTEMS, SystemName
from support.small_data import SMALL_SIZES


@pytest.mark.parametrize("system", SYSTEMS)
def test_shapes_are_those_of_the_generator(system: SystemName) -> None:
    sizes = {"vocabulary_size": 11, "emotion_vocabulary_size": 9, **SMALL_SIZES}
    config = SYSTEMS[system].generator_config(**sizes)
    state = torch.get_rng_state()
    shapes = generator_shapes(config)
    assert torch.equal(torch.get_rng_state(), state)  # resuming is exact to the bit
    assert shapes == shapes_of(Generator(config).state_dict())


def test_the_largest_generator_takes_no_memory() -> None:
    largest = GeneratorConfig(1_000_000, 1_000_000, 8192, 8192, 8192, 8192, 8192)
    values = sum(shape.numel() for _, shape in generator_shapes(largest).values())
    assert values > 10**10
