"""The bench over HTTP against `empgan-rt serve` itself, beside the same model in process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from empgan_bench.cli import commands
from support.served import serve

pytestmark = pytest.mark.slow
LOAD = ("--rate", "20", "--requests", "40", "--warmup", "4", "--threads", "1", "--json")


@pytest.mark.parametrize("way", ["--stream", "--plain"])
def test_our_server_says_over_http_what_the_engine_says(tmp_path: Path, way: str) -> None:
    with serve("tiny", "--no-guard") as served:
        url = f"http://127.0.0.1:{served.port}"
        arguments = ("serve", "tiny", "--backends", "onnxruntime", "--url", url, way, *LOAD)
        result = CliRunner().invoke(commands.bench, [*arguments, "--out", str(tmp_path / "out")])
    assert result.exit_code == 0, result.output
    ours, remote = json.loads(result.stdout)["rows"]
    assert (ours["engine"], remote["engine"]) == ("onnxruntime", url)
    assert (remote["answered"], remote["refused"], remote["failed"]) == (40, 0, 0)
    assert (remote["contexts"], remote["mismatches"]) == (24, 0)
    assert (remote["ttft_ms"]["n"], remote["queue_ms"]) == (40, None)
    assert (remote["tpot_ms"] is None) == (way == "--plain")
    assert min(ours["cpu_ms"], remote["cpu_ms"]) > 0
    saved = json.loads((tmp_path / "out" / "report.json").read_text())
    tokens = {
        visit["engine"]: [request["tokens"] for request in visit["requests"]]
        for visit in saved["outcome"]["visits"]
        if visit["number"] == 0
    }
    assert tokens[url] == tokens["onnxruntime"]
    assert {e["name"]: e["versions"] for e in saved["engines"]}[url] == {"model": "tiny"}


def test_a_full_queue_of_the_server_refuses_and_loses_nothing(tmp_path: Path) -> None:
    with serve("tiny", "--no-guard", "--max-queue", "0") as served:
        url = f"http://127.0.0.1:{served.port}"
        load = ("--rate", "2000", "--requests", "300", "--warmup", "0", "--json")
        arguments = ("serve", "tiny", "--url", url, *load, "--out", str(tmp_path / "out"))
        result = CliRunner().invoke(commands.bench, arguments)
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rows"]
    assert row["refused"] > 0
    assert row["answered"] + row["refused"] == 300
