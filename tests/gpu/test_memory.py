"""Whether memory stays flat over many requests of mixed lengths, on the host and on the GPU.

The engine is the first of `engines.NEEDS_ON` that opens, in float32. It is warm after a tenth of
the requests and the longest ones of each search.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Iterator, Sequence

import psutil

from empgan_rt.backend import Backend
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.config import SearchConfig
from empgan_rt.errors import EmpganError
from empgan_rt.inference.request import MAX_BATCH
from empgan_rt.inference.responder import Responder

from ..measuring import gpu
from .engines import NEEDS_ON, open_engine
from .needs import missing, one_line
from .records import Finding, Job, Missing

REQUESTS, DRY_REQUESTS = 10_000, 200
_WARM, _SAMPLES = 0.1, (0.4, 0.7, 1.0)  # shares of the requests
HOST_SHARE, HOST_MIB, DEVICE_SHARE = 0.02, 8.0, 0.01  # growth that is allowed
_WORDS = ("I", "you", "we", "lost", "found", "my", "your", "keys", "job", "dog", "sad", ".", "?")
_MOST_WORDS, _TURNS = 12, (1, 1, 2, 8)
SEARCHES = (
    SearchConfig(beam_size=1, max_length=4),
    SearchConfig(beam_size=1, max_length=20),
    SearchConfig(beam_size=5, max_length=10),
)


def soaked(job: Job) -> Iterator[Finding]:
    """Yield the memory held after some shares of the requests; growth is a fault.

    Raises:
        Missing: no engine is here.
    """
    name, count = ("tiny", DRY_REQUESTS) if job.dry else ("default", REQUESTS)
    bundle, draw, at_once = Bundle.open(name), random.Random(0), count // 10
    engine, backend = _opened(job, bundle)
    yield Finding(note=f"{name} in fp32 by {engine} on {job.device}")
    held: list[tuple[float, int | None]] = []
    with Responder(bundle, backend) as responder:
        for search in SEARCHES:
            responder.reply_batch([_longest()] * MAX_BATCH, search)
        done = 0
        for share in (_WARM, *_SAMPLES):
            while done < share * count:
                dialogues = [_turns(draw) for _ in range(at_once)]
                responder.reply_batch(dialogues, draw.choices(SEARCHES, k=at_once))
                done += at_once
            gc.collect()
            held.append((psutil.Process().memory_info().rss / 2**20, gpu.memory_used_mib()))
            host, device = held[-1]
            yield Finding({"requests": done, "host MiB": round(host, 1), "GPU MiB": device})
    if job.dry:
        yield Finding(note=f"growth is judged over {REQUESTS:,} requests alone")
        return
    if held[0][1] is None:
        yield Finding(note="the GPU's memory is not known: there is no `nvidia-smi`")
    for fault in grown(held):
        yield Finding(fault=fault)


def grown(held: Sequence[tuple[float, int | None]]) -> list[str]:
    """Return what grew by more than it may.

    Args:
        held: MiB of the host and of the GPU (None if unknown), the first when warm.
    """
    (warm, warm_device), *later = held
    faults = []
    growth = max(host for host, _ in later) - warm
    if growth > min(HOST_MIB, HOST_SHARE * warm):
        faults.append(f"the process grew by {growth:.1f} MiB from {warm:.1f}")
    devices_later = [device for _, device in later if device is not None]
    if warm_device is not None and devices_later:
        more = max(devices_later) - warm_device
        if more > DEVICE_SHARE * warm_device:
            faults.append(f"the GPU's memory grew by {more} MiB from {warm_device}")
    return faults


def _opened(job: Job, bundle: Bundle) -> tuple[str, Backend]:
    """Return the first engine that opens, and its backend."""
    reasons = []
    for engine, needs_on in NEEDS_ON.items():
        if job.device not in needs_on:
            continue
        said = missing(needs_on[job.device])
        if not said and engine in job.broken:
            said = "it did not pass before"
        if not said:
            try:
                return engine, open_engine(engine, bundle, job.device, "fp32")
            except EmpganError as error:
                said = one_line(error)
        reasons.append(f"{engine}: {said}")
    raise Missing("; ".join(reasons))


def _turns(draw: random.Random) -> list[str]:
    lengths = [draw.randint(1, _MOST_WORDS) for _ in range(draw.choice(_TURNS))]
    return [" ".join(draw.choices(_WORDS, k=length)) for length in lengths]


def _longest() -> list[str]:
    return [" ".join(_WORDS[:_MOST_WORDS])] * max(_TURNS)
