"""Whether an engine computes what a bundle recorded, in every precision that it has."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.verification import parity
from gpu.engines import ENGINES, PRECISIONS, Tell, offered, open_engine, require

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("name", ["tiny", "default"])
@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_computes_what_was_recorded(
    engine: str, name: str, precision: str, device: str, tell: Tell
) -> None:
    require(engine, device)
    if device == "cpu" and name != "tiny":
        pytest.skip("a dry run opens `tiny` alone")
    bundle = Bundle.open(name)
    offered(engine, bundle, precision)
    atol = bundle.manifest.variants[precision].atol
    start = time.perf_counter()
    with closing(open_engine(engine, bundle, device, precision)) as backend:
        open_s = time.perf_counter() - start
        deviation = parity.replay(backend, bundle.goldens(precision), atol)
    tell(
        {
            "bundle": name,
            "precision": precision,
            "log-probabilities": deviation.max_abs["log_probs"],
            "emotions": deviation.max_abs["label_probs"],
            "at most": atol,
            "tokens": "equal" if deviation.tokens_equal else "other",
            "ties": deviation.ties,
            "opened in s": round(open_s, 2),
        }
    )
    parity.check(deviation, atol)
