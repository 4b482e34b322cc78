"""The child process of `quarantine.probe`: checks a bundle, loads it and replays it, or dies.

Its argument is a `Job` as JSON; it prints an `Answer`.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from ..backends.loader import load_backend
from ..bundle.bundle import Bundle
from ..bundle.manifest import MAX_BUNDLE_BYTES, WEIGHTS_NAME
from ..dialogue.turns import Dialogue
from ..errors import BundleError, EmpganError
from ..threads import set_num_threads
from .audit import graph_names
from .quarantine import Answer, Job
from .verify import GOING_ON, Verified, goes_on, verified

_TRIED = "I passed my exam! It ’ s great , isn't it?"  # quotes and spaces that are rewritten


def limit(job: Job) -> None:
    """Bound what this process may use: time, memory, size of files."""
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_CPU, job.seconds)
    _lower(resource.RLIMIT_FSIZE, MAX_BUNDLE_BYTES)
    if job.replay is None or job.replay.device == "cpu":
        # Drivers of GPUs reserve more than any limit that would help.
        _lower(resource.RLIMIT_DATA, job.memory_bytes)


def _lower(what: int, most: int) -> None:
    """Lower one limit; a system that does not know it does without."""
    _, hard = resource.getrlimit(what)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with suppress(OSError, ValueError):
        resource.setrlimit(what, (most, most))


def try_all(job: Job) -> Answer:
    """Check and load every variant of a bundle, read a text with it, and replay it if asked.

    Raises:
        EmpganError: the bundle cannot be used.
    """
    set_num_threads(1)
    bundle = Bundle.open(job.path)
    _check(bundle)
    bundle.featurizer().features(Dialogue.of([_TRIED]))
    found: Mapping[str, Verified] = {}
    if job.replay is None:
        for precision, variant in bundle.manifest.variants.items():
            load_backend(bundle, precision=precision).close()
            if goes_on(variant, "onnxruntime", "cpu"):
                load_backend(bundle, precision=precision, **GOING_ON).close()
    else:
        found = verified(bundle, job.replay.atol, job.replay.backend, job.replay.device)
    return Answer(bundle.bundle_id, "", verified=dict(found))


def _check(bundle: Bundle) -> None:
    """Run ONNX's own checker, which wants the graphs and their data as files."""
    import onnx

    with tempfile.TemporaryDirectory() as folder:
        Path(folder, WEIGHTS_NAME).write_bytes(bundle.weights)
        for name in graph_names(bundle):
            graph = Path(folder, name)
            graph.write_bytes(bundle.files[name])
            try:
                onnx.checker.check_model(str(graph), full_check=True)
            except Exception as error:  # checker and shape inference raise unrelated types
                reason = str(error).replace(folder, "").splitlines()
                raise BundleError(f"{name}: {' '.join(reason)[:300]}") from None


def main(argument: str) -> None:
    """Print what came of a job."""
    job = msgspec.json.decode(argument, type=Job)
    limit(job)
    try:
        answer = try_all(job)
    except EmpganError as error:
        answer = Answer("", error.message, error.code, error.hint)
    except MemoryError:
        answer = Answer("", f"it wants more memory than {job.memory_bytes >> 20} MiB")
    sys.stdout.buffer.write(msgspec.json.encode(answer) + b"\n")


if __name__ == "__main__":
    main(sys.argv[1])
