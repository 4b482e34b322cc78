"""Names that hold the old or the new at every moment, whenever the process is killed.

A file is renamed over the old one. Linux swaps two folders in one step too. Where the file system
cannot, the old folder is moved aside first, and `restored` gives it its name back if the process
was killed between the two renames. What killed processes leave beside a name is removed when that
name is replaced next:

    .NAME.0123abcd.part     a file while it is written
    .NAME.0123abcd.new      a folder while it is filled
    .NAME.0123abcd.old      the old folder between the two renames
    .NAME.0123abcd.gone     the old folder while it is removed

Whoever writes one of these holds a lock on it (flock), which ends with the process. So what a
living one writes is left alone. The two renames are done, and undone, under a lock on the folder
around them.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from .locks import take_lock

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE
# What kernels, file systems and sandboxes say that do not know it.
_CANNOT = frozenset({errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM})
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_LONGEST = 50  # characters of a name that are repeated in another, of at most 255 bytes


def exchange(one: Path, other: Path) -> bool:
    """Swap what two names hold in one step; return False where that cannot be done.

    Raises:
        OSError: it can be done, but not here and now.
    """
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code))


def put_in_place(staging: Path, out: Path) -> Path | None:
    """Rename a folder to `out`; return where the one that was there lies now, if there was one.

    Raises:
        OSError: it cannot be renamed; `out` holds what it held.
    """
    if not os.path.lexists(out):
        staging.rename(out)
        return None
    if exchange(staging, out):
        return staging
    with _locked(out.parent):
        aside = _beside(out, "old")
        out.rename(aside)
        try:
            staging.rename(out)
        except OSError:
            aside.rename(out)
            raise
        gone = aside.with_suffix(".gone")
        aside.rename(gone)
        return gone


def restored(out: Path) -> bool:
    """Return whether there is anything at `out`, after giving it back a folder that was aside.

    A folder that cannot be given back stays where it is.
    """
    if os.path.lexists(out):
        return True
    with suppress(OSError):
        if _leftovers(out, "old", "new"):  # a listing may miss what is renamed meanwhile, not both
            with _locked(out.parent):  # nobody who lives is between the two renames now
                for aside in _leftovers(out, "old"):
                    if not os.path.lexists(out):
                        aside.rename(out)
                return os.path.lexists(out)
    return os.path.lexists(out)


@contextmanager
def staging_folder(out: Path) -> Iterator[Path]:
    """Yield a new folder beside `out`, removed at the end unless it was put into its place.

    Raises:
        OSError: it cannot be made.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _check_name(out)
    sweep(out)
    while True:
        staging = _beside(out, "new")
        staging.mkdir()
        descriptor = os.open(staging, _READ | os.O_DIRECTORY)
        if _lock(descriptor):
            break
        os.close(descriptor)
    try:
        staging.chmod(0o755)
        yield staging
    finally:
        remove(staging)
        os.close(descriptor)


@contextmanager
def staging_file(out: Path) -> Iterator[BinaryIO]:
    """Yield a new open file beside `out`, removed at the end unless it was renamed.

    Its mode is the one that the umask gives any file.

    Raises:
        OSError: it cannot be made.
    """
    _check_name(out)
    sweep(out)
    while True:
        part = _beside(out, "part")
        file = part.open("xb")
        if _lock(file.fileno()):
            break
        file.close()
    try:
        with file:
            yield file
    finally:
        remove(part)


def flush_to_disk(file: BinaryIO) -> None:
    """Return once all that was written to a file is on the disk.

    Raises:
        OSError: the disk refused.
    """
    file.flush()
    os.fsync(file.fileno())


def others_write(out: Path, mine: Path | None = None) -> bool:
    """Return whether another process is filling a folder that will get the name `out`.

    Args:
        mine: a staging folder of the caller's own, which does not count.
    """
    with suppress(OSError):
        for path in _leftovers(out, "new"):
            if path == mine:
                continue
            with suppress(OSError):  # it may go meanwhile
                descriptor = os.open(path, _READ | os.O_DIRECTORY)
                try:
                    if not take_lock(descriptor):
                        return True
                finally:
                    os.close(descriptor)
    return False


def sweep(out: Path) -> None:
    """Remove what killed processes left beside `out`; what cannot be removed stays."""
    with suppress(OSError):
        for path in _leftovers(out, "part", "new", "gone"):
            with suppress(OSError):
                _remove_unless_locked(path)
        if _leftovers(out, "old"):
            with _locked(out.parent):
                for path in _leftovers(out, "old"):
                    if os.path.lexists(out):
                        remove(path)


def _remove_unless_locked(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
        return
    descriptor = os.open(path, _READ)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file, a link or a folder with all that is in it; what cannot be removed stays."""
    with suppress(OSError):
        if stat.S_ISDIR(path.lstat().st_mode):
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def _check_name(out: Path) -> None:
    """Raise now the OSError of a name that the system could never give, such as one too long."""
    with suppress(FileNotFoundError):
        out.lstat()


def _beside(out: Path, kind: str) -> Path:
    return out.with_name(f"{_prefix(out, kind)}{secrets.token_hex(4)}.{kind}")


def _prefix(out: Path, kind: str) -> str:
    """Return how names beside `out` begin; that of an old folder tells its name in full."""
    return f".{out.name if kind == 'old' else out.name[:_LONGEST]}."


def _leftovers(out: Path, *kinds: str) -> list[Path]:
    """Return what lies beside `out` under names of these kinds."""
    patterns = [rf"{re.escape(_prefix(out, kind))}[0-9a-f]{{8}}\.{kind}" for kind in kinds]
    wanted = re.compile("|".join(patterns))
    return sorted(path for path in out.parent.iterdir() if wanted.fullmatch(path.name))


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock on a folder; one that a file system does not give is done without."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> bool:
    """Lock what was just made; return False if somebody has taken it for a leftover since."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return os.fstat(descriptor).st_nlink > 0
