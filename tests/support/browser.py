"""A real Chromium without a window, what a static host serves to it, and packages of npm."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
AXE = "axe-core@4.14.1"
PATIENCE_MS = 180_000
_ALONE = (  # the browser itself asks nobody
    *("--no-sandbox", "--disable-background-networking", "--disable-component-update"),
    *("--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-sync"),
)


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield Playwright's browser; the test is skipped where there is none."""
    if BROWSER is None:
        pytest.skip("no Chromium on the path")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=[*_ALONE])
        try:
            yield browser
        finally:
            browser.close()


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""


@contextmanager
def static_host(folder: Path) -> Iterator[str]:
    """Serve a folder while the block runs; yields its address."""
    handler = functools.partial(_Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


class Console:
    """What a page says besides what it shows: its console, faults, and whom it asks.

    What its workers ask is counted, too.
    """

    def __init__(self, page: Any) -> None:
        self.said: list[str] = []
        self.asked: set[str] = set()
        page.on("console", lambda message: self.said.append(message.text))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        page.context.on("request", lambda request: self.asked.add(request.url))

    def others(self, origin: str) -> set[str]:
        """Return what was asked of anybody but one origin."""
        return {url for url in self.asked if not url.startswith((origin, "data:"))}


def violations(page: Any, axe: str) -> list[str]:
    """Return what axe-core finds wrong with a page as it stands."""
    found = page.evaluate(f"{axe}; axe.run()")["violations"]
    return [f"{each['id']}: {node['html'][:120]}" for each in found for node in each["nodes"]]


def npm_archive(package: str, folder: Path) -> Path:
    """Return the archive of "name@version".

    The folder in EMPGAN_NPM may hold it; else npm fetches it, and without npm or a network the test
    is skipped.
    """
    name = f"{package.replace('@', '-')}.tgz"
    kept = Path(os.environ.get("EMPGAN_NPM", "")) / name
    if kept.is_file():
        return kept
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm on the path, and no EMPGAN_NPM")
    command = [npm, "pack", package, "--ignore-scripts", "--pack-destination", str(folder)]
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=600, check=False)
    if done.returncode:
        pytest.skip(f"npm cannot fetch {package}")
    return folder / name


def axe_source(folder: Path) -> str:
    """Return the script of axe-core."""
    with tarfile.open(npm_archive(AXE, folder)) as archive:
        file = archive.extractfile("package/axe.min.js")
        assert file is not None
        return file.read().decode()
