"""One thread for every model of a test run, and the toy bundle that most runtime tests open.

With more threads the first model makes ONNX Runtime's global pool, and raw sessions that other
tests open in this process would be refused (see `empgan_rt.threads`).
"""

from pathlib import Path

import pytest

from empgan_rt.offline import silence_onnxruntime
from empgan_rt.threads import set_num_threads

silence_onnxruntime()  # tests import it themselves
set_num_threads(1)


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a toy bundle with goldens; whoever alters it copies it first."""
    from support.toy_bundle import make_verified_bundle

    return make_verified_bundle(tmp_path_factory.mktemp("shared") / "toy")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """One process for tests that share a GPU, and as many as usual for all others."""
    return 1 if config.option.markexpr == "gpu" else None
