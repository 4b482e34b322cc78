"""The file of a `SqliteStore`: opened by one process, made if need be, refused if it is another's.

One connection holds SQLite's exclusive lock while it is open, so the index of the write-ahead log
is in its memory and no second process can read or write. The lock ends with the process. It would
also end if the process itself opened and closed the file by other means than SQLite.

A commit is handed to the system and not forced to the disk (synchronous=NORMAL). What was committed
outlives the process, however it is killed. A machine that loses power may lose the newest commits,
none of them by half.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import DependencyError, EmpganError, InputError, StorageError

VERSION = 1  # of the table
_APPLICATION = 0x456D7047  # "EmpG": the mark by which SQLite's files tell whose they are
_OLDEST_SQLITE = (3, 37)  # the first with STRICT tables
_TABLE = """CREATE TABLE sessions (
    key TEXT PRIMARY KEY NOT NULL,
    bundle_id TEXT NOT NULL,
    turns TEXT NOT NULL,
    turns_dropped INTEGER NOT NULL,
    used_at REAL NOT NULL
) STRICT"""
_INDEX = "CREATE INDEX sessions_by_use ON sessions (used_at)"
_SETTINGS = (
    "PRAGMA trusted_schema = OFF",
    "PRAGMA cell_size_check = ON",
    "PRAGMA locking_mode = EXCLUSIVE",
    "PRAGMA secure_delete = ON",  # what is deleted is overwritten with zeros
    "PRAGMA synchronous = NORMAL",
    "PRAGMA journal_size_limit = 0",  # a log that was copied into the file is cut off
)


def open_database(path: Path, *, create: bool) -> sqlite3.Connection:
    """Return a connection to a file of sessions, for one thread at a time; each statement commits.

    Raises:
        InputError: another process has the file open, it is no file of sessions or of a newer
            version, or it is not there and is not to be made.
        DependencyError: SQLite is too old.
        StorageError: the file cannot be opened or written, or is damaged.
    """
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise DependencyError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and sessions need 3.37 or newer",
            hint="use a newer Python",
        )
    _make_file(path, create)
    with told(path):
        connection = sqlite3.connect(
            path, timeout=0.0, isolation_level=None, check_same_thread=False
        )
        try:
            for setting in _SETTINGS:
                connection.execute(setting)
            _check_owner(connection, path)
            connection.execute("PRAGMA journal_mode = WAL")
            if not _schema(connection):
                _make_table(connection)
            empty_log(connection)  # what a killed process left in it
        except BaseException:
            connection.close()
            raise
    return connection


def empty_log(connection: sqlite3.Connection) -> None:
    """Copy the write-ahead log into the file and cut it off: what was deleted is in neither."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Raise what SQLite meets in the block as an error of ours, without a word of a dialogue."""
    try:
        yield
    except UnicodeDecodeError:  # of a message of SQLite's that repeats what it found
        raise damaged(path) from None
    except sqlite3.Error as error:
        raise _told(path, error) from None


def _told(path: Path, error: sqlite3.Error) -> EmpganError:
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF  # none: no UTF-8
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return InputError(
            f"{path} is open already, here or in another process",
            hint="one process has it at a time: end that one, or give another file",
        )
    if code == sqlite3.SQLITE_NOTADB:
        return _foreign(path)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR):
        return damaged(path)
    name = getattr(error, "sqlite_errorname", "")
    return StorageError(
        f"{path} cannot be read or written ({name})",
        hint="see that its disk has room and its folder may be written, then try again",
    )


def damaged(path: Path) -> StorageError:
    """Return the error of a file whose content is not what was written."""
    return StorageError(
        f"{path} is damaged", hint="put a copy of it back, or move it away to begin with none"
    )


def _foreign(path: Path) -> InputError:
    return InputError(
        f"{path} is no file of sessions", hint="give the path of one, or of none that is there yet"
    )


def _make_file(path: Path, create: bool) -> None:
    """Make a file that its owner alone may read, unless one is there.

    Raises:
        InputError: there is a folder or a device, or nothing where nothing is to be made.
        StorageError: it cannot be made.
    """
    try:
        if create:
            with suppress(FileExistsError):
                os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        is_file = stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        if not create:
            raise InputError(
                f"no file {path}", hint="give the path of a file of sessions"
            ) from None
        raise StorageError(f"{path} cannot be made", hint="make its folder first") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise StorageError(f"{path} cannot be opened: {reason}") from None
    if not is_file:
        raise _foreign(path)


def _schema(connection: sqlite3.Connection) -> set[str]:
    """Return the statements that made what is in a database."""
    return {
        sql for (sql,) in connection.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")
    }


def _check_owner(connection: sqlite3.Connection, path: Path) -> None:
    """Raise InputError unless a database is empty or of sessions; it is not written."""
    (mark,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    schema = _schema(connection)
    if mark == _APPLICATION and version > VERSION:
        raise InputError(
            f"{path} is a file of sessions of version {version}, and this release reads {VERSION}",
            hint="upgrade empgan-rt",
        )
    expected = (_APPLICATION, VERSION, {_TABLE, _INDEX})
    if (mark, version, schema) not in ((0, 0, set()), expected):
        raise _foreign(path)


def _make_table(connection: sqlite3.Connection) -> None:
    """Make the table and its marks in one step."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in (
        _TABLE,
        _INDEX,
        f"PRAGMA application_id = {_APPLICATION}",
        f"PRAGMA user_version = {VERSION}",
    ):
        connection.execute(statement)
    connection.execute("COMMIT")
