"""Objectives such as `p99_ms<50`: parsed, and held against what was measured."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from empgan_rt.errors import InputError

from .stats import Summary


def percentiles(of: str, summary: Summary | None) -> dict[str, float | None]:
    """Return the percentiles of a time by their metrics' names; all are None without the time.

    Args:
        of: what the names begin with.
        summary: of the time.
    """
    names = ("p50", "p90", "p95", "p99", "max")
    return {f"{of}{name}_ms": getattr(summary, name, None) for name in names}


METRICS = (
    *percentiles("", None),
    *(
        "first_token_p50_ms",
        "per_token_p50_ms",
        "dialogues_per_s",
        "tokens_per_s",
        "ratio",
        "over_other",
    ),
)
REQUEST_METRICS = ("e2e_ms", "ttft_ms", "tpot_ms", "queue_ms")
SERVING_METRICS = (
    *(name for of in ("", "ttft_", "tpot_", "queue_") for name in percentiles(of, None)),
    *("requests_per_s", "tokens_per_s", "goodput", "goodput_per_s"),
)
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_PATTERN = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\d+(?:\.\d*)?|\.\d+)\s*")


@dataclass(frozen=True)
class Objective:
    """A bound on one metric, which every engine but the reference must keep in every cell."""

    metric: str
    sign: str
    bound: float

    @classmethod
    def parse(cls, text: str, metrics: Sequence[str] = METRICS) -> Objective:
        """Return the objective in `text`: one of `metrics`, sign and number.

        Raises:
            InputError: it is written otherwise or the metric is unknown.
        """
        match = _PATTERN.fullmatch(text)
        if match is None or match[1] not in metrics:
            raise InputError(
                f"objective {text[:60]!r}",
                hint=f"write METRIC<NUMBER or METRIC>NUMBER; metrics are {', '.join(metrics)}",
            )
        return cls(match[1], match[2], float(match[3]))

    def missed(self, measured: Mapping[str, float | None]) -> str:
        """Return what is wrong with one cell, or "" if the objective is kept.

        A metric that was not measured, or was withheld, is a miss: nothing shows that it is kept.
        """
        value = measured.get(self.metric)
        if value is None:
            return f"{self} cannot be shown: too few samples, or no reference engine"
        return "" if self.keeps(value) else f"{self} missed with {value:.4g}"

    def keeps(self, value: float) -> bool:
        """Return whether a value is within the bound."""
        return _OPERATORS[self.sign](value, self.bound)

    def __str__(self) -> str:
        return f"{self.metric}{self.sign}{self.bound:g}"
