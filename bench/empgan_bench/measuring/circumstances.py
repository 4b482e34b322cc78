"""Where and with what a report was made: what every one of them tells."""

from __future__ import annotations

import msgspec

from .fingerprint import Fingerprint

SCHEMA_VERSION = "1.1"


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


class Circumstances(msgspec.Struct, frozen=True, kw_only=True):
    """What every report tells of where and with what it was made."""

    schema_version: str = SCHEMA_VERSION
    bundle: str
    workload: WorkloadRecord
    engines: list[EngineRecord]
    fingerprint: Fingerprint
    load_average_after: float
