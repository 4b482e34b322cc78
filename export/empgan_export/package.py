"""Checkpoint to bundle: round, trace, verify against eager PyTorch, publish.

Rounding the weights defines the model: eager PyTorch, goldens and graphs all use the rounded
ones. Nothing appears at the destination unless every check has passed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from empgan_rt._version import __version__
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.bundle.manifest import ManifestFields, Variant
from empgan_rt.dialogue.turns import Dialogue
from empgan_rt.errors import CheckpointError, InputError, StorageError
from empgan_rt.storage.folders import publish
from empgan_rt.storage.replacing import others_write, restored, staging_folder
from empgan_rt.verification import parity
from empgan_rt.verification.goldens import seeded_goldens
from empgan_training.checkpoint import Checkpoint
from empgan_training.eager import inference_weights
from empgan_training.model.generator import Generator
from empgan_training.progress import OnProgress, silent
from empgan_training.stored_json import json_file

from .contexts import read_contexts
from .half_precision import in_float16
from .licences import write_licences
from .model_card import model_card
from .options import ExportOptions
from .to_onnx import WEIGHTS_FILE
from .variants import chosen_variants, references, variant_graphs, write_graphs
from .verify import verify


@dataclass(frozen=True)
class Exported:
    """The bundle that was published, or would have been.

    Attributes:
        path: of the bundle.
        bundle_id: its identity.
        parity: the record that stands in the manifest.
    """

    path: Path
    bundle_id: str
    parity: dict[str, Any]


def export_bundle(
    checkpoint_path: Path, out: Path, options: ExportOptions, on_progress: OnProgress = silent
) -> Exported:
    """Export a checkpoint to a verified bundle.

    Args:
        on_progress: is told of graphs, goldens, values, tokens, and of the end.

    Raises:
        InputError: `out` exists and `force` is not set or it is no bundle, another export to it is
            under way, or the model card cannot be read.
        CheckpointError: the checkpoint is damaged, its generator was never trained, or its
            lexicon must not be passed on.
        DataError: the contexts cannot be read.
        ParityError: the graphs do not compute what eager PyTorch does; nothing is published.
        DivergenceError: a weight is NaN or infinite in the type that it is stored in.
        StorageError: the bundle cannot be written.
    """
    _check_destination(out, options)
    checkpoint = Checkpoint.load(checkpoint_path)
    card = _card(checkpoint, options)
    contexts = read_contexts(options.contexts, options.num_contexts)
    facts = checkpoint.facts()
    begun = "mle" in facts.stages and facts.stages["mle"].step > 0
    if "mle" not in facts.scores and not begun:
        raise CheckpointError(
            f"the generator in {checkpoint_path} was never trained", hint="train it further"
        )
    restricted = checkpoint.featurizer(options.limits).lexicon.restricted_sources
    if restricted:
        raise CheckpointError(
            f"its emotion words come from {', '.join(sorted(restricted))}, whose licence forbids "
            "passing them on",
            hint="prepare the data with the default lexicon and train again",
        )
    generator = checkpoint.generator()
    if options.weights == "fp16":
        generator = in_float16(generator).float()
    variants = chosen_variants(options.precisions, options.atol)
    backends = references(generator, variants)
    try:
        with staging_folder(out) as staging, on_progress("export", 5) as reporter:
            _check_alone(out, staging)  # from here on others see this one
            _write_weights(generator, staging, options.weights)
            weights = (staging / WEIGHTS_FILE).read_bytes()
            write_graphs(variant_graphs(backends, variants, weights), staging)
            reporter.update(1, "graphs")
            _write_texts(checkpoint, staging, options, card)
            for precision, variant in variants.items():
                goldens = parity.record(backends[precision], seeded_goldens(generator.config))
                (staging / variant.goldens).write_bytes(goldens)
            reporter.update(2, "goldens")
            unchecked = _seal(checkpoint, staging, options, variants, {})
            featurizer = checkpoint.featurizer(options.limits)
            dialogues = [featurizer.features(Dialogue.of(turns)) for turns in contexts]
            record = verify(unchecked, backends, dialogues, reporter)
            bundle_id = _seal(checkpoint, staging, options, variants, record, unchecked).bundle_id
            if not options.dry_run:
                publish(staging, out, force=options.force)
            reporter.update(5, "checked" if options.dry_run else "published")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}") from error
    return Exported(out, bundle_id, record)


def _write_weights(generator: Generator, staging: Path, weights: str) -> None:
    dtype = torch.float16 if weights == "fp16" else torch.float32
    tensors = {n: t.to(dtype).contiguous() for n, t in inference_weights(generator).items()}
    (staging / WEIGHTS_FILE).write_bytes(safetensors.torch.save(tensors))


def _check_alone(out: Path, staging: Path | None = None) -> None:
    """Raise InputError if another export to the same place is under way."""
    if others_write(out, staging):
        raise InputError(
            f"another export to {out} is under way",
            hint="wait until it has ended, or choose another folder",
        )


def _check_destination(out: Path, options: ExportOptions) -> None:
    _check_alone(out)
    if not restored(out) or options.dry_run:
        return
    if not options.force:
        raise InputError(f"{out} exists", hint="choose another folder or pass --force")
    if not (out / "manifest.json").is_file():
        raise InputError(f"{out} is no bundle", hint="--force replaces bundles only")


def _card(checkpoint: Checkpoint, options: ExportOptions) -> str:
    if options.model_card is None:
        return model_card(checkpoint)
    try:
        return options.model_card.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"model card {options.model_card} cannot be read: {error}") from error


def _write_texts(checkpoint: Checkpoint, staging: Path, options: ExportOptions, card: str) -> None:
    for name, text in checkpoint.texts.items():
        (staging / name).write_bytes(text.encode("utf-8"))
    (staging / "generation.json").write_bytes(json_file(asdict(options.search)))
    (staging / "MODEL_CARD.md").write_text(card, "utf-8")
    write_licences(staging / "LICENSES", checkpoint.facts().licence)


def _seal(
    checkpoint: Checkpoint,
    staging: Path,
    options: ExportOptions,
    variants: Mapping[str, Variant],
    record: dict[str, Any],
    unchanged: Bundle | None = None,
) -> Bundle:
    facts = checkpoint.facts()
    fields = ManifestFields(
        model=checkpoint.config,
        limits=options.limits,
        variants=variants,
        parity=record,
        provenance={
            "system": facts.system,
            "seed": facts.recipe.seed,
            "scores": facts.scores,
            "data_sha256": facts.data.sha256,
            "trained_with": facts.versions,
            "exported_with": {
                "empgan-rt": __version__,
                "torch": metadata.version("torch"),
                "onnx": metadata.version("onnx"),
                "onnxscript": metadata.version("onnxscript"),
            },
            "weights": options.weights,
        },
        licence=facts.licence,
    )
    return Bundle.seal(staging, fields, unchanged=unchanged)
