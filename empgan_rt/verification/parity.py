"""Parity: goldens recorded with one backend, and how far another one is from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..backend import Backend
from ..errors import ParityError
from ..graph_spec import NUM_CANDIDATES, PAD, STRUCK
from .goldens import Arrays, Golden, load, save


@dataclass(frozen=True)
class Deviation:
    """The distance of a backend from the goldens.

    Attributes:
        max_abs: largest absolute difference of each output, candidates that are struck left out.
        tokens_equal: whether all candidates agree, near-ties aside.
        ties: places where other tokens came whose log-probabilities are within the tolerance.
    """

    max_abs: Mapping[str, float]
    tokens_equal: bool
    ties: int


def record(backend: Backend, goldens: Sequence[Golden]) -> bytes:
    """Return an .npz file with the goldens and what `backend` computes for them."""
    return save([(golden, _outputs(backend, golden)) for golden in goldens])


def replay(backend: Backend, goldens: bytes, tie: float = 1e-4) -> Deviation:
    """Return how far `backend` is from recorded goldens.

    Args:
        backend: what is measured.
        goldens: from `record`.
        tie: candidates whose log-probabilities differ by less may change places.

    Raises:
        BundleError: the file holds no goldens.
    """
    max_abs = {"label_probs": 0.0, "log_probs": 0.0}
    wrong = ties = 0
    for golden, wanted in load(goldens):
        found = _outputs(backend, golden)
        live = wanted["log_probs"] > STRUCK / 2
        for name, keep in (("label_probs", ...), ("log_probs", live)):
            gap = np.abs(found[name][keep] - wanted[name][keep]).max(initial=0.0)
            max_abs[name] = float(np.maximum(max_abs[name], gap))  # NaN stays
        swaps = _swap_gaps(wanted, found)[live]
        wrong += int((swaps >= tie).sum())
        ties += int(((swaps >= 0) & (swaps < tie)).sum())
    return Deviation(max_abs, wrong == 0, ties)


def check(deviation: Deviation, atol: float) -> None:
    """Do nothing if the tokens agree and no output deviates by more than `atol`.

    Raises:
        ParityError: otherwise; the message lists every output that is too far.
    """
    faults = [
        f"{name} deviates by {value:.3g}, at most {atol:.3g} is allowed"
        for name, value in deviation.max_abs.items()
        if not value <= atol
    ]
    if not deviation.tokens_equal:
        faults.append("other tokens are chosen")
    if faults:
        raise ParityError("; ".join(faults), hint="the graph does not compute what it should")


def _outputs(backend: Backend, golden: Golden) -> Arrays:
    """Return the outputs of one golden: (B, M, 7) and twice (T, B, K, C)."""
    steps, rows, beams = golden.token_ids.shape
    encoded = backend.encode(golden.inputs)
    state = backend.open(rows, beams)
    backend.admit(state, np.arange(rows, dtype=np.int32), encoded)
    banned = np.full((rows, beams, 1), PAD, np.int32)
    found = [
        backend.step(state, golden.token_ids[t], golden.parents[t], banned, NUM_CANDIDATES)
        for t in range(steps)
    ]
    return {
        "label_probs": encoded.label_probs,
        "candidate_ids": np.stack([candidates.token_ids for candidates in found]),
        "log_probs": np.stack([candidates.log_probs for candidates in found]),
    }


def _swap_gaps(wanted: Arrays, found: Arrays) -> npt.NDArray[np.float64]:
    """Return, for each wanted candidate, how much less probable the one in its place should be.

    -1 where they are the same. A token from outside the wanted ones is taken to be just as
    probable as the last of them, the most that it can be.
    """
    ids, other = wanted["candidate_ids"], found["candidate_ids"]
    log_probs = wanted["log_probs"].astype(np.float64)
    matches = other[..., :, None] == ids[..., None, :]  # (T, B, K, C found, C wanted)
    where = np.where(matches.any(axis=-1), matches.argmax(axis=-1), ids.shape[-1] - 1)
    gaps = np.abs(log_probs - np.take_along_axis(log_probs, where, axis=-1))
    return np.where(ids == other, -1.0, gaps)
