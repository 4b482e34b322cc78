"""One thread for every model and every tensor of a test run, and the bundles that many tests open.

The tests share the cores as processes. Threads of each beside them would wait for one another.
"""

import gc
import os
from pathlib import Path

import pytest

from empgan_rt.backends.onnxruntime.telemetry import silence_onnxruntime
from empgan_rt.threads import set_num_threads

os.environ.setdefault("OMP_NUM_THREADS", "1")  # PyTorch reads it when it is imported
silence_onnxruntime()  # tests import it themselves
set_num_threads(1)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy bundle with goldens; whoever alters it copies it first."""
    from support.toy_bundle import make_verified_bundle

    return make_verified_bundle(tmp_path_factory.mktemp("shared") / "toy")


@pytest.fixture(scope="session")
def small_bundle(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint and the bundle exported from it, once for all processes; not to be altered."""
    from support.small_bundle import small_bundle

    folder = tmp_path_factory.getbasetemp()
    return small_bundle(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)


@pytest.fixture
def traced(small_bundle: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Exports of the small checkpoint take the graphs that were traced of it before."""
    from support.small_bundle import spare_tracing

    spare_tracing(small_bundle[1], monkeypatch)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files begin first: a run should not end with one of them, and all other cores idle."""
    items.sort(key=lambda item: item.get_closest_marker("long") is None)


def pytest_collection_finish() -> None:
    """What was imported for the tests lives as long as they do: no search for garbage reads it."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for tests that share a GPU, and as many as usual for all others."""
    return 1 if config.option.markexpr == "gpu" else None
