"""Does a staged bundle compute what eager PyTorch does? Values, thirty steps, and whole replies."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from empgan_rt import console, parity
from empgan_rt.backends.ort import OrtBackend
from empgan_rt.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import ParityError
from empgan_rt.goldens import Golden, seeded_goldens
from empgan_rt.text.featurizer import DialogueFeatures, encoder_input
from empgan_training.eager import EagerBackend, log_prob

from .token_parity import TokenParity, compare_replies


def verify(
    bundle: Bundle,
    eager: EagerBackend,
    goldens: bytes,
    contexts: Sequence[DialogueFeatures],
    atol: float,
    bar: console.Reporter,
) -> dict[str, Any]:
    """Return the parity record of a staged bundle.

    Args:
        bundle: staged, not yet published.
        eager: PyTorch on the same rounded weights.
        goldens: what `eager` computed for the seeded goldens.
        contexts: for whole replies, greedy and with beam 5.
        atol: largest deviation of probabilities and log-probabilities.
        bar: is told when values and when replies are checked.

    Raises:
        ParityError: a value deviates by more than `atol`, or a reply differs and is no tie.
    """
    candidate = OrtBackend(bundle)
    deviation = parity.replay(candidate, goldens)
    parity.check(deviation, atol)
    drift = parity.replay(candidate, parity.record(eager, [_long_golden(bundle)]))
    parity.check(drift, atol)
    bar.update(3, "values")
    record = {
        "atol": atol,
        "max_abs": dict(deviation.max_abs),
        "max_abs_30_steps": dict(drift.max_abs),
        "ties": deviation.ties,
        "greedy": _tokens(eager, candidate, contexts, SearchConfig(beam_size=1)),
        "beam_5": _tokens(eager, candidate, contexts, SearchConfig(beam_size=5)),
    }
    candidate.close()
    bar.update(4, "tokens")
    return record


def _long_golden(bundle: Bundle) -> Golden:
    """Return a seeded golden with its forced tokens and parents repeated to 30 steps."""
    golden = seeded_goldens(bundle.model, seed=1)[1]
    return dataclasses.replace(
        golden,
        token_ids=np.resize(golden.token_ids, (30, *golden.token_ids.shape[1:])),
        parents=np.resize(golden.parents, (30, *golden.parents.shape[1:])),
    )


def _tokens(
    eager: EagerBackend,
    candidate: OrtBackend,
    contexts: Sequence[DialogueFeatures],
    search: SearchConfig,
) -> dict[str, int]:
    reference = copy.deepcopy(eager.generator).double()

    def rate(context: DialogueFeatures, reply: Sequence[int], ended: bool) -> float:
        return log_prob(reference, encoder_input([context]), reply, ended=ended)

    size = eager.generator.config.vocabulary_size
    result: TokenParity = compare_replies(eager, candidate, contexts, search, size, rate)
    if result.mismatches:
        raise ParityError(
            f"{len(result.mismatches)} of {result.contexts} replies differ with beam "
            f"{search.beam_size}, first at context {result.mismatches[0]}",
            hint="the graph does not compute what eager PyTorch does",
        )
    return {"contexts": result.contexts, "ties": result.ties}
