"""Locks that a process holds on what it writes, so that a second one is refused and not waited for.

They are flock's: they end with the process, however it ends, and nothing has to be cleaned up. A
file system without locks is worked on without them.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from ..errors import InputError

_TAKEN = frozenset({errno.EWOULDBLOCK, errno.EACCES})


def take_lock(descriptor: int) -> bool:
    """Lock an open file or folder until it is closed; return False if another holds its lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _TAKEN
    return True


@contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder while the block runs.

    Raises:
        InputError: another process holds it.
        OSError: there is no such folder.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        if not take_lock(descriptor):
            raise InputError(
                f"another run is at work in {folder}",
                hint="wait until it has ended, or choose another folder",
            )
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading and writing, made if it is not there, and hold its lock.

    Raises:
        InputError: another process holds it.
        OSError: it cannot be opened.
    """
    while True:
        with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b") as file:
            if not take_lock(file.fileno()):
                raise InputError(
                    f"another run is writing {path}",
                    hint="wait until it has ended, or give another name",
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(path.stat(), os.fstat(file.fileno())):
                    yield file
                    return
        # Whoever held the lock has given the file its last name, or removed it: it is made anew.
