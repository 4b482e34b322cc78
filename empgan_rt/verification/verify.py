"""Whether a bundle computes what its export recorded."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing

import msgspec

from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..errors import BundleError, InputError
from . import parity


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
            try:
                deviation = parity.replay(engine, bundle.goldens(precision), allowed)
            except InputError as error:  # what goes in is the bundle's own
                raise BundleError(
                    f"{variant.goldens} does not fit the model: {error.message}",
                    hint="export the bundle again",
                ) from None
        parity.check(deviation, allowed)
        found[precision] = Verified(dict(deviation.max_abs), deviation.ties, allowed)
    return found
