"""What is wrong with a package is said: not there, damaged, or Ctrl-C during its import."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_bench.engines.floor_graph import floor_graph
from empgan_bench.engines.openvino import open_openvino
from empgan_rt import packages
from empgan_rt.backends.onnxruntime import providers
from empgan_rt.backends.onnxruntime.session import import_onnxruntime
from empgan_rt.backends.tensorrt import machine
from empgan_rt.backends.tensorrt.prepared_graph import prepared_graph
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.cli import main as cli
from empgan_rt.errors import DependencyError
from empgan_rt.verification.audit import audit
from empgan_training.data.lexicon_sources import adjectives, lexicon_terms
from empgan_training.metrics.bleu import score_bleu

# As pybind11 leaves it when Ctrl-C falls into the start of a compiled module.
INTERRUPTED = """
try:
    raise KeyboardInterrupt
except KeyboardInterrupt as error:
    raise ImportError("initialization failed") from error
"""
DAMAGED = "raise ImportError('libgomp.so.1: cannot open shared object file')"
LACKING = "import a_module_that_is_nowhere"


def importing(name: str) -> None:
    packages.import_module(name, f"{name} is not installed", hint="pip install it")


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Puts a module of this source in front of all others."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, source: str) -> None:
        for known in [*sys.modules]:
            if f"{known}.".startswith(f"{name}."):
                monkeypatch.delitem(sys.modules, known)
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()

    return write


def test_one_that_is_not_there() -> None:
    with pytest.raises(DependencyError, match="nowhere is not installed") as raised:
        importing("nowhere")
    assert raised.value.hint == "pip install it"
    with pytest.raises(DependencyError, match=r"json\.nowhere is not installed"):
        importing("json.nowhere")


def test_one_that_lacks_another_is_not_called_missing(module: Callable[[str, str], None]) -> None:
    module("lacking", LACKING)
    with pytest.raises(
        DependencyError, match=r"lacking cannot be loaded.*a_module_that_is_nowhere"
    ):
        importing("lacking")


def test_one_that_is_damaged(module: Callable[[str, str], None]) -> None:
    module("damaged", DAMAGED)
    with pytest.raises(
        DependencyError, match=r"damaged cannot be loaded.*libgomp\.so\.1"
    ) as raised:
        importing("damaged")
    assert "pip install it" in raised.value.hint


def test_an_error_of_the_package_itself_is_not_hidden(module: Callable[[str, str], None]) -> None:
    module("faulty", "raise ZeroDivisionError")
    with pytest.raises(ZeroDivisionError):
        importing("faulty")


def test_an_error_that_is_its_own_cause_is_read_once() -> None:
    error = ImportError("round")
    error.__context__ = OSError("and round")
    error.__context__.__context__ = error
    assert not packages.was_interrupted(error)
    assert packages.reason(error) == "OSError: and round"


USES: dict[str, tuple[str, Callable[[], object]]] = {
    "onnxruntime": ("onnxruntime", import_onnxruntime),
    "audit": ("onnx", lambda: audit(Bundle.open("tiny"))),
    "engines": ("onnx", lambda: prepared_graph(b"", b"", None, None)),
    "floor": ("onnx", lambda: floor_graph(b"")),
    "openvino": ("openvino", lambda: open_openvino("tiny", 1)),
    "tensorrt": ("tensorrt", machine.import_tensorrt),
    "its libraries": ("tensorrt", providers.preload_tensorrt),
    "cuda-python": ("cuda", machine.import_cuda),
    "vader": ("vaderSentiment", lambda: lexicon_terms("vader")),
    "nrclex": ("nrclex", lambda: lexicon_terms("nrclex")),
    "textblob": ("textblob", lambda: adjectives([["a"]])),
    "sacrebleu": ("sacrebleu", lambda: score_bleu([["a"]], [["a"]])),
}


@pytest.mark.parametrize("use", USES)
def test_ctrl_c_during_an_import_stays_ctrl_c(use: str, module: Callable[[str, str], None]) -> None:
    package, needing = USES[use]
    module(package, INTERRUPTED)
    with pytest.raises(KeyboardInterrupt):
        needing()


@pytest.mark.parametrize("use", [use for use in USES if use != "its libraries"])
def test_a_damaged_package_is_not_called_missing(
    use: str, module: Callable[[str, str], None]
) -> None:
    package, needing = USES[use]
    module(package, DAMAGED)
    if package == "tensorrt":  # whichever can be loaded would do
        module("tensorrt_rtx", DAMAGED)
    with pytest.raises(DependencyError, match=r"libgomp\.so\.1") as raised:
        needing()
    assert "cannot be loaded" in raised.value.message
    assert "is not installed" not in raised.value.message


def test_the_command_ends_as_an_interrupted_one(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text(INTERRUPTED)
    done = subprocess.run(
        [sys.executable, "-m", "empgan_rt", "chat", "tiny"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])},
        input="hello\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr.strip()) == (cli.INTERRUPTED, "", "")


def test_so_does_a_command_whose_own_modules_were_being_imported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        exec(INTERRUPTED)

    monkeypatch.setattr(cli, "import_module", interrupted)
    assert cli.main(["doctor"]) == cli.INTERRUPTED
    assert capsys.readouterr().err == "\n"
