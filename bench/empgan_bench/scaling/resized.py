"""A bundle with another number of words, to measure with: what it writes means nothing.

The layers, the rules of the text and the first words are those of the bundle; further words are
placeholders, and their weights are random numbers of the same spread. Its graphs are exported
anew, as `empgan-rt export` does. Its goldens are the bundle's own, so it passes no `--verify`; the
parity gate holds its engines together.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import safetensors.numpy

from empgan_export.variants import references, variant_graphs
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.bundle.manifest import WEIGHTS_NAME, ManifestFields
from empgan_rt.errors import BundleError
from empgan_rt.storage.folders import write_file
from empgan_training.eager import EagerBackend

_BY_WORD = (
    "word_embedding.weight",
    "recogniser.embedding.weight",
    "decoder.vocabulary.weight",
    "decoder.vocabulary.bias",
)
_SEED = 0


def write_resized(bundle: Bundle, words: int, folder: Path) -> Path:
    """Return a new bundle in `folder`, which must not exist, with a vocabulary of `words`.

    Raises:
        BundleError: the weights are not those of the bundle's model.
        StorageError: the disk refused.
    """
    weights = resized_weights(bundle.weights, words, tied=bundle.model.tied)
    tokenizer = resized_tokenizer(bundle.files["tokenizer.json"], words)
    model = dataclasses.replace(bundle.model, vocabulary_size=words)
    manifest = msgspec.structs.replace(bundle.manifest, model=model)
    files = {**bundle.files, WEIGHTS_NAME: weights, "tokenizer.json": tokenizer}
    files |= _graphs(Bundle(manifest, files, bundle.search))
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder / name, data)
    fields = ManifestFields(
        model=model,
        limits=manifest.limits,
        variants=manifest.variants,
        parity={},
        provenance={"resized_from": bundle.bundle_id},
        licence=manifest.licence,
    )
    Bundle.seal(folder, fields)
    return folder


def resized_weights(weights: bytes, words: int, *, tied: bool = False) -> bytes:
    """Return a safetensors file whose tensors by word have `words` rows.

    Args:
        tied: whether the vocabulary's layer has the embedding's weights, not some of its own.

    Raises:
        BundleError: a tensor is missing.
    """
    tensors = safetensors.numpy.load(weights)
    draw = np.random.default_rng(_SEED)
    for name in _BY_WORD:
        if tied and name == "decoder.vocabulary.weight":
            continue
        if name not in tensors:
            raise BundleError(f"the weights have no {name}", hint="export the bundle again")
        tensors[name] = _resized(tensors[name], words, draw)
    return safetensors.numpy.save(tensors)


def _resized(tensor: npt.NDArray[Any], words: int, draw: np.random.Generator) -> npt.NDArray[Any]:
    """Return the first rows of a tensor, with random ones behind them if there are too few."""
    kept = tensor[:words]
    shape = (words - len(kept), *tensor.shape[1:])
    spread = tensor.astype(np.float64)
    added = draw.normal(spread.mean(), spread.std(), shape).astype(tensor.dtype)
    return np.ascontiguousarray(np.concatenate([kept, added]))


def resized_tokenizer(tokenizer: bytes, words: int) -> bytes:
    """Return a `tokenizer.json` with the same rules and `words` words."""
    document = msgspec.json.decode(tokenizer)
    known = document["model"]["vocab"]
    kept = {word: i for word, i in known.items() if i < words}
    added = {f"<placeholder {i}>": i for i in range(len(known), words)}
    document["model"]["vocab"] = kept | added
    return msgspec.json.encode(document)


def _graphs(bundle: Bundle) -> dict[str, bytes]:
    """Return the graphs of a bundle by file name, exported from its weights."""
    variants = bundle.manifest.variants
    backends = references(EagerBackend.from_bundle(bundle).generator, variants)
    models = variant_graphs(backends, variants, bundle.weights)
    return {name: m.SerializeToString(deterministic=True) for name, m in models.items()}
