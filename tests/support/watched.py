"""A process that is watched: what it writes around its home, and whom it calls."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil

FOLDERS = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "TMPDIR")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


class Watched:
    """A fresh interpreter in an environment that holds nothing of ours but the import path.

    Its home, XDG, temporary and working folders lie below `folder`. A listener of ours is its
    proxy, so that nothing leaves the machine.

    Args:
        folder: is made.
        arguments: of the interpreter.
        variables: of the environment, besides.
    """

    def __init__(self, folder: Path, *arguments: object, **variables: str) -> None:
        self.calls: list[str] = []
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._listen, daemon=True).start()
        proxy = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        for name in (*FOLDERS, "work"):
            (folder / name).mkdir(parents=True)
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
        environment |= {name: str(folder / name) for name in FOLDERS}
        environment |= {spelt: proxy for name in PROXIES for spelt in (name, name.upper())}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-B", *map(str, arguments)],
            env=environment | variables,
            cwd=folder / "work",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def look(self) -> None:
        """Note every internet socket that the process and those below it have open now."""
        try:
            family = psutil.Process(self._process.pid)
            for each in (family, *family.children(recursive=True)):
                self.calls += [str(c) for c in each.net_connections("inet")]
        except psutil.NoSuchProcess:
            pass  # it has just ended

    def say(self, text: str) -> None:
        """Write to its standard input, which stays open."""
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def end(self) -> str:
        """Close its standard input and wait; return what it printed. It must have gone well."""
        out, _ = self._process.communicate(timeout=300)
        self._listener.close()
        assert self._process.returncode == 0, out
        return out

    def written(self, allowed: Callable[[Path], bool] = lambda path: False) -> list[str]:
        """Return the files and folders that it left, but for those that are allowed."""
        made = (path for path in self._folder.rglob("*") if path.parent != self._folder)
        return [str(p.relative_to(self._folder)) for p in sorted(made) if not allowed(p)]

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            with connection:
                connection.settimeout(5)
                self.calls.append(connection.recv(200).decode("latin-1"))
