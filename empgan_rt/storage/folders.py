"""Folders read through descriptors, and folders replaced without a half-written moment.

What was checked of a file is what is read, whatever happens to its name meanwhile: it is opened
once, looked at and read by its descriptor. So files may be links, as hubs, build systems and
installers make them. Replacing is a rename after everything was flushed to the disk (see
`replacing`).
"""

from __future__ import annotations

import errno
import logging
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import BundleError, InputError, StorageError
from .replacing import put_in_place, remove, restored, sweep

_log = logging.getLogger(__name__)
_LINKED = (errno.ENOTDIR, errno.ELOOP)  # what systems say of a link where none may be
_READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # never waits on a FIFO
_FOLDER = _READ | os.O_DIRECTORY | os.O_NOFOLLOW
_CHUNK = 1 << 24
_TRIES = 20


@contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Yield a descriptor of the folder at `path`, which may itself be reached through a link.

    Raises:
        BundleError: there is no folder, or it may not be read.
    """
    try:
        root = _opened_folder(path)
    except NotADirectoryError:
        raise BundleError(
            f"{path} is not a folder", hint="a bundle is a folder; unpack archives first"
        ) from None
    except (OSError, ValueError) as error:
        raise BundleError(f"no folder {path}: {_reason(error)}") from None
    try:
        yield root
    finally:
        os.close(root)


def _opened_folder(path: Path) -> int:
    """Return a descriptor of a folder, also while others replace it again and again."""
    for _ in range(_TRIES):
        try:
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            if not restored(path):
                raise
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))  # a link that leads nowhere


def list_files(root: int, subfolders: tuple[str, ...]) -> list[str]:
    """Return the names in a folder and, as "folder/name", in those of `subfolders` that exist.

    Raises:
        BundleError: one cannot be listed, or a subfolder is a link.
    """
    folder = ""
    try:
        names = os.listdir(root)
        for folder in {*names} & {*subfolders}:
            inner = os.open(folder, _FOLDER, dir_fd=root)
            try:
                names += [f"{folder}/{name}" for name in os.listdir(inner)]  # noqa: PTH208 - pathlib takes none
            finally:
                os.close(inner)
            names.remove(folder)
    except OSError as error:
        if error.errno in _LINKED:
            raise BundleError(
                f"{folder} is a link, or no folder",
                hint="copy the bundle as plain files, such as with cp -RL",
            ) from None
        raise BundleError(f"{folder or 'a folder'} could not be listed: {_reason(error)}") from None
    return sorted(names)


def read_file(root: int, name: str, max_bytes: int, *, links: bool = True) -> bytes:
    """Return the bytes of a file named relative to `root`, at most one folder below it.

    A folder may not be a link.

    Args:
        root: descriptor from `open_folder`.
        name: "file" or "folder/file".
        max_bytes: a larger file is refused before it is read.
        links: whether the file may be a link, or have other names. What is read must be held to a
            digest then.

    Raises:
        BundleError: missing, not a regular file, a link where none may be, too large or unreadable.
    """
    folder, _, base = name.rpartition("/")
    parent = descriptor = -1
    try:
        parent = os.open(folder, _FOLDER, dir_fd=root) if folder else os.dup(root)
        descriptor = os.open(base, _READ | (0 if links else os.O_NOFOLLOW), dir_fd=parent)
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{name} is not a regular file")
        if found.st_nlink > 1 and not links:  # 0 if it was replaced since: still whole
            raise BundleError(f"{name} has {found.st_nlink} names", hint="copy it, do not link it")
        if found.st_size > max_bytes:
            raise BundleError(f"{name} holds {found.st_size} bytes, more than {max_bytes}")
        parts = []
        left = found.st_size + 1  # one more than there should be, so that growth shows
        while left and (part := os.read(descriptor, min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
        if not left:
            raise BundleError(f"{name} grew while it was read")
        return b"".join(parts)
    except OSError as error:
        raise BundleError(f"{name} could not be read: {_reason(error)}") from None
    finally:
        for opened in (parent, descriptor):
            if opened >= 0:
                os.close(opened)


def write_file(path: Path, data: bytes) -> None:
    """Write a file that does not exist yet.

    Raises:
        StorageError: it exists, or the disk refused.
    """
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        raise StorageError(f"{path.name} could not be written: {_reason(error)}") from None


def publish(staging: Path, out: Path, *, force: bool = False) -> None:
    """Rename the folder `staging` to `out`, all or nothing.

    Both must lie on one file system. With `force` an older bundle at `out` is replaced in one step,
    or put back if the rename fails, and removed at the end.

    Raises:
        InputError: `out` exists and `force` is not set, or it is no bundle.
        StorageError: the disk refused; what was at `out` is still there.
    """
    exists = restored(out)
    if exists and not force:
        raise InputError(f"{out} exists", hint="give --force to replace it")
    if exists and not (out / "manifest.json").is_file():
        raise InputError(f"{out} is not a bundle", hint="--force replaces bundles only")
    try:
        replace_folder(staging, out)
    except OSError as error:
        raise StorageError(
            f"{out} could not be published: {_reason(error)}",
            hint="nothing was changed; mend the disk and try again",
        ) from None


def replace_folder(staging: Path, out: Path) -> None:
    """Rename the folder `staging` to `out` once all of it is on the disk; an older one is removed.

    Raises:
        OSError: the disk refused; what was at `out` is still there.
    """
    _flush_tree(staging)
    old = put_in_place(staging, out)
    _flush(out.parent)
    if old is not None:
        remove(old)
        if os.path.lexists(old):
            _log.warning("the replaced folder %s could not be removed", old.name)
    sweep(out)


def _flush_tree(folder: Path) -> None:
    """Force every file and folder below `folder`, and itself, to the disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            _flush(Path(parent, name))
        _flush(Path(parent))


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _reason(error: Exception) -> str:
    """Return what the system said, without any path."""
    return error.strerror or type(error).__name__ if isinstance(error, OSError) else str(error)


def is_there(path: Path) -> bool:
    """Return whether something has a name; of a name that no file can have it is False too."""
    try:
        path.lstat()
    except (OSError, ValueError):
        return False
    return True
