"""Whether memory stays flat over many requests of mixed lengths, on the host and on the GPU.

Each engine computes in float32. It is warm after a tenth of the requests and the longest ones of
each search.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Sequence

import psutil
import pytest

from empgan_bench.measuring import gpu
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.inference.request import MAX_BATCH
from empgan_rt.inference.responder import Responder
from gpu.engines import NEEDS_ON, Tell, open_engine, require

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(1200)]

REQUESTS, DRY_REQUESTS = 10_000, 200
WARM, SAMPLES = 0.1, (0.4, 0.7, 1.0)  # shares of the requests
HOST_SHARE, HOST_MIB, DEVICE_SHARE = 0.02, 8.0, 0.01  # growth that is allowed
WORDS = ("I", "you", "we", "lost", "found", "my", "your", "keys", "job", "dog", "sad", ".", "?")
MOST_WORDS, TURNS = 12, (1, 1, 2, 8)
LONGEST = [" ".join(WORDS[:MOST_WORDS])] * max(TURNS)
SEARCHES = (
    SearchConfig(beam_size=1, max_length=4),
    SearchConfig(beam_size=1, max_length=20),
    SearchConfig(beam_size=5, max_length=10),
)
Held = tuple[float, int | None]
"""MiB of the host and of the GPU; None if that is unknown."""


@pytest.mark.parametrize("engine", NEEDS_ON)
def test_memory_stays_flat(engine: str, device: str, tell: Tell) -> None:
    require(engine, device)
    dry = device == "cpu"
    name, count = ("tiny", DRY_REQUESTS) if dry else ("default", REQUESTS)
    bundle, draw, at_once = Bundle.open(name), random.Random(0), count // 10
    backend = open_engine(engine, bundle, device, "fp32")
    held: list[Held] = []
    with Responder(bundle, backend) as responder:
        for search in SEARCHES:
            responder.reply_batch([LONGEST] * MAX_BATCH, search)
        done = 0
        for share in (WARM, *SAMPLES):
            while done < share * count:
                dialogues = [_turns(draw) for _ in range(at_once)]
                responder.reply_batch(dialogues, draw.choices(SEARCHES, k=at_once))
                done += at_once
            gc.collect()
            held.append((psutil.Process().memory_info().rss / 2**20, gpu.memory_used_mib()))
            host, on_gpu = held[-1]
            tell({"bundle": name, "requests": done, "host MiB": round(host, 1), "GPU MiB": on_gpu})
    faults = [] if dry else grown(held)  # a few requests prove nothing
    assert not faults, "; ".join(faults)


def grown(held: Sequence[Held]) -> list[str]:
    """Return what grew by more than it may; the first of `held` is when warm."""
    (warm, warm_gpu), *later = held
    faults = []
    growth = max(host for host, _ in later) - warm
    if growth > min(HOST_MIB, HOST_SHARE * warm):
        faults.append(f"the process grew by {growth:.1f} MiB from {warm:.1f}")
    later_gpu = [on_gpu for _, on_gpu in later if on_gpu is not None]
    if warm_gpu is not None and later_gpu:
        more = max(later_gpu) - warm_gpu
        if more > DEVICE_SHARE * warm_gpu:
            faults.append(f"the GPU's memory grew by {more} MiB from {warm_gpu}")
    return faults


def _turns(draw: random.Random) -> list[str]:
    lengths = [draw.randint(1, MOST_WORDS) for _ in range(draw.choice(TURNS))]
    return [" ".join(draw.choices(WORDS, k=length)) for length in lengths]
