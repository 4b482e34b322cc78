"""The program of one of several processes of `empgan-rt serve`; the supervisor starts it.

It reads a `Job` from stdin, which stays open as long as the supervisor lives, and prints one
`Started`.
"""

from __future__ import annotations

import logging
import os
import sys

import msgspec

from ..backends.onnxruntime.telemetry import silence_onnxruntime
from ..errors import EmpganError
from . import console


def main() -> int:
    """Serve until the end, and return the exit code."""
    silence_onnxruntime()
    logging.basicConfig(handlers=[console.LogLines()], format="%(name)s: %(message)s")
    # The metrics of several processes are chosen when prometheus-client is imported.
    from ..server.binding import bound
    from ..server.supervisor import METRICS_FOLDER, Started
    from ..server.worker import Job, serve

    job = msgspec.json.decode(sys.stdin.buffer.readline(), type=Job)
    logging.getLogger("empgan_rt").setLevel(job.log_level)
    try:
        with bound(job.serving.host, job.serving.port, shared=True) as listening:
            ended = serve(
                job.serving,
                job.settings,
                listening,
                on_ready=lambda: _tell(Started()),
                metrics_folder=os.environ[METRICS_FOLDER],
                parent=sys.stdin.fileno(),
            )
    except EmpganError as error:
        _tell(Started(error.code, error.message, error.hint))
        return error.exit_code
    return 130 if ended.was_broken_off else 0


def _tell(started: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(started) + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
