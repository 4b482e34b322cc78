"""Files written whole: one, or several that belong together, so that no two are of different calls.

Names, locks and what becomes of leftovers are those of `replacing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from ..errors import StorageError
from .replacing import flush_to_disk, staging_file


def replace_file(path: Path, data: bytes) -> None:
    """Write a file and give it its name in one step; its folder is made if it is not there.

    Raises:
        StorageError: it cannot be written; one that was there is untouched.
    """
    replace_together(path.parent, {path.name: data})


def check_writable(path: Path) -> None:
    """Raise StorageError now if `replace_file` could not write a file; nothing is left of the try.

    Its folder must be there.
    """
    try:
        with staging_file(path):
            pass
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}") from error


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
    paths = [folder / name for name in files]
    first, *others = paths
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            staged = [stack.enter_context(staging_file(path)) for path in paths]
            for file, data in zip(staged, files.values(), strict=True):
                file.write(data)
                flush_to_disk(file)
            for path in others:
                path.unlink(missing_ok=True)
            for path, file in zip(paths, staged, strict=True):
                Path(file.name).replace(path)
    except OSError as error:
        raise StorageError(f"{first} cannot be written: {error.strerror}") from error
    return paths
