import dataclasses

import numpy as np
import pytest
import safetensors.numpy

from empgan_bench.scaling.resized import resized_tokenizer, resized_weights, write_resized
from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import BundleError
from empgan_rt.search.decode import decode
from empgan_rt.text.bans import Bans
from empgan_rt.text.featurizer import encoder_input
from empgan_rt.text.tokenizer import Tokenizer
from empgan_training.eager import EagerBackend

TEXT = "I passed the exam, and I can't believe it!"


@pytest.fixture(scope="module")
def tiny():
    return Bundle.open("tiny")


@pytest.mark.parametrize("words", [300, 5_000])
def test_weights_by_word_have_other_rows_and_the_rest_is_as_it_was(tiny, words):
    before = safetensors.numpy.load(tiny.weights)
    after = safetensors.numpy.load(resized_weights(tiny.weights, words))
    size = tiny.model.vocabulary_size
    assert after.keys() == before.keys()
    for name, tensor in before.items():
        found = after[name]
        assert found.dtype == tensor.dtype
        if tensor.shape[0] != size:
            assert np.array_equal(found, tensor)
            continue
        assert found.shape == (words, *tensor.shape[1:])
        assert np.array_equal(found[:size], tensor[:words])
        assert np.isfinite(found).all()
        if found.ndim == 2:
            assert len(np.unique(found, axis=0)) > 0.9 * words  # no words that tie


def test_weights_of_another_model_are_refused():
    with pytest.raises(BundleError, match=r"no word_embedding\.weight"):
        resized_weights(safetensors.numpy.save({"other": np.zeros(3, np.float32)}), 9)


@pytest.mark.parametrize("words", [300, 1_555, 5_000])
def test_a_tokenizer_keeps_its_rules_and_first_words(tiny, words):
    before = Tokenizer.from_json(tiny.files["tokenizer.json"])
    after = Tokenizer.from_json(resized_tokenizer(tiny.files["tokenizer.json"], words))
    assert len(after.vocabulary) == words
    common = min(words, tiny.model.vocabulary_size)
    assert after.vocabulary[:common] == before.vocabulary[:common]
    assert after.words(TEXT) == before.words(TEXT)


@pytest.mark.slow  # exports three bundles
@pytest.mark.parametrize("words", [300, 1_555, 5_000])
def test_its_graphs_compute_what_eager_pytorch_does(tiny, tmp_path, words):
    made = Bundle.open(write_resized(tiny, words, tmp_path / "made"))
    assert made.model == dataclasses.replace(tiny.model, vocabulary_size=words)
    assert made.manifest.variants == tiny.manifest.variants
    if words == tiny.model.vocabulary_size:  # nothing is to be changed, so nothing is
        changed = {name for name, data in made.files.items() if data != tiny.files[name]}
        assert changed <= {"tokenizer.json", "weights.safetensors"}  # other order of the same
    inputs = encoder_input([made.featurizer().features(Dialogue.of([TEXT, "Why?"]))])
    search = SearchConfig(beam_size=5, min_length=20, max_length=20)
    replies = []
    for backend in (OrtBackend(made), EagerBackend.from_bundle(made)):
        (found,) = decode(backend, backend.encode(inputs), [search], [Bans()], words)
        replies.append(found[0].token_ids)
    assert replies[0] == replies[1]
    OrtBackend(made, precision="int8").encode(inputs)
