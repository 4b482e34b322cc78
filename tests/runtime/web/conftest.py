"""A browser, and pages for it, that the tests of a file share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from empgan_rt.bundle.bundle import Bundle
from empgan_rt.web.folder import NO_GUARD, folder_files, write_folder
from empgan_rt.web.guard_file import guard_file
from empgan_rt.web.onnxruntime_web import PACKAGE, read_runtime
from support.browser import axe_source, chromium, npm_archive, static_host


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium."""
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script of axe-core."""
    return axe_source(tmp_path_factory.mktemp("axe"))


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of onnxruntime-web."""
    return read_runtime(npm_archive(PACKAGE, tmp_path_factory.mktemp("npm")))


@pytest.fixture
def written(tmp_path: Path, runtime: dict[str, bytes]) -> Callable[..., Path]:
    """Writes the folder of a model."""

    def write(name: str, precision: str = "fp32", *, guarded: bool = True) -> Path:
        words = guard_file() if guarded else NO_GUARD
        out = tmp_path / f"{name}-{precision}"
        write_folder(out, folder_files(Bundle.open(name), precision, name, words, runtime))
        return out

    return write


@pytest.fixture
def site(written: Callable[..., Path]) -> Iterator[Callable[..., str]]:
    """Serves the folder of a model, and returns its address."""
    hosts = []

    def serve(*arguments: Any, **options: Any) -> str:
        hosts.append(static_host(written(*arguments, **options)))
        return hosts[-1].__enter__()

    yield serve
    for host in hosts:
        host.__exit__(None, None, None)
