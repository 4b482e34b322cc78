"""The folder of one run: where its checkpoints lie, and that no other run works in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from empgan_rt.errors import InputError
from empgan_rt.storage.locks import only_writer


class RunFolder:
    """A folder that holds a run already, or that one is to be begun in.

    Args:
        path: of the folder.
        resume: whether a run should be there.
        leads: whether this process is the one that writes; others take no lock.

    Attributes:
        last: the checkpoint that resuming needs.
        best: the weights of the last stage that were best on validation.

    Raises:
        InputError: a run is there and `resume` is not set, or the other way round.
    """

    def __init__(self, path: Path, *, resume: bool, leads: bool) -> None:
        self.path = path
        self.last, self.best = path / "last.safetensors", path / "best.safetensors"
        self._leads = leads
        try:
            there = self.last.is_file() if resume else self.last.exists()
        except OSError as error:
            raise InputError(f"{path} cannot be a folder: {error.strerror}") from error
        if resume and not there:
            raise InputError(f"no run to resume in {path}", hint="start without --resume")
        if there and not resume:
            raise InputError(
                f"{path} holds a run", hint="pass --resume, or --set out=another/folder"
            )
        self._seen = self._stamp()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep other runs out of the folder while the block runs.

        Raises:
            InputError: another run is at work in it.
        """
        if not self._leads:
            yield
            return
        with only_writer(self.path):
            yield

    def remember(self) -> None:
        """Take what is saved now for what this run knows of."""
        self._seen = self._stamp()

    def check_unchanged(self) -> None:
        """Raise InputError if another run has saved since `remember`."""
        if self._leads and self._stamp() != self._seen:
            raise InputError(
                f"another run was at work in {self.path} meanwhile",
                hint="start again, with --resume",
            )

    def _stamp(self) -> tuple[int, int] | None:
        """Return what changes when somebody saves; None of a run that nobody has saved yet."""
        try:
            found = self.last.stat()
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns
