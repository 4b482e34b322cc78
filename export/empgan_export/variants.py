"""The variants of a bundle: of each precision its reference in PyTorch, its graphs and its bound.

A reference computes in the same precision as the graphs that are measured by it. How many replies
are fp32's is counted besides (`verify`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from empgan_rt.bundle.manifest import Variant
from empgan_rt.errors import ParityError
from empgan_rt.graph_spec import CONTINUED
from empgan_training.eager import EagerBackend
from empgan_training.model.generator import Generator

from .graphs import continued_encoder_graph, decoder_step_graph, encoder_graphs
from .half_precision import halved
from .lint import lint
from .options import PrecisionName
from .quantised import QuantisedBackend, quantised
from .to_onnx import stored_tensors


@dataclass(frozen=True)
class Precision:
    """One precision in which a bundle may compute.

    Attributes:
        reference: makes its PyTorch backend of the generator that has the stored weights.
        encoders: the precision whose encoders it runs.
        atol: the largest deviation of probabilities and log-probabilities from the reference.
    """

    reference: Callable[[Generator], EagerBackend]
    encoders: PrecisionName
    atol: float


PRECISIONS: Mapping[PrecisionName, Precision] = {
    "fp32": Precision(EagerBackend, "fp32", 1e-4),
    # rounding may differ by one of d^o's levels, which moves log-probabilities so far
    "int8": Precision(lambda generator: QuantisedBackend(quantised(generator)), "fp32", 0.05),
    # a few steps of float16, each 1/64 for logits of 16 to 32: runtimes round in other places
    "fp16": Precision(lambda generator: EagerBackend(halved(generator)), "fp16", 0.05),
}


def chosen_variants(precisions: Collection[str], fp32_atol: float) -> dict[str, Variant]:
    """Return the variants of a bundle by precision: fp32, by which all are measured, and these.

    Args:
        precisions: names in `PRECISIONS`; others are passed over.
        fp32_atol: bound of fp32, in place of its own.
    """
    return {
        name: Variant(
            turn_encoder=f"turn_encoder.{precision.encoders}.onnx",
            context_encoder=f"context_encoder.{precision.encoders}.onnx",
            decoder_step=f"decoder_step.{name}.onnx",
            goldens=f"goldens.{name}.npz",
            atol=fp32_atol if name == "fp32" else precision.atol,
            # states of float16 would not be the ones within the GRU, which a CPU has in float32
            continued_encoder=f"{CONTINUED}.fp32.onnx" if precision.encoders == "fp32" else None,
        )
        for name, precision in PRECISIONS.items()
        if name == "fp32" or name in precisions
    }


def references(generator: Generator, precisions: Collection[str]) -> dict[str, EagerBackend]:
    """Return PyTorch in each of these precisions.

    Args:
        generator: its weights are the stored ones, in float32.
        precisions: names in `PRECISIONS`.

    Raises:
        CheckpointError: a weight is out of the range of float16, and fp16 is wanted.
    """
    return {n: p.reference(generator) for n, p in PRECISIONS.items() if n in precisions}


def variant_graphs(
    backends: Mapping[str, EagerBackend], variants: Mapping[str, Variant], weights: bytes
) -> dict[str, onnx.ModelProto]:
    """Return the graphs of these variants by file name; one that they share is traced once.

    Args:
        backends: from `references`.
        variants: from `chosen_variants`, or of a bundle.
        weights: the weights file.
    """
    stored = stored_tensors(weights)
    models: dict[str, onnx.ModelProto] = {}
    for precision, variant in variants.items():
        generator = backends[precision].generator
        models[variant.decoder_step] = decoder_step_graph(generator, stored)
        if variant.turn_encoder not in models:
            encoders = encoder_graphs(generator, stored)
            models |= {variant.graphs[which]: model for which, model in encoders.items()}
            if variant.continued_encoder is not None:
                models[variant.continued_encoder] = continued_encoder_graph(generator, stored)
    return models


def write_graphs(models: Mapping[str, onnx.ModelProto], folder: Path) -> None:
    """Write graphs into a folder that holds their weights, and check them there.

    Raises:
        ParityError: a graph is no valid ONNX, or holds what a runtime would misread.
        OSError: the disk refused.
    """
    for name, model in models.items():
        lint(model)
        path = folder / name
        path.write_bytes(model.SerializeToString(deterministic=True))
        try:
            onnx.checker.check_model(str(path), full_check=True)  # shapes are inferred, strictly
        except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
            raise ParityError(f"{name} is no valid ONNX: {error}") from error
