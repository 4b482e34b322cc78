"""What came out of a graph, held against what went in: shapes, and numbers that are finite.

A graph's signature names its axes, but engines do not hold it to them: a graph may say (B, K, C)
and compute anything else of that rank. What went in tells how long each axis must be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import BundleError, DivergenceError

Shape = tuple[int, ...]


def check_shapes(which: str, found: Mapping[str, Any], wanted: Mapping[str, Shape]) -> None:
    """Do nothing if each output in `wanted` has that shape, wherever it lies.

    Raises:
        BundleError: one has another; the message names it.
    """
    for name, shape in wanted.items():
        have = found[name].shape
        if callable(have):  # ONNX Runtime's tensors on a device
            have = tuple(have())
        if have != shape:
            raise BundleError(
                f"the {which} computed {name} of shape {have}, not {shape}",
                hint="export the bundle again",
            )


def check_finite(which: str, found: Mapping[str, Any], *names: str) -> None:
    """Do nothing if every number in these outputs, which are on the host, is finite.

    Raises:
        DivergenceError: one is NaN or infinite.
    """
    for name in names:
        numbers = found[name]
        # NaN counts as the largest and as the smallest of all.
        ends = numbers.item(numbers.argmin()), numbers.item(numbers.argmax())
        if not -math.inf < ends[0] <= ends[1] < math.inf:
            raise DivergenceError(
                f"the {which} computed NaN or infinity",
                hint="the weights are damaged; export the bundle again",
            )


def check_ids(which: str, ids: Any, count: int) -> None:
    """Do nothing if all ids (int32) are from 0 to `count` - 1.

    Raises:
        BundleError: one is not.
    """
    if highest(ids) >= count:
        raise BundleError(
            f"the {which} chose {ids.min()} to {ids.max()} among {count} words",
            hint="export the bundle again",
        )


def highest(ids: Any) -> int:
    """Return the highest of int32 ids, of which there is one at least; negative ones are huge.

    That is one pass for both ends, in half the time of `max` where there are few.
    """
    unsigned = ids.view(np.uint32)
    return int(unsigned.item(unsigned.argmax()))
