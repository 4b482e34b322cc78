"""Several processes that listen on one port, each with its own models: kept up, and ended together.

Each process listens on a socket of its own (SO_REUSEPORT), so the system spreads connections over
those that listen, and one that is loading its models, or is gone, gets none. The supervisor loads
no model and answers nobody.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

import msgspec
from prometheus_client.multiprocess import mark_process_dead

from .. import errors
from ..errors import EmpganError
from .worker import Ended, Job

MOST_FAILURES = 5  # starts of one process in a row that may fail, once all have been ready
PAUSE_S = 0.1  # before a process that ended is replaced; doubled with each start that fails
METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # of the environment, as prometheus-client reads it

_KINDS: Mapping[str, type[EmpganError]] = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, EmpganError)
}
_log = logging.getLogger(__name__)


class Started(msgspec.Struct, frozen=True):
    """The one line that a worker prints: it is ready, if there is no error."""

    code: str = ""
    message: str = ""
    hint: str = ""


class Supervisor:
    """Starts workers, replaces those that end by themselves, and ends all of them.

    Args:
        command: of a worker: reads a `Job` from stdin, prints a `Started`, and ends as on SIGTERM
            when its stdin does.
        job: what each of them gets.
        metrics_folder: where they count.
        on_ready: called once, when all of them answer.
    """

    def __init__(
        self,
        command: Sequence[str],
        job: Job,
        metrics_folder: str,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._command, self._job, self._metrics_folder = command, job, metrics_folder
        self._on_ready = on_ready
        self._workers: dict[int, Process] = {}  # by place
        self._ready: set[int] = set()  # places whose worker has been ready once
        self._signal: signal.Signals | None = None
        self._was_broken_off = False
        self._ending = asyncio.Event()

    async def run(self) -> Ended:
        """Return when all workers have ended after a signal.

        Raises:
            EmpganError: what a worker could not start with.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._end, number)
        count = self._job.serving.workers
        keepers = [asyncio.create_task(self._keep(place, count)) for place in range(count)]
        try:
            await asyncio.gather(*keepers)
        finally:
            for keeper in keepers:
                keeper.cancel()
            await self._kill()
        return Ended(int(self._signal or signal.SIGTERM), self._was_broken_off)

    async def _keep(self, place: int, count: int) -> None:
        """Have a worker at a place until the end.

        Raises:
            EmpganError: it cannot be started, or not any more.
        """
        failures = 0
        while not self._ending.is_set():
            worker = await self._start(place)
            started = await _started(worker)
            if started is not None and not started.code:
                failures = 0
                self._ready.add(place)
                if len(self._ready) == count:
                    self._on_ready()
                    self._on_ready = lambda: None
            code = await worker.wait()
            mark_process_dead(worker.pid, self._metrics_folder)  # type: ignore[no-untyped-call]
            if self._ending.is_set():
                return
            failures += 1
            if place not in self._ready or failures > MOST_FAILURES:
                raise _error(started, code)
            _log.warning(
                "worker %d ended by itself (%s); another is started", worker.pid, _how(code)
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), PAUSE_S * 2**failures)

    async def _start(self, place: int) -> Process:
        """Return a process that has got its job."""
        worker = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            env={
                **os.environ,
                METRICS_FOLDER: self._metrics_folder,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            },
            process_group=0,  # Ctrl-C is passed on, once
        )
        self._workers[place] = worker
        if self._ending.is_set():
            worker.kill()  # it came too late to be told
        pipe = cast(asyncio.StreamWriter, worker.stdin)  # open until this process ends
        pipe.write(msgspec.json.encode(self._job) + b"\n")
        return worker

    def _end(self, told: signal.Signals) -> None:
        """Pass the first signal on; end everything at the second."""
        number = told
        if self._signal is not None:
            self._was_broken_off, number = True, signal.SIGKILL
        self._signal = self._signal or told
        self._ending.set()
        for worker in self._workers.values():
            with suppress(ProcessLookupError):
                worker.send_signal(number)

    async def _kill(self) -> None:
        """Return when no worker is left, whatever it was at."""
        for worker in self._workers.values():
            if worker.returncode is None:
                with suppress(ProcessLookupError):
                    worker.kill()
                await worker.wait()


async def _started(worker: Process) -> Started | None:
    """Return what a worker says of its start; None if it ends without a word."""
    pipe = cast(asyncio.StreamReader, worker.stdout)
    try:
        return msgspec.json.decode(await pipe.readline(), type=Started)
    except (msgspec.DecodeError, ValueError):
        return None


def _error(started: Started | None, code: int) -> EmpganError:
    """Return why a worker did not start, as it told it."""
    if started is None or not started.code:
        return EmpganError(f"workers do not stay: the last one ended by {_how(code)}")
    return _KINDS.get(started.code, EmpganError)(started.message, hint=started.hint)


def _how(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
