"""Live workers over one bundle, and the circumstances of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empgan_rt.bundle.bundle import Bundle

from ..engines.base import Rescore, eager_rescore
from ..engines.table import PEERS, REFERENCE
from ..workers.client import Worker
from . import fingerprint
from .fingerprint import EngineRecord, Fingerprint, OtherBuild, WorkloadRecord
from .workload import Workload, load_workload

Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Bench:
    """Live workers over one bundle.

    Attributes:
        source: folder or name of the bundle.
        bundle: the same, opened.
        workload: what the workers are asked.
        workers: in the order in which they were named.
        rescore: float64 scores for the gate; None without a reference.
        before: the machine before they were opened.
        other: another build, some of whose engines are among the workers.
    """

    source: str
    bundle: Bundle
    workload: Workload
    workers: Sequence[Worker]
    rescore: Rescore | None
    before: Fingerprint
    other: OtherBuild | None = None

    def circumstances(self) -> dict[str, Any]:
        """Return the fields of `Circumstances`, with load and memory as they are now."""
        contexts = self.workload
        return {
            "bundle": self.source,
            "workload": WorkloadRecord(contexts.source, contexts.sha256, len(contexts.contexts)),
            "engines": [engine_record(worker) for worker in self.workers],
            "fingerprint": self.before,
            "load_average_after": fingerprint.load_average(),
            "other_build": self.other,
        }


@contextmanager
def opened(
    bundle: str,
    engines: Mapping[str, str],
    workload: Path | None,
    num_threads: int,
    peers: Mapping[str, str] | None = None,
    device: str = "cpu",
    other: OtherBuild | None = None,
    servers: Sequence[Callable[[Callable[[str], list[int]]], Worker]] = (),
) -> Iterator[Bench]:
    """Yield a bench, whose workers end with the context.

    Args:
        bundle: folder or name of a bundle.
        engines: name -> opener, see `engines`.
        workload: a JSONL file, or None for our own dialogues.
        num_threads: threads of each engine.
        peers: name -> the interpreter that has it, see `peers.interpreter`.
        device: where the engines compute.
        other: another build, whose engines are opened beside.
        servers: each opens a remote server, given what turns the text of a reply into ids.

    Raises:
        EmpganError: the bundle, the workload or an engine failed.
    """
    found = Bundle.open(bundle)
    contexts = load_workload(workload, found.featurizer())
    before = fingerprint.take(found.bundle_id, num_threads, device)
    rescore = eager_rescore(found) if REFERENCE in engines else None
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(name, opener, bundle, num_threads))
            for name, opener in engines.items()
        ]
        workers += [
            stack.enter_context(Worker(name, PEERS[name], bundle, num_threads, python))
            for name, python in (peers or {}).items()
        ]
        if other is not None:
            workers += [
                stack.enter_context(
                    Worker(name, opener, bundle, num_threads, other.python, installed=True)
                )
                for name, opener in other.openers.items()
            ]
        tokenizer = contexts.featurizer.tokenizer
        workers += [
            stack.enter_context(open_server(lambda text: tokenizer.ids(tokenizer.words(text))))
            for open_server in servers
        ]
        yield Bench(bundle, found, contexts, workers, rescore, before, other)


def engine_record(worker: Worker) -> EngineRecord:
    """Return how a worker was opened, and the memory that it holds now."""
    return EngineRecord(
        name=worker.name,
        versions=worker.opened.versions,
        load_ms=worker.opened.load_ms,
        rss_mib=worker.rss_mib(),
        gc=worker.opened.gc,
        allocator=worker.opened.allocator,
    )
