"""Whether a bundle computes what its export recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

import msgspec

from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..bundle.manifest import Variant
from ..errors import BundleError, InputError
from . import parity

_KEPT = 1024  # turns, more than goldens have


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


def all_ways(variant: Variant) -> list[dict[str, Any]]:
    """Return the options of `load_backend` with which all graphs of a variant are used.

    Without a cache of turns a dialogue is read at once; with one it goes on, if there is a graph
    for that.
    """
    return [{}, {"turn_cache": _KEPT}] if variant.continued_encoder else [{}]


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
        deviations = []
        for options in all_ways(variant):
            with closing(load_backend(bundle, backend, device, precision, **options)) as engine:
                try:
                    for _ in range(2 if options else 1):  # at the second time it goes on
                        deviation = parity.replay(engine, bundle.goldens(precision), allowed)
                        parity.check(deviation, allowed)
                        deviations.append(deviation)
                except InputError as error:  # what goes in is the bundle's own
                    raise BundleError(
                        f"{variant.goldens} does not fit the model: {error.message}",
                        hint="export the bundle again",
                    ) from None
        found[precision] = Verified(
            {name: max(d.max_abs[name] for d in deviations) for name in deviations[0].max_abs},
            max(d.ties for d in deviations),
            allowed,
        )
    return found
