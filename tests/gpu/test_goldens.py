"""Whether an engine computes what a bundle recorded, in every precision that it has."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import EmpganError
from empgan_rt.verification import parity

from .engines import open_engine, precisions
from .needs import one_line
from .records import Figures, Finding, Job


def replayed(job: Job) -> Iterator[Finding]:
    """Yield how far the engine is from the goldens of each bundle and precision."""
    for name in ("tiny",) if job.dry else ("tiny", "default"):
        bundle = Bundle.open(name)
        for precision in precisions(job.engine, bundle):
            yield replay(bundle, name, job.engine, job.device, precision)


def replay(bundle: Bundle, name: str, engine: str, device: str, precision: str) -> Finding:
    """Return how far an engine is from the goldens of one precision; an error is a fault."""
    atol = bundle.manifest.variants[precision].atol
    place: Figures = {"bundle": name, "precision": precision}
    start = time.perf_counter()
    try:
        with closing(open_engine(engine, bundle, device, precision)) as backend:
            open_s = time.perf_counter() - start
            deviation = parity.replay(backend, bundle.goldens(precision), atol)
    except EmpganError as error:
        return Finding(place, f"{name} in {precision}: {one_line(error)}")
    figures: Figures = {
        **place,
        "log-probabilities": deviation.max_abs["log_probs"],
        "emotions": deviation.max_abs["label_probs"],
        "at most": atol,
        "tokens": "equal" if deviation.tokens_equal else "other",
        "ties": deviation.ties,
        "opened in s": round(open_s, 2),
    }
    try:
        parity.check(deviation, atol)
    except EmpganError as error:
        return Finding(figures, f"{name} in {precision}: {error.message}")
    return Finding(figures)
