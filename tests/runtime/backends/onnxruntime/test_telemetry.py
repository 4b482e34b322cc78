"""Nobody is called and nothing is written: every kind of process that we start, watched."""

from __future__ import annotations

import logging
import os
import sys
import time
from importlib import metadata
from pathlib import Path

import pytest

from empgan_rt.backends.onnxruntime import telemetry as offline
from support.watched import Watched

LONG_S = 30  # telemetry of ONNX Runtime 1.32 calls out after nine seconds
SDK = """
import sys, time
from empgan_rt import Responder
with Responder.load(sys.argv[1]) as responder:
    print(responder.reply(["I lost my keys today."]).text)
    time.sleep(float(sys.argv[2]))
"""
REQUEST = '{"turns": ["I lost my keys today."]}\n'
BENCH = ("--batch", 1, "--beam", 1, "--warmup", 0, "--threads", 1, "--min-time")
OFF, ON = "1", "0"


def sends_telemetry() -> bool:
    """Return whether the installed ONNX Runtime is a build that does."""
    if sys.platform != "linux":
        return False
    try:
        version = metadata.version("onnxruntime")
    except metadata.PackageNotFoundError:
        return False
    return tuple(map(int, version.split(".")[:2])) >= (1, 29)


needs_telemetry = pytest.mark.skipif(not sends_telemetry(), reason="this build has no telemetry")


def command(folder: Path, *arguments: object) -> Watched:
    return Watched(folder, "-m", "empgan_rt", *arguments)


def test_the_sdk_and_the_commands_write_nothing(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(REQUEST)
    watched = {
        "sdk": Watched(tmp_path / "sdk", "-c", SDK, "tiny", 0),
        "chat": command(tmp_path / "chat", "chat", "tiny"),
        "reply": command(
            tmp_path / "reply", "reply", tmp_path / "in.jsonl", tmp_path / "out.jsonl"
        ),
        "doctor": command(tmp_path / "doctor", "doctor"),
    }
    watched["chat"].say("I lost my keys today.\n/quit\n")
    said = {name: process.end() for name, process in watched.items()}
    assert {name: process.written() for name, process in watched.items()} == {n: [] for n in said}
    assert {name: process.calls for name, process in watched.items()} == {n: [] for n in said}
    assert all(said[name].strip() for name in ("sdk", "chat"))
    assert "telemetry    onnxruntime: off (ORT_DISABLE_TELEMETRY=1)" in said["doctor"]
    assert (tmp_path / "out.jsonl").is_file()


@needs_telemetry
def test_without_our_default_the_same_script_leaves_an_identifier(tmp_path: Path) -> None:
    process = Watched(tmp_path / "sdk", "-c", SDK, "tiny", 0, ORT_DISABLE_TELEMETRY=ON)
    process.end()  # the user's own value was not overwritten
    assert any(path.endswith("deviceid") for path in process.written())


OPENVINO = """
import sys
{importing}
from empgan_bench.engines.openvino import open_openvino
print(open_openvino("tiny", 1).versions["openvino"])
"""


@pytest.mark.parametrize("first", ["", "import openvino"])
def test_openvino_writes_nothing_unless_it_was_imported_first(tmp_path: Path, first: str) -> None:
    pytest.importorskip("openvino_telemetry", reason="OpenVINO has no telemetry without it")
    process = Watched(tmp_path / "openvino", "-c", OPENVINO.format(importing=first))
    process.end()
    assert bool(process.written()) is bool(first)  # so the check can fail
    assert bool(process.calls) is bool(first)


@pytest.mark.slow
def test_half_a_minute_without_a_call(tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text(REQUEST)
    bench = ("bench", "latency", "tiny", *BENCH, LONG_S / 6, "--backends", "onnxruntime,eager")
    watched = {
        "sdk": Watched(tmp_path / "sdk", "-c", SDK, "tiny", LONG_S),
        "chat": command(tmp_path / "chat", "chat", "tiny"),
        "reply": command(tmp_path / "reply", "reply", "-", tmp_path / "out.jsonl"),
        "bench": command(tmp_path / "bench", *bench, "--out", tmp_path / "report"),
    }
    watched["chat"].say("I lost my keys today.\n")
    watched["reply"].say(REQUEST)
    start = time.monotonic()
    while time.monotonic() < start + LONG_S or watched["bench"].is_running:
        for process in watched.values():
            process.look()
        time.sleep(0.1)
    for process in watched.values():
        process.end()
    assert (tmp_path / "report" / "report.json").is_file()
    assert {name: process.calls for name, process in watched.items()} == {n: [] for n in watched}
    assert {name: process.written() for name, process in watched.items()} == {
        n: [] for n in watched
    }


@pytest.mark.slow
@needs_telemetry
def test_half_a_minute_with_telemetry_is_noticed(tmp_path: Path) -> None:
    process = Watched(tmp_path / "sdk", "-c", SDK, "tiny", LONG_S, ORT_DISABLE_TELEMETRY=ON)
    start = time.monotonic()
    while not process.calls and time.monotonic() < start + LONG_S:
        process.look()
        time.sleep(0.1)
    assert process.calls
    process.end()


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv(offline.SWITCH, "")  # so that it is put back
    monkeypatch.delenv(offline.SWITCH)
    return monkeypatch


def test_the_default_is_set_once_and_yields_to_the_user(unset: pytest.MonkeyPatch) -> None:
    unset.delitem(sys.modules, "onnxruntime", raising=False)
    offline.silence_onnxruntime()
    assert os.environ[offline.SWITCH] == OFF
    unset.setenv(offline.SWITCH, ON)
    offline.silence_onnxruntime()
    assert os.environ[offline.SWITCH] == ON


def test_a_host_that_was_first_is_told_once(
    unset: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    unset.setitem(sys.modules, "onnxruntime", object())
    with caplog.at_level(logging.WARNING, "empgan_rt"):
        offline.silence_onnxruntime()
        offline.silence_onnxruntime()
    assert [record.getMessage() for record in caplog.records] == [
        "onnxruntime was imported before empgan_rt, so its telemetry may be on; "
        "set ORT_DISABLE_TELEMETRY=1 before that import"
    ]


@pytest.mark.parametrize(
    ("value", "off"),
    [(None, False), ("", False), ("0", False), ("false", False), ("no", False), ("2", False)]
    + [(value, True) for value in ("1", " 1 ", "true", "TRUE", "yes", "on", "y")],
)
def test_what_counts_as_off(value: str | None, off: bool) -> None:
    environment = {} if value is None else {offline.SWITCH: value}
    assert offline.telemetry_is_off(environment) is off


def test_our_own_tests_send_none_either() -> None:
    assert offline.telemetry_is_off(os.environ)
