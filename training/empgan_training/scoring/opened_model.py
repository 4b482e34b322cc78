"""A model to evaluate: a bundle on ONNX Runtime, or a checkpoint on eager PyTorch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from empgan_rt.backend import Backend
from empgan_rt.backends.loader import load_backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import Limits
from empgan_rt.errors import InputError
from empgan_rt.text.featurizer import Featurizer

if TYPE_CHECKING:
    from ..model.generator import Generator

CHECKPOINT_SUFFIX = ".safetensors"


@dataclass(frozen=True)
class OpenedModel:
    """A backend, and the words it was trained with.

    Attributes:
        backend: computes.
        featurizer: the model's own, whatever tokenizer a prepared folder has.
        generator: the eager generator behind `backend`; None for a bundle.
        facts: JSON-ready: what was opened, on which engine.
    """

    backend: Backend
    featurizer: Featurizer
    generator: Generator | None
    facts: Mapping[str, str]


def open_model(name: str, precision: str = "fp32") -> OpenedModel:
    """Return the checkpoint in a `.safetensors` file, or the bundle in a folder or of a name.

    Args:
        name: path, or name of an embedded bundle.
        precision: variant of a bundle; a checkpoint is computed in fp32.

    Raises:
        InputError: the bundle has no such variant, or another one is wanted of a checkpoint.
        CheckpointError: the checkpoint is missing, damaged or of another format.
        BundleError: the bundle is missing, damaged or too new.
        DependencyError: onnxruntime is missing.
    """
    if name.endswith(CHECKPOINT_SUFFIX):
        if precision != "fp32":
            raise InputError(
                f"a checkpoint in {precision!r}", hint="export it, and evaluate the bundle"
            )
        return _open_checkpoint(Path(name))
    bundle = Bundle.open(name)
    featurizer = bundle.featurizer()
    backend = load_backend(bundle, precision=precision)
    facts = {
        "model": name,
        "kind": "bundle",
        "bundle_id": bundle.bundle_id,
        "engine": "onnxruntime",
        "device": backend.device,
        "precision": backend.precision,
    }
    return OpenedModel(backend, featurizer, None, facts)


def _open_checkpoint(path: Path) -> OpenedModel:
    from ..checkpoint import Checkpoint  # both need torch, which a bundle does without
    from ..eager import EagerBackend

    checkpoint = Checkpoint.load(path)
    backend = EagerBackend.from_checkpoint(checkpoint)
    facts = {
        "model": str(path),
        "kind": "checkpoint",
        "system": checkpoint.facts().system,
        "engine": "eager",
        "device": backend.device,
        "precision": backend.precision,
    }
    return OpenedModel(backend, checkpoint.featurizer(Limits()), backend.generator, facts)
