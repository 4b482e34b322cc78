"""`empgan-rt doctor`: facts without paths, and the first problem as the exit code."""

from __future__ import annotations

import re
import resource
import shutil
import socket
import sys
import tomllib
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest

from empgan_rt.backends.onnxruntime.device_backend import DeviceBackend
from empgan_rt.bundle import bundle as bundle_module
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.cli import doctor
from support.command_line import Outcome
from support.pretended.onnxruntime_gpu import Machine, OnnxRuntimeGpu, be_on

Command = Callable[..., Outcome]
ROOT = Path(__file__).parents[3]


@pytest.fixture
def assets(toy_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose embedded models are toys."""
    for name in bundle_module.EMBEDDED:
        shutil.copytree(toy_folder, tmp_path / "assets" / name)
    monkeypatch.setattr(bundle_module, "ASSETS", tmp_path / "assets")
    return tmp_path / "assets"


@pytest.mark.usefixtures("assets")
def test_a_sound_installation(command: Command) -> None:
    outcome = command("doctor", "--json")
    assert outcome.code == 0
    facts = outcome.json
    assert facts["problems"] == []
    assert "CPUExecutionProvider" in facts["providers"]
    assert facts["packages"]["onnxruntime"] == metadata.version("onnxruntime")
    assert facts["extras"]["cpu"]["missing"] == []
    assert set(facts["bundles"]) == {"default", "tiny"}
    assert facts["cores_allowed"] >= 1
    text = command("doctor").out
    assert text.endswith("all is well\n")
    assert "/" not in text  # no path of this machine


def test_a_damaged_model_is_a_problem(command: Command, assets: Path) -> None:
    (assets / "tiny" / "weights.safetensors").unlink()
    outcome = command("doctor", "--json")
    assert outcome.code == 4
    assert outcome.json["bundles"]["tiny"] is None
    assert outcome.json["bundles"]["default"]
    assert [problem["code"] for problem in outcome.json["problems"]] == ["bad_bundle"]
    assert "problem      1 files missing" in command("doctor").out


@pytest.mark.usefixtures("assets")
def test_a_missing_engine_is_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = command("doctor")
    assert outcome.code == 3
    assert "pip install 'empgan-rt[cpu]'" in outcome.out


@pytest.mark.usefixtures("assets")
def test_two_engines_are_a_problem(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("empgan_rt.backends.onnxruntime.session._is_installed", lambda name: True)
    outcome = command("doctor")
    assert outcome.code == 3
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in outcome.out


@pytest.mark.usefixtures("assets")
def test_a_gpu_build_without_a_gpu_is_a_problem(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_on(Machine(driver=False), monkeypatch)
    monkeypatch.setattr("empgan_rt.backends.onnxruntime.session.import_onnxruntime", OnnxRuntimeGpu)
    outcome = command("doctor")
    assert outcome.code == 3
    assert "device       cuda: not usable\n" in outcome.out
    problem = outcome.out[outcome.out.index("problem ") :].splitlines()
    assert "needs an NVIDIA driver, and there is none" in problem[0]
    assert len(problem) == 3


@pytest.mark.usefixtures("assets")
def test_a_gpu_that_computes_is_a_fact(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    on_cpu = DeviceBackend(Bundle.open("tiny"), "cpu")
    monkeypatch.setattr("empgan_rt.backends.onnxruntime.session.import_onnxruntime", OnnxRuntimeGpu)
    asked: list[str] = []

    def load(bundle: Bundle, device: str) -> DeviceBackend:
        asked.append(device)
        return on_cpu

    monkeypatch.setattr("empgan_rt.backends.loader.load_backend", load)
    outcome = command("doctor", "--json")
    assert outcome.code == 0
    assert outcome.json["devices"] == {"cuda": True}
    assert asked == ["cuda"]


@pytest.mark.usefixtures("assets")
def test_a_missing_extra_is_a_fact_and_no_problem(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = metadata.version

    def without_plotly(name: str) -> str:
        if name == "plotly":
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", without_plotly)
    outcome = command("doctor", "--json")
    assert outcome.code == 0
    assert outcome.json["extras"]["bench"]["missing"] == ["plotly"]


@pytest.mark.usefixtures("assets")
def test_what_limits_a_server_is_a_fact(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "PORT", port)
        facts = command("doctor", "--json").json["server"]
        assert (facts["port"], facts["port_is_free"]) == (port, False)
        assert f"server       port {port} in use; " in command("doctor").out
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert facts["open_files"] == {"now": soft, "most": hard}
    assert command("doctor", "--json").json["server"]["port_is_free"] is True


def test_the_extras_are_those_of_the_distribution() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {
        name: tuple(
            re.split(r"\[|>=", requirement)[0]
            for requirement in requirements
            if not requirement.startswith("empgan-rt[")  # what another extra brings
        )
        for name, requirements in project["optional-dependencies"].items()
        if name != "dev"
    }
    assert wanted == doctor.EXTRAS
