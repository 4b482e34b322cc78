"""Files of one folder that tell of one thing, replaced so that no two tell of different ones."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from ..errors import StorageError


def replace_together(folder: Path, files: Mapping[str, bytes]) -> list[Path]:
    """Write files that belong together and return their paths; the folder is made if need be.

    Whoever ends the process at whatever moment leaves files of one call only. All are written
    beside their names first. Then the older ones go, the first of them, which the others are made
    from, by being replaced, and after that the others get their names.

    Args:
        folder: what else is in it stays.
        files: name -> content.

    Raises:
        StorageError: the disk refused. The older files are untouched if it had no room; in any
            case, no two files are there that do not belong together.
    """
    staged = {folder / name: folder / f".{name}.part" for name in files}
    first, *others = staged
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for staging, data in zip(staged.values(), files.values(), strict=True):
            with staging.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        for path in others:
            path.unlink(missing_ok=True)
        for path, staging in staged.items():
            staging.replace(path)
    except OSError as error:
        for staging in staged.values():
            with suppress(OSError):
                staging.unlink(missing_ok=True)
        raise StorageError(f"{first} cannot be written: {error.strerror}") from error
    return [*staged]
