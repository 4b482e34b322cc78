"""The float16 generator: close to float32 and not equal to it, and finite whatever is masked."""

import numpy as np
import pytest
import torch

from empgan_export.half_precision import halved, in_float16
from empgan_rt.config import GeneratorConfig
from empgan_rt.errors import CheckpointError
from empgan_rt.graph_spec import STRUCK
from empgan_rt.verification import parity
from empgan_rt.verification.goldens import seeded_goldens
from empgan_training.eager import EagerBackend
from empgan_training.systems import SYSTEMS
from support.small_data import small_generator

SIZES = (90, 30, 12, 10, 8, 16, 6)
SHAPE = ("context", "streams", "attention", "prepend_label")


@pytest.fixture
def generator():
    return in_float16(small_generator(GeneratorConfig(*SIZES), std=0.3)).float()


@pytest.mark.parametrize("name", ["HRED", "SeqGAN", "Emo-S2S", "Emo-HRED", "EmpG"])
def test_float16_is_close_to_float32_and_is_not_it(name):
    config = GeneratorConfig(*SIZES, **{f: getattr(SYSTEMS[name], f) for f in SHAPE})
    generator = in_float16(small_generator(config, std=0.3)).float()
    goldens = parity.record(EagerBackend(generator), seeded_goldens(config))
    deviation = parity.replay(EagerBackend(halved(generator)), goldens, 0.01)
    assert deviation.tokens_equal
    assert 1e-5 < deviation.max_abs["log_probs"] < 0.01
    assert deviation.max_abs["label_probs"] < 1e-3


def test_states_are_float16_and_masks_and_logits_float32(generator):
    half = halved(generator)
    inputs = seeded_goldens(half.config)[1].inputs
    arrays = (inputs.utterances, inputs.emotion_words, inputs.emotion_labels)
    with torch.inference_mode():
        state = half.encode(*map(torch.tensor, arrays))
        tokens = torch.full((3, 1), 5)
        memory = state.keys, state.values, state.mask
        hidden, logits = half.step(tokens, state.hidden.unsqueeze(1), *memory)
    assert {t.dtype for t in (state.keys, state.values, hidden)} == {torch.float16}
    assert logits.dtype == state.mask.dtype == torch.float32
    assert {*state.mask.unique().tolist()} == {0.0, STRUCK}
    assert logits.isfinite().all()


def test_the_generator_itself_stays_as_it_is(generator):
    before = generator.decoder.vocabulary
    halved(generator)
    assert generator.decoder.vocabulary is before
    assert {p.dtype for p in generator.parameters()} == {torch.float32}


def test_rounding_is_that_of_float16(generator):
    weight = generator.decoder.vocabulary.weight
    with torch.no_grad():
        weight[0, 0] = 1 + 2**-12
    rounded = in_float16(generator).decoder.vocabulary.weight
    np.testing.assert_array_equal(rounded.detach(), weight.detach().numpy().astype(np.float16))
    assert rounded[0, 0] == 1


def test_a_weight_out_of_range_is_named(generator):
    with torch.no_grad():
        generator.decoder.vocabulary.bias[3] = 1e5
    with pytest.raises(CheckpointError, match=r"decoder\.vocabulary\.bias exceeds float16"):
        halved(generator)
