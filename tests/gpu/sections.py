"""The sections in the order of what they are worth, a literal table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).parents[1]
TENSORRT = TESTS / "runtime" / "backends" / "tensorrt" / "test_on_gpu.py"
MACHINE = "machine"


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        name, proves: for the report.
        limit_s: after so many seconds it has failed.
        tests: arguments of pytest.
        batch: dialogues in a batch of `bench latency`; 0 for tests.
        rehearsed: whether a dry run has it; else it is about a GPU alone.
    """

    name: str
    proves: str
    limit_s: float
    tests: tuple[str, ...] = ()
    batch: int = 0
    rehearsed: bool = True


def _of(file: str, proves: str, limit_s: float, engine: str = "") -> Section:
    """Return a section of a file of this folder, or of one engine's tests in it."""
    tests = (str(TESTS / "gpu" / f"test_{file}.py"), "-W", "default")  # libraries may warn
    if not engine:
        return Section(file, proves, limit_s, tests)
    told, chosen = f"{engine} {proves}", (*tests, "-k", engine)
    return Section(f"{file}-{engine}", told, limit_s, chosen, rehearsed=engine != "tensorrt")


def _bench(batch: int) -> Section:
    told = f"how fast every engine is in batches of {batch}; replies are compared first"
    return Section(f"bench-{batch}", told, 1200, batch=batch, rehearsed=batch == 32)


def marked() -> tuple[str, ...]:
    """Return the other files with marked tests, alone: what the rest need may be missing."""
    files = [p for p in sorted(TESTS.rglob("test_*.py")) if "gpu" not in p.parent.name]
    found = [path for path in files if "pytest.mark.gpu" in path.read_text("utf-8")]
    return tuple(str(path) for path in found if path != TENSORRT)


_RECORDED = "computes what the bundles recorded, in every precision"
_SAME = "writes what the CPU does, greedy and with 5 beams"
_FLAT = "keeps memory flat over 10,000 requests of mixed lengths"
_BUILT = "TensorRT's engines are built, loaded and executed here"
SECTIONS = (
    _of(MACHINE, "which machine this is", 120),
    _of("doctor", "the installation is sound", 180),
    _of("goldens", _RECORDED, 180, "onnxruntime"),
    Section("tensorrt", _BUILT, 900, (str(TENSORRT),), rehearsed=False),
    _of("goldens", _RECORDED, 1800, "tensorrt"),  # it builds the engines of `default`
    _of("goldens", _RECORDED, 180, "eager"),
    _of("tokens", _SAME, 300, "onnxruntime"),
    _of("tokens", _SAME, 900, "tensorrt"),
    _of("tokens", _SAME, 300, "eager"),
    _bench(32),
    Section("tests", "`pytest -m gpu` passes elsewhere", 900, marked(), rehearsed=False),
    _of("training", "how fast the real model trains", 300),
    _of("memory", _FLAT, 1200, "tensorrt"),
    _of("memory", _FLAT, 1200, "onnxruntime"),
    _of("memory", _FLAT, 1200, "eager"),
    *(_bench(batch) for batch in (1, 512, 128, 8)),
)
