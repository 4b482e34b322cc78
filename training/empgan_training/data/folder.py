"""A folder that appears whole or not at all, and is on the disk before it has its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from empgan_rt.errors import StorageError
from empgan_rt.storage.folders import replace_folder
from empgan_rt.storage.replacing import staging_folder


def write_folder(out: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a new folder and rename it to `out`, replacing an older one.

    Raises:
        StorageError: the disk refused; what was at `out` is still there.
    """
    try:
        with staging_folder(out) as staging:
            for name, data in files.items():
                (staging / name).write_bytes(data)
            replace_folder(staging, out)
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error.strerror}") from error
