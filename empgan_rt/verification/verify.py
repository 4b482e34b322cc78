"""Whether a bundle computes what its export recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec

from ..backend import Backend
from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..bundle.manifest import Variant
from ..errors import BundleError, InputError
from . import parity

GOING_ON: Mapping[str, Any] = {"turn_cache": 1024}  # more turns than goldens have


class Verified(msgspec.Struct, frozen=True):
    """The distance of one variant from its goldens.

    Attributes:
        max_abs: largest absolute difference of each output.
        ties: places where another token came whose log-probability is within the tolerance.
        atol: largest deviation that was allowed.
    """

    max_abs: Mapping[str, float]
    ties: int
    atol: float


def goes_on(variant: Variant, backend: str, device: str) -> bool:
    """Return whether an engine that keeps turns reads a dialogue on, by a graph of its own."""
    on_cpu = (backend, device) == ("onnxruntime", "cpu")
    return on_cpu and variant.continued_encoder is not None


def replay_going_on(bundle: Bundle, precision: str, atol: float) -> list[parity.Deviation]:
    """Return how far the graph that goes on is from the goldens, at first and from kept turns.

    Raises:
        ParityError: further than `atol`.
        EmpganError: see `load_backend`.
    """
    with closing(load_backend(bundle, precision=precision, **GOING_ON)) as engine:
        return [_replayed(engine, bundle, precision, atol) for _ in range(2)]


def verified(
    bundle: Bundle, atol: float | None, backend: str, device: str
) -> Mapping[str, Verified]:
    """Return how far each variant, on an engine of `load_backend`, is from the bundle's goldens.

    Raises:
        ParityError: further than `atol`; None is what the export of each allowed.
        BundleError: the goldens or the text files are damaged.
        EmpganError: see `load_backend`.
    """
    bundle.featurizer()
    found = {}
    for precision, variant in bundle.manifest.variants.items():
        allowed = variant.atol if atol is None else atol
        with closing(load_backend(bundle, backend, device, precision)) as engine:
            deviations = [_replayed(engine, bundle, precision, allowed)]
        if goes_on(variant, backend, device):
            deviations += replay_going_on(bundle, precision, allowed)
        found[precision] = Verified(
            {name: max(d.max_abs[name] for d in deviations) for name in deviations[0].max_abs},
            max(d.ties for d in deviations),
            allowed,
        )
    return found


def _replayed(engine: Backend, bundle: Bundle, precision: str, atol: float) -> parity.Deviation:
    """Return how far an engine is from the goldens of a precision.

    Raises:
        ParityError: further than `atol`.
        BundleError: the goldens do not fit the model.
    """
    try:
        deviation = parity.replay(engine, bundle.goldens(precision), atol)
    except InputError as error:  # what goes in is the bundle's own
        raise BundleError(
            f"{bundle.manifest.variants[precision].goldens} does not fit the model: "
            f"{error.message}",
            hint="export the bundle again",
        ) from None
    parity.check(deviation, atol)
    return deviation
