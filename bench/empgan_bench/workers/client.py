"""The parent's end of a worker: start it, ask it, watch its CPU, end it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import msgspec
import psutil

from empgan_rt import errors
from empgan_rt.config import SearchConfig
from empgan_rt.errors import EmpganError
from empgan_rt.graph_spec import EncoderInput

from . import messages
from .requests import Arrival

_EXIT_S = 3.0
_MAIN = "from empgan_bench.workers.worker import main; main()"
ERRORS: Mapping[str, type[EmpganError]] = {
    error.code: error
    for error in vars(errors).values()
    if isinstance(error, type) and issubclass(error, EmpganError)
}
"""Code -> class."""

Wanted = TypeVar("Wanted", bound=messages.Answer)


def import_path() -> str:
    """Return PYTHONPATH for a fresh interpreter that finds what this one does."""
    return os.pathsep.join(entry for entry in sys.path if entry)


def environment(path: str | None) -> dict[str, str]:
    """Return this process's environment with another PYTHONPATH; None for none at all."""
    ours = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return ours if path is None else {**ours, "PYTHONPATH": path}


class Worker:
    """A live process with one engine; a context manager.

    Args:
        name: of the engine, for messages and reports.
        opener: "module:function", see `engines`.
        bundle: folder or name of the bundle.
        threads: how many threads the engine computes with.
        python: the interpreter; None for the parent's, with the parent's import path. Another one
            has packages of its own, and finds of ours the runtime and the bench alone.
        installed: that interpreter takes the build of ours which is installed there instead.
        started: is given the number of the process when it has imported what it needs to work, and
            has opened nothing yet.

    Raises:
        EmpganError: what the engine raised when it was opened, of the same class; or the process
            ended.
    """

    def __init__(
        self,
        name: str,
        opener: str,
        bundle: str,
        threads: int,
        python: str | None = None,
        *,
        installed: bool = False,
        started: Callable[[int], None] | None = None,
    ) -> None:
        self.name = name
        self._ours = tempfile.TemporaryDirectory()
        path: str | None = None
        if python is None:
            path = import_path()
        elif not installed:
            path = self._ours.name
            for package in (Path(__file__).parents[1], Path(errors.__file__).parent):
                Path(path, package.name).symlink_to(package)
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed in close()
        self._process = subprocess.Popen(
            [python or sys.executable, "-P", "-c", _MAIN],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=environment(path),
            start_new_session=True,  # Ctrl-C reaches the parent, which ends its workers
        )
        try:
            self._usage = psutil.Process(self._process.pid)
            if started is not None:
                self.load([])  # it answers when its imports are done
                started(self.pid)
            self.opened: messages.Opened = self._ask(
                messages.Open(opener, bundle, threads), messages.Opened
            )
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def load(self, batches: list[EncoderInput]) -> None:
        """Send the batches that `run` will name by their places."""
        self._ask(messages.Load([messages.Batch.of(inputs) for inputs in batches]), messages.Done)

    def run(self, items: list[int], search: SearchConfig) -> list[messages.Sample]:
        """Return one sample for each named batch, decoded one after the other."""
        return self._ask(messages.Run(items, search), messages.Ran).samples

    def host(self, dialogues: list[list[str]], max_batch: int, max_queue: int) -> None:
        """Let the engine stand behind an `AsyncResponder`, ready for `serve`."""
        self._ask(messages.Host(dialogues, max_batch, max_queue), messages.Done)

    def serve(
        self, arrivals: list[Arrival], search: SearchConfig, deadline_s: float | None
    ) -> messages.Served:
        """Return what became of requests for hosted dialogues, sent when they are due."""
        return self._ask(messages.Serve(arrivals, search, deadline_s), messages.Served)

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def cpu_s(self) -> float:
        """Return the CPU seconds that the process has used, all threads together."""
        times = self._usage.cpu_times()
        return float(times.user + times.system)

    def rss_mib(self) -> float:
        """Return the memory that the process holds."""
        return float(self._usage.memory_info().rss) / 2**20

    def close(self) -> None:
        """End the process; one that is still busy after a moment is killed."""
        process = self._process
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:  # it ended before it read everything
                    continue
        try:
            process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._stderr.close()
        self._ours.cleanup()

    def _ask(self, request: messages.Request, wanted: type[Wanted]) -> Wanted:
        """Return the answer, which must be of the wanted class; raise what the worker raised."""
        pipes = self._process
        if pipes.stdin is None or pipes.stdout is None:
            raise EmpganError(f"the {self.name} worker has no pipes")
        try:
            messages.send(pipes.stdin, request)
            line = pipes.stdout.readline()
        except BrokenPipeError:
            line = b""
        if not line.endswith(b"\n"):
            raise self._death()
        try:
            answer = messages.decode_answer(line)
        except msgspec.DecodeError as error:
            raise EmpganError(f"the {self.name} worker answered with nonsense: {error}") from None
        if isinstance(answer, messages.Failed):
            error_class = ERRORS.get(answer.code, EmpganError)
            raise error_class(f"{self.name}: {answer.message}", hint=answer.hint)
        if not isinstance(answer, wanted):
            raise EmpganError(f"the {self.name} worker answered {type(answer).__name__}")
        return answer

    def _death(self) -> EmpganError:
        """Return the error for a process that ended without an answer."""
        try:
            status = self._process.wait(_EXIT_S)
        except subprocess.TimeoutExpired:
            status = None
        self._stderr.seek(0)
        lines = self._stderr.read().decode("utf-8", "replace").strip().splitlines()
        said = f"; it last said: {lines[-1][:300]}" if lines else ""
        return EmpganError(
            f"the {self.name} worker ended with status {status}{said}",
            hint="-9 is mostly a lack of memory: use smaller batches" if status == -9 else "",
        )
