"""The sections in the order of what they are worth, a literal table."""

from __future__ import annotations

from dataclasses import dataclass

from .engines import NEEDS_ON

_HERE = "empgan_bench.gpu_check"
MACHINE = "machine"


@dataclass(frozen=True)
class Section:
    """One section.

    Attributes:
        name: on the command line and in the report.
        proves: what it shows if it passes.
        target: "module:function", from a `Job` to `Finding`s.
        limit_s: after so many seconds it has failed.
        least_s: with less time than this it is not begun.
        needs: keys of `needs.NEEDS`.
        dry_needs: the same in a dry run; None: it cannot be rehearsed without a GPU.
        engine: which one it is about; if it fails, `memory` takes another one.
        after: a section without whose passing it is not begun.
    """

    name: str
    proves: str
    target: str
    limit_s: float
    least_s: float
    needs: tuple[str, ...] = ()
    dry_needs: tuple[str, ...] | None = ()
    engine: str = ""
    after: str = ""


def _of_engine(kind: str, proves: str, target: str, engine: str, limit_s: float) -> Section:
    """Return a section about one engine."""
    on = NEEDS_ON[engine]
    return Section(
        name=f"{kind}-{engine}",
        proves=proves,
        target=f"{_HERE}.{target}",
        limit_s=limit_s,
        least_s=15,
        needs=on["cuda"],
        dry_needs=on.get("cpu"),
        engine=engine,
        after="tensorrt" if engine == "tensorrt" else "",
    )


def _goldens(engine: str, limit_s: float) -> Section:
    return _of_engine(
        "goldens",
        f"{engine} computes what the bundles recorded, in every precision",
        "goldens:replayed",
        engine,
        limit_s,
    )


def _tokens(engine: str, limit_s: float) -> Section:
    return _of_engine(
        "tokens",
        f"{engine} writes what the CPU does, greedy and with 5 beams",
        "tokens:compared",
        engine,
        limit_s,
    )


SECTIONS: tuple[Section, ...] = (
    Section(MACHINE, "which machine this is", f"{_HERE}.machine:described", 120, 5),
    Section("doctor", "the installation is sound", f"{_HERE}.installation:examined", 180, 10),
    _goldens("onnxruntime", 180),
    Section(
        "tensorrt",
        "TensorRT's engines are built, loaded and executed here",
        f"{_HERE}.tensorrt_probe:probed",
        900,
        20,
        needs=NEEDS_ON["tensorrt"]["cuda"],
        dry_needs=None,
        engine="tensorrt",
    ),
    _goldens("tensorrt", 1800),  # it builds the engines of `default`
    _goldens("eager", 180),
    _tokens("onnxruntime", 300),
    _tokens("tensorrt", 900),
    _tokens("eager", 300),
    Section(
        "bench",
        "how fast every engine is; replies are compared first",
        f"{_HERE}.latency:benched",
        3600,
        60,
        needs=("gpu", "bench"),
        dry_needs=("bench",),
    ),
    Section(
        "memory",
        "memory stays flat over 10,000 requests of mixed lengths",
        f"{_HERE}.memory:soaked",
        1200,
        120,
        needs=("gpu",),
    ),
    Section(
        "tests",
        "`pytest -m gpu` passes",
        f"{_HERE}.gpu_tests:ran",
        900,
        30,
        needs=("gpu", "pytest"),
        dry_needs=None,
    ),
    Section(
        "training",
        "how fast the real model trains",
        f"{_HERE}.training:timed",
        300,
        45,
        needs=NEEDS_ON["eager"]["cuda"],
        dry_needs=NEEDS_ON["eager"]["cpu"],
    ),
)
