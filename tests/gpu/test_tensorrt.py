"""Whether engines can be built, loaded and executed on this GPU: `tiny`, step by step.

TensorRT-RTX comes as ordinary wheels, but NVIDIA lists few GPUs for it. Where it refuses the GPU,
that is an answer and no fault of ours, so the section counts as skipped. Where it computes, it is
held to the goldens like everybody else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing

from empgan_rt.backends.cache import EngineCache, cache_home
from empgan_rt.backends.tensorrt.backend import TrtBackend
from empgan_rt.backends.tensorrt.engines import EngineRoom, requests
from empgan_rt.backends.tensorrt.machine import Machine, is_rtx, version_of
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import ParityError, ProviderError
from empgan_rt.verification import parity

from .records import Figures, Finding, Job, Missing


def probed(job: Job) -> Iterator[Finding]:
    """Yield what came of each step, and how far the engines are from the goldens."""
    machine = Machine.here()
    package, gpu = version_of(machine.trt), machine.gpu
    told = f"{package} on {gpu.name} ({gpu.compute_capability}), driver {gpu.driver}"
    yield Finding(_row("found", told))
    try:
        yield from _steps(machine)
    except ProviderError as error:
        if not is_rtx(machine.trt):
            raise
        raise Missing(f"{told} does not take this GPU: {error.message}") from None


def _steps(machine: Machine) -> Iterator[Finding]:
    bundle = Bundle.open("tiny")
    room = EngineRoom(bundle, machine, EngineCache(cache_home(os.environ)))
    wanted = requests(bundle)
    start = time.perf_counter()
    engines = [room.engine(request) for request in wanted]
    cached = sum(engine.cached for engine in engines)
    mib = sum(len(engine.plan) for engine in engines) / 2**20
    told = f"{len(engines)} engines, {mib:.1f} MiB, {cached} of them from the cache"
    yield Finding(_row("built", told, time.perf_counter() - start))
    for precision, variant in bundle.manifest.variants.items():
        for captures in (False, True):
            start = time.perf_counter()
            with closing(TrtBackend(bundle, precision=precision, captures=captures)) as backend:
                deviation = parity.replay(backend, bundle.goldens(precision), variant.atol)
            how = f"executed in {precision}, {'captured steps' if captures else 'one by one'}"
            gaps = ", ".join(f"{name} off by {gap:.2e}" for name, gap in deviation.max_abs.items())
            told = f"{gaps}; at most {variant.atol:.0e}"
            row, fault = _row(how, told, time.perf_counter() - start), ""
            try:
                parity.check(deviation, variant.atol)
            except ParityError as error:
                fault = f"{how}: {error.message}"
            yield Finding(row, fault)


def _row(step: str, told: str, seconds: float | None = None) -> Figures:
    return {"step": step, "result": told, "s": None if seconds is None else round(seconds, 2)}
