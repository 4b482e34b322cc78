"""Which machine, software, command, engines and workload: what a time means nothing without."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import msgspec
import psutil

from empgan_rt import threads
from empgan_rt._version import __version__

from ..engines.base import installed
from .gpu import Gpu, gpus

SCHEMA_VERSION = "1.2"
_PACKAGES = (
    *("numpy", "onnxruntime", "onnxruntime-gpu", "torch", "tokenizers", "msgspec"),
    *("triton", "cuda-python", "tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-rtx"),
    *("nvidia-cudnn-cu13", "nvidia-cudnn-cu12"),
)
_FLAGS = ("avx2", "avx512f", "avx512_vnni", "amx_bf16", "amx_int8", "asimd")


class Fingerprint(msgspec.Struct, frozen=True):
    """The circumstances of a run.

    Attributes:
        cpu: the model, "unknown" if the system does not say.
        cpu_features: vector extensions that matter here.
        governor: frequency governor, "unknown" if the system does not say.
        cores_allowed: by affinity and container quota.
        commit: of the checkout the code runs from, "+" added if files differ; None elsewhere.
        load_average: of one minute, before the run.
        gpu: where the engines computed; None on the CPU.
    """

    empgan_rt: str
    python: str
    system: str
    cpu: str
    cpu_features: list[str]
    governor: str
    cores_allowed: int
    cores: int
    ram_gib: float
    threads: int
    packages: dict[str, str]
    commit: str | None
    bundle_id: str
    command: list[str]
    load_average: float
    gpu: Gpu | None = None


class EngineRecord(msgspec.Struct, frozen=True):
    """One worker: how it was opened, and the memory it held at the end."""

    name: str
    versions: dict[str, str]
    load_ms: float
    rss_mib: float
    gc: str
    allocator: str


class WorkloadRecord(msgspec.Struct, frozen=True):
    """Which dialogues were decoded."""

    source: str
    sha256: str
    contexts: int


class OtherBuild(msgspec.Struct, frozen=True):
    """Another build of ours that was timed beside this one.

    Attributes:
        python: the interpreter that has it.
        bundle_id: of what that build opened.
        openers: its engines, by the names that reports have for them.
    """

    python: str
    empgan_rt: str
    commit: str | None
    bundle_id: str
    openers: dict[str, str]


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What every report tells of where and with what it was made."""

    schema_version: str = SCHEMA_VERSION
    bundle: str
    workload: WorkloadRecord
    engines: list[EngineRecord]
    fingerprint: Fingerprint
    load_average_after: float
    other_build: OtherBuild | None = None


def take(bundle_id: str, num_threads: int, device: str = "cpu") -> Fingerprint:
    """Return the fingerprint of this process, as it is now.

    Args:
        bundle_id: of what is measured.
        num_threads: of each engine.
        device: where the engines will compute.
    """
    cpu, features = _cpu(Path("/proc/cpuinfo"))
    return Fingerprint(
        empgan_rt=__version__,
        python=platform.python_version(),
        system=f"{platform.system()} {platform.release()} {platform.machine()}",
        cpu=cpu,
        cpu_features=features,
        governor=_governor(Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")),
        cores_allowed=threads.allowed_cores(),
        cores=os.cpu_count() or 1,
        ram_gib=round(psutil.virtual_memory().total / 2**30, 1),
        threads=num_threads,
        packages=installed(*_PACKAGES),
        commit=commit_of(Path(__file__)),
        bundle_id=bundle_id,
        command=[Path(sys.argv[0]).name, *sys.argv[1:]],
        load_average=load_average(),
        gpu=next(iter(gpus()), None) if device == "cuda" else None,
    )


def load_average() -> float:
    """Return the runnable processes of the last minute, on average."""
    return round(float(psutil.getloadavg()[0]), 2)


def _cpu(cpuinfo: Path) -> tuple[str, list[str]]:
    """Return the model of the first core and those of `_FLAGS` that it has."""
    try:
        first = cpuinfo.read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return platform.processor() or "unknown", []
    pairs = (line.partition(":") for line in first.splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    flags = fields.get("flags", fields.get("Features", "")).split()
    return fields.get("model name", "unknown"), [flag for flag in _FLAGS if flag in flags]


def _governor(file: Path) -> str:
    try:
        return file.read_text().strip()
    except OSError:
        return "unknown"


def commit_of(file: Path) -> str | None:
    """Return the commit of the checkout that tracks `file`; None if there is none."""

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    try:
        git("ls-files", "--error-unmatch", file.name)  # an installation inside another checkout
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain") else "")
    except (OSError, subprocess.CalledProcessError):
        return None
