"""What a scaling run varies: one axis at a time, from a base point that is on every axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

BASE_TURNS = 4


class Setting(msgspec.Struct, frozen=True):
    """What one point is measured at; `vocabulary` is V of the model."""

    batch: int
    beam: int
    turns: int
    vocabulary: int
    threads: int


class Axis(msgspec.Struct, frozen=True):
    """One way to grow.

    Attributes:
        values: in rising order; neighbours are far enough apart for a slope between them.
        ideal: exponent of linear cost: 1 where there is more work, -1 where there are more hands.
        unit: of the values.
    """

    values: tuple[int, ...]
    ideal: int
    unit: str


AXES: Mapping[str, Axis] = {
    "batch": Axis((1, 2, 4, 8, 16, 32, 64, 128, 256), 1, "dialogues in a batch"),
    "beam": Axis((1, 2, 3, 5, 7, 10), 1, "hypotheses of a dialogue"),
    "turns": Axis((1, 2, 4, 8, 16, 30), 1, "turns of a dialogue"),
    "vocabulary": Axis((2_000, 4_000, 8_000, 16_000, 32_000, 50_000), 1, "words of the model"),
    "threads": Axis((1, 2, 4, 8, 16, 32, 64, 128), -1, "threads of an engine"),
}


class Place(msgspec.Struct, frozen=True):
    """A setting on an axis; all but `value` is as at the base point.

    `again` marks the base point at the end of an axis: what changed since it was measured among
    the others is drift, not growth.
    """

    axis: str
    value: int
    setting: Setting
    again: bool = False

    def __str__(self) -> str:
        return f"{self.axis} {self.value:,}{' again' if self.again else ''}"


class ScalingPlan(msgspec.Struct, frozen=True):
    """What to measure.

    Attributes:
        axes: names in AXES.
        base: the point that lies on every axis.
        cores: most threads on the thread axis, the base point's aside.
        warmup, min_time_s, seed: as in `suite.Plan`.
    """

    axes: tuple[str, ...]
    base: Setting
    cores: int
    warmup: int
    min_time_s: float
    seed: int
    kind: Literal["scaling"] = "scaling"

    def places(self) -> list[Place]:
        """Return what is measured, axis by axis, rising along each, the base point last again."""
        found = []
        for axis in self.axes:
            found += [
                Place(axis, value, msgspec.structs.replace(self.base, **{axis: value}))
                for value in self._values(axis)
            ]
            found.append(Place(axis, getattr(self.base, axis), self.base, again=True))
        return found

    def _values(self, axis: str) -> list[int]:
        values = {*AXES[axis].values}
        if axis == "threads":
            values = {self.cores, *(value for value in values if value < self.cores)}
        return sorted(values | {getattr(self.base, axis)})
