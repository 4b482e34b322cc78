"""CTranslate2 on a small transformer with random weights: another architecture than ours.

It is as wide as our decoder, so its product with the vocabulary is as large as ours, and has three
encoder and two decoder layers: with one embedding for both sides and the output, as is usual, that
comes nearest to our number of parameters at the paper's sizes (15.6 against 16.2 million), and few
decoder layers are what makes a transformer fast.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import GeneratorConfig, SearchConfig
from empgan_rt.graph_spec import SPECIALS, EncoderInput

from ..base import Prepared, versions
from .measuring import fastest, flat_words, timed, up_to

PACKAGES = ("ctranslate2",)
ENCODER_LAYERS, DECODER_LAYERS, HEADS = 3, 2, 8
_WIDENING = 4  # of the inner layers
_WORDS = ("<blank>", "<unk>", "<s>", "</s>")  # its names of our specials


class Setting(NamedTuple):
    """How threads share a batch: `inter_threads` parts of it, each with `intra_threads`."""

    inter_threads: int
    intra_threads: int

    def __str__(self) -> str:
        return f"inter_threads={self.inter_threads}, intra_threads={self.intra_threads}"


def open_ctranslate2(bundle: str, threads: int, compute_type: str = "float32") -> CTranslate2:
    """Return the transformer, to be tried with up to `threads` threads."""
    return CTranslate2(Bundle.open(bundle).model, threads, compute_type)


open_ctranslate2_int8 = partial(open_ctranslate2, compute_type="int8")


class CTranslate2:
    """See `engines.base.Yardstick`."""

    def __init__(self, sizes: GeneratorConfig, threads: int, compute_type: str) -> None:
        self.versions = versions("ctranslate2")
        self._compute_type = compute_type
        self._words = [*_WORDS, *(f"word{i}" for i in range(len(SPECIALS), sizes.vocabulary_size))]
        self._files = _model_files(sizes.hidden_size, self._words)
        self._settings = settings(threads)
        self._translators: dict[Setting, Any] = {}
        self._chosen: dict[tuple[int, int], Setting] = {}  # (dialogues, beams) -> setting

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        """See `Yardstick.prepared`; the first batch of its size is tried with all settings."""
        sources = [[self._words[i] for i in ids] for ids in flat_words(inputs)]

        def decode(setting: Setting) -> Sequence[int]:
            found = self._translator(setting).translate_batch(
                sources,
                beam_size=search.beam_size,
                min_decoding_length=search.max_length,
                max_decoding_length=search.max_length,
                max_batch_size=-(-len(sources) // setting.inter_threads),
                batch_type="examples",
            )
            return [len(result.hypotheses[0]) for result in found]

        size = len(sources), search.beam_size
        if size not in self._chosen:
            fitting = [s for s in self._settings if s.inter_threads <= len(sources)]
            self._chosen[size] = fastest(fitting, decode)
            # Threads of the others would wait for work beside those that have it.
            self._translators = {self._chosen[size]: self._translator(self._chosen[size])}
        setting = self._chosen[size]
        name = f"ctranslate2 in {self._compute_type}"
        return Prepared(
            lambda: timed(name, lambda: decode(setting), search.max_length), str(setting)
        )

    def _translator(self, setting: Setting) -> Any:
        if setting not in self._translators:
            self._translators[setting] = import_module("ctranslate2").Translator(
                "model",
                files=self._files,
                device="cpu",
                compute_type=self._compute_type,
                inter_threads=setting.inter_threads,
                intra_threads=setting.intra_threads,
            )
        return self._translators[setting]


def settings(threads: int) -> list[Setting]:
    """Return the ways to share up to `threads` threads.

    >>> [tuple(setting) for setting in settings(2)]
    [(1, 1), (1, 2), (2, 1)]
    """
    counts = up_to(threads)
    return [Setting(a, b) for a in counts for b in counts if a * b <= threads]


def _model_files(width: int, words: Sequence[str]) -> dict[str, bytes]:
    """Return the files, by name, of a model of this width over these words."""
    specs = import_module("ctranslate2.specs")
    heads = HEADS if width % HEADS == 0 else 1
    spec = specs.TransformerSpec.from_config((ENCODER_LAYERS, DECODER_LAYERS), heads)
    draw = np.random.default_rng(0)

    def linear(layer: Any, outputs: int, inputs: int) -> None:
        layer.weight = draw.normal(0, inputs**-0.5, (outputs, inputs)).astype(np.float32)
        layer.bias = np.zeros(outputs, np.float32)

    def norm(layer: Any) -> None:
        layer.gamma, layer.beta = np.ones(width, np.float32), np.zeros(width, np.float32)

    def attention(block: Any, *outputs: int) -> None:
        norm(block.layer_norm)
        for layer, size in zip(block.linear, outputs, strict=True):
            linear(layer, size, width)

    embedding = draw.normal(0, width**-0.5, (len(words), width)).astype(np.float32)
    for layer in (*spec.encoder.layer, *spec.decoder.layer):
        attention(layer.self_attention, 3 * width, width)
        linear(layer.ffn.linear_0, _WIDENING * width, width)
        linear(layer.ffn.linear_1, width, _WIDENING * width)
        norm(layer.ffn.layer_norm)
    for layer in spec.decoder.layer:
        attention(layer.attention, width, 2 * width, width)
    for side in (spec.encoder, spec.decoder):
        norm(side.layer_norm)
    spec.encoder.embeddings[0].weight = spec.decoder.embeddings.weight = embedding
    spec.decoder.projection.weight = embedding
    spec.decoder.projection.bias = np.zeros(len(words), np.float32)
    spec.register_source_vocabulary(list(words))
    spec.register_target_vocabulary(list(words))
    spec.validate()
    spec.optimize()
    with tempfile.TemporaryDirectory() as folder:  # its writer wants files
        spec.save(folder)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}
