"""Does a staged bundle compute what PyTorch does? Values, thirty steps, and whole replies."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from empgan_rt.backends.onnxruntime.backend import OrtBackend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import ParityError
from empgan_rt.text.featurizer import DialogueFeatures, encoder_input
from empgan_rt.verification import parity
from empgan_rt.verification.goldens import Golden, seeded_goldens
from empgan_rt.verification.verify import goes_on, replay_going_on
from empgan_training.eager import EagerBackend, log_prob
from empgan_training.model.generator import Generator
from empgan_training.progress import Reporter

from .token_parity import TokenParity, best_replies, compare_replies

SEARCHES = {"greedy": SearchConfig(beam_size=1), "beam_5": SearchConfig(beam_size=5)}


def verify(
    bundle: Bundle,
    references: dict[str, EagerBackend],
    contexts: Sequence[DialogueFeatures],
    reporter: Reporter,
) -> dict[str, Any]:
    """Return the parity record of a staged bundle, one entry for each precision.

    Values must be those of the precision's own reference. Whole replies must be equal to fp32's
    in fp32; in another precision it is counted how many are.

    Args:
        bundle: staged, not yet published; its goldens are what the references compute.
        references: PyTorch on the same rounded weights, in each precision of the bundle.
        contexts: for whole replies, greedy and with beam 5.
        reporter: is told when values and when replies are checked.

    Raises:
        ParityError: a value deviates by more than the variant's `atol`, or a reply in fp32
            differs and is no tie.
    """
    candidates = {name: OrtBackend(bundle, precision=name) for name in references}
    record = {
        name: _values(bundle, name, references[name], candidate)
        for name, candidate in candidates.items()
    }
    for name, variant in bundle.manifest.variants.items():
        if goes_on(variant, "onnxruntime", "cpu"):
            replay_going_on(bundle, name, variant.atol)
    reporter.update(3, "values")
    for title, search in SEARCHES.items():
        for name, counts in _replies(references["fp32"], candidates, contexts, search).items():
            record[name][title] = counts
    for candidate in candidates.values():
        candidate.close()
    reporter.update(4, "tokens")
    return record


def _values(
    bundle: Bundle, precision: str, reference: EagerBackend, candidate: OrtBackend
) -> dict[str, Any]:
    """Return how far a variant is from its reference, on the goldens and over thirty steps."""
    atol = bundle.manifest.variants[precision].atol
    deviation = parity.replay(candidate, bundle.goldens(precision), atol)
    parity.check(deviation, atol)
    long = parity.record(reference, [_long_golden(bundle)])
    drift = parity.replay(candidate, long, atol)
    parity.check(drift, atol)
    return {
        "atol": atol,
        "max_abs": dict(deviation.max_abs),
        "max_abs_30_steps": dict(drift.max_abs),
        "ties": deviation.ties,
    }


def _long_golden(bundle: Bundle) -> Golden:
    """Return a seeded golden with its forced tokens and parents repeated to 30 steps."""
    golden = seeded_goldens(bundle.model, seed=1)[1]
    return dataclasses.replace(
        golden,
        token_ids=np.resize(golden.token_ids, (30, *golden.token_ids.shape[1:])),
        parents=np.resize(golden.parents, (30, *golden.parents.shape[1:])),
    )


def _replies(
    reference: EagerBackend,
    candidates: dict[str, OrtBackend],
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
) -> dict[str, dict[str, int]]:
    """Return how many replies of each candidate are fp32's, and how many differ by a tie."""
    exact: Generator = copy.deepcopy(reference.generator).double()

    def rate(context: DialogueFeatures, reply: Sequence[int], ended: bool) -> float:
        return log_prob(exact, encoder_input([context]), reply, ended=ended)

    size = reference.generator.config.vocabulary_size
    wanted = best_replies(reference, contexts, search, size)
    counts = {}
    for precision, candidate in candidates.items():
        found = best_replies(candidate, contexts, search, size)
        result: TokenParity = compare_replies(wanted, found, contexts, search, rate)
        if precision == "fp32" and result.mismatches:
            raise ParityError(
                f"{len(result.mismatches)} of {result.contexts} replies differ with beam "
                f"{search.beam_size}, first at context {result.mismatches[0]}",
                hint="the graph does not compute what eager PyTorch does",
            )
        differing = len(result.mismatches)
        counts[precision] = {
            "contexts": result.contexts,
            "equal": result.contexts - differing - result.ties,
            "ties": result.ties,
        }
    return counts
