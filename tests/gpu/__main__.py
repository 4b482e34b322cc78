"""`python -m empgan_bench.gpu_check`: says what is missing before anything is imported that is."""

from __future__ import annotations

import signal
import sys
from importlib.util import find_spec

_BASE = ("numpy", "click", "rich", "tokenizers", "msgspec", "psutil")
_MISSING = 3  # of `empgan_rt.errors.DependencyError`, which cannot be imported without these
_TERMINATED = 143


def main() -> int:
    """Run the command and return its exit code."""
    lacking = [name for name in _BASE if find_spec(name) is None]
    if lacking:
        print(
            f"error: {', '.join(lacking)} not installed (pip install {' '.join(lacking)})",
            file=sys.stderr,
        )
        return _MISSING
    from .command import main as run

    signal.signal(signal.SIGTERM, _terminated)
    return run()


def _terminated(number: int, frame: object) -> None:
    """End as if interrupted, so that the section's process is ended too."""
    sys.exit(_TERMINATED)


if __name__ == "__main__":
    sys.exit(main())
