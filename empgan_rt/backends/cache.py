"""Engines on the disk: private, checked, replaced whole.

An engine is native code to whoever loads it, so it is made on the machine that runs it, lies in a
folder that nobody else can write to, and never travels in a bundle. A file is one line of JSON (the
SHA-256 of the rest, and the facts that it depends on) and the bytes. Files whose facts or bytes are
not as expected are as good as absent. Two processes that build the same engine each rename a whole
file into place; either is right.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import BundleError, StorageError
from ..storage.file_set import replace_file
from ..storage.folders import open_folder, read_file

_log = logging.getLogger(__name__)
_MAX_BYTES = 4 << 30
_FOLDERS = ("empgan-rt", "trt")

Facts = Mapping[str, Any]  # plain JSON values


def cache_home(environment: Mapping[str, str]) -> Path:
    """Return where a user's caches are: XDG_CACHE_HOME if that is absolute, else ~/.cache."""
    named = environment.get("XDG_CACHE_HOME", "")
    return Path(named) if Path(named).is_absolute() else Path.home() / ".cache"


class EngineCache:
    """Files by the facts that they depend on.

    Args:
        home: the folder of all caches; `empgan-rt/trt` below it is ours.

    Raises:
        StorageError: a folder of ours cannot be made, is a link or no folder, belongs to another
            user, or may be written to by others.
    """

    def __init__(self, home: Path) -> None:
        self.folder = home.joinpath(*_FOLDERS)
        self._check_private(make=True)

    def load(self, facts: Facts) -> bytes | None:
        """Return the bytes stored for these facts; None if there are none, or not sound ones.

        Raises:
            StorageError: the folder is no longer private.
        """
        path = self.path(facts)
        if not os.path.lexists(path):
            return None
        self._check_private()
        try:
            with open_folder(self.folder) as root:
                found = _unsealed(read_file(root, path.name, _MAX_BYTES, links=False), facts)
        except BundleError as error:
            _log.warning("%s is not used: %s", path.name, error.message)
            return None
        if found is None:
            _log.warning("%s was altered or is damaged; it is not used", path.name)
        return found

    def store(self, facts: Facts, content: bytes) -> None:
        """Keep bytes for these facts, in place of any that were there.

        Raises:
            StorageError: the disk refused, or the folder is no longer private.
        """
        self._check_private(make=True)
        replace_file(self.path(facts), _sealed(content, facts))

    def path(self, facts: Facts) -> Path:
        """Return the file for these facts, which tells "kind" in its name."""
        digest = hashlib.sha256(_line(facts)).hexdigest()[:32]
        return self.folder / f"{facts['kind']}-{digest}.plan"

    def _check_private(self, *, make: bool = False) -> None:
        """Raise StorageError unless our folders are ours alone to write to; make them if asked."""
        for folder in (self.folder.parent, self.folder):
            try:
                if make:
                    folder.parent.mkdir(parents=True, exist_ok=True)
                    folder.mkdir(mode=0o700, exist_ok=True)
                fault = _fault(folder.lstat())
            except OSError as error:
                raise StorageError(
                    f"{folder} cannot be used: {error.strerror}",
                    hint="set XDG_CACHE_HOME to a folder of yours",
                ) from None
            if fault:
                raise StorageError(
                    f"{folder} {fault}, and engines are code",
                    hint=f"remove it or `chmod 700 {folder}`; its engines are built again",
                )


def _fault(found: os.stat_result) -> str:
    """Return why a folder is not ours alone to write to, "" if it is."""
    if not stat.S_ISDIR(found.st_mode):
        return "is a link or no folder"
    if found.st_uid != os.geteuid():
        return f"belongs to user {found.st_uid}"
    if found.st_mode & 0o022:
        return f"may be written to by others (mode {stat.S_IMODE(found.st_mode):o})"
    return ""


def _line(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _sealed(content: bytes, facts: Facts) -> bytes:
    digest = hashlib.sha256(content).hexdigest()
    return _line({"sha256": digest, "facts": facts}) + b"\n" + content


def _unsealed(data: bytes, facts: Facts) -> bytes | None:
    """Return what was sealed with these very facts; None if it is anything else, or altered."""
    header, _, content = data.partition(b"\n")
    digest = hashlib.sha256(content).hexdigest()
    return content if header == _line({"sha256": digest, "facts": facts}) else None
