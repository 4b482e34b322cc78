"""A folder that appears whole or not at all, and is on the disk before it has its name."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from empgan_rt.errors import StorageError


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder and rename it to `out`, replacing an older one.

    Raises:
        StorageError: the disk refused; what was at `out` is still there.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            for name, data in files.items():
                (staging / name).write_bytes(data)
                _flush(staging / name)
            staging.chmod(0o755)
            _flush(staging)
            _put_in_place(staging, out)
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        _flush(out.parent)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}") from error


def _put_in_place(staging: Path, out: Path) -> None:
    """Rename the new folder to `out`; an older one goes only once the new one stands."""
    if not out.exists():
        staging.replace(out)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{out.name}-old-", dir=out.parent))
    out.replace(old)
    try:
        staging.replace(out)
    except BaseException:
        old.replace(out)
        raise
    shutil.rmtree(old)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
