"""The greatest size that d^o (Eq. 6) is seen to have, for the scale of its 8-bit numbers.

No bound follows from the weights that would be narrow enough. So the generator replies greedily to
the random dialogues that goldens are made of, and the greatest number of all steps counts. On test
dialogues of a corpus one row in a thousand has a greater one, which is cut off.
"""

from __future__ import annotations

import math

import torch

from empgan_rt.graph_spec import EOS, SOS
from empgan_rt.verification.goldens import seeded_goldens
from empgan_training.eager import sent
from empgan_training.model.generator import Generator

_SEEDS = range(2)
_STEPS = 30
_GRAIN = 0.25  # so that the last digits of another processor give the same range


def output_range(generator: Generator) -> float:
    """Return the greatest size of any number of d^o, rounded up to a multiple of a quarter.

    Args:
        generator: in float32; it is run on the device that it is on.
    """
    largest = max(_largest(generator, seed) for seed in _SEEDS)
    return max(1, math.ceil(largest / _GRAIN)) * _GRAIN


def _largest(generator: Generator, seed: int) -> float:
    """Return the greatest size of d^o over greedy replies to the goldens of a seed."""
    decoder, largest = generator.decoder, 0.0
    place = generator.word_embedding.weight.device
    for golden in seeded_goldens(generator.config, seed):
        inputs = golden.inputs
        arrays = (inputs.utterances, inputs.emotion_words, inputs.emotion_labels)
        with torch.no_grad():
            state = generator.encode(*sent(arrays, place))
            hidden = state.hidden.unsqueeze(1)
            tokens = torch.full((len(hidden), 1), SOS, device=place)
            for _ in range(_STEPS):
                embedded = generator.word_embedding(tokens)
                hidden, output = decoder.next_output(
                    embedded, hidden, state.keys, state.values, state.mask
                )
                largest = max(largest, output.abs().max().item())
                # a reply goes on for all steps: PAD, UNK, SOS and EOS are not said
                tokens = decoder.vocabulary(output)[..., EOS + 1 :].argmax(-1) + EOS + 1
    return largest
