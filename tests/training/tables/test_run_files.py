"""Runs packed into one file: as good as their folders, the same bytes always, damage refused."""

from __future__ import annotations

import base64
import gzip
import json
import os
import shutil
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from empgan_rt.errors import DataError
from empgan_training.scoring.predictions import parse_predictions
from empgan_training.systems import SYSTEMS
from empgan_training.tables import run_files
from empgan_training.tables.make import make_tables
from empgan_training.tables.results import KINDS, MAIN, read_runs
from empgan_training.tables.run_files import pack_runs, read_packed, stored_runs
from support.small_data import prepare_own
from support.source_tree import ROOT
from support.stored_results import table_references, write_run

PACKED = "seed-1/EmpG.json.gz.b64"
REPLIES = {"test-1#1": "I 'm glad .", "test-2#1": "日本 \r\x85 ."}
RESULTS = ROOT / "docs" / "results"

needs_results = pytest.mark.skipif(not RESULTS.is_dir(), reason="docs/results is not in an sdist")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A results folder of two runs."""
    for seed in (1, 2):
        write_run(tmp_path / "plain", seed, "EmpG", REPLIES, {"seconds": {"mle": 3.0}})
    return tmp_path / "plain"


def packed(raw: bytes) -> bytes:
    return base64.b64encode(gzip.compress(raw, mtime=0))


def test_a_packed_run_is_read_as_its_folder_is(folder: Path, tmp_path: Path) -> None:
    written = pack_runs(folder, tmp_path / "packed")
    assert [str(p.relative_to(tmp_path / "packed")) for p in written] == [
        *(PACKED, PACKED.replace("seed-1", "seed-2"))
    ]
    assert read_packed(written[0]) == {
        p.name: p.read_bytes() for p in (folder / "seed-1" / "EmpG").iterdir()
    }
    runs = read_runs(tmp_path / "packed", [*REPLIES])
    assert runs == read_runs(folder, [*REPLIES])
    assert runs[0].replies[MAIN][1] == ("日本", ".")
    assert runs[1].seconds == {"mle": 3.0}


def test_the_tables_are_the_same(tmp_path: Path) -> None:
    prepared = prepare_own(tmp_path, 60)
    replies = table_references(prepared)
    for system in ("HRED", "EmpG"):
        write_run(tmp_path / "plain", 1, system, replies, {}, [k.file_name[:-6] for k in KINDS])
    pack_runs(tmp_path / "plain", tmp_path / "packed")
    plain, same = (
        make_tables(tmp_path / name, prepared, resamples=40) for name in ("plain", "packed")
    )
    assert same == plain
    assert same.systems == ("HRED", "EmpG")


def test_the_same_files_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    """Whatever the order they were written in, and whenever."""
    again = tmp_path / "again" / "seed-1" / "EmpG"
    again.mkdir(parents=True)
    for path in sorted((folder / "seed-1" / "EmpG").iterdir(), reverse=True):
        shutil.copyfile(path, again / path.name)
    first, _ = pack_runs(folder, tmp_path / "one")
    (second,) = pack_runs(tmp_path / "again", tmp_path / "two")
    assert first.read_bytes() == second.read_bytes()
    assert first.read_bytes().count(b"\n") == 1
    header = base64.b64decode(first.read_bytes())[:10]
    assert header == b"\x1f\x8b\x08\x00" + bytes(4) + b"\x02\xff"  # neither a name nor a time


def test_a_folder_is_taken_before_a_packed_file(folder: Path) -> None:
    pack_runs(folder, folder)
    shutil.rmtree(folder / "seed-2" / "EmpG")
    write_run(folder, 1, "EmpG", dict.fromkeys(REPLIES, "so"))
    runs = read_runs(folder, [*REPLIES])
    assert [run.seed for run in runs] == [1, 2]
    assert [run.replies[MAIN][0] for run in runs] == [("so",), ("I", "'m", "glad", ".")]
    assert pack_runs(folder, folder) == [folder / PACKED]  # what lies packed alone stays


def test_a_line_of_a_packed_file_is_named(folder: Path, tmp_path: Path) -> None:
    with (folder / "seed-1" / "EmpG" / "greedy-recognised.jsonl").open("a") as file:
        file.write("{}\n")
    pack_runs(folder, tmp_path / "packed")
    with pytest.raises(DataError, match=rf"{PACKED}/greedy-recognised\.jsonl:3 is no"):
        read_runs(tmp_path / "packed", [*REPLIES])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"no base64 here",
        base64.b64encode(b"no gzip"),
        base64.b64encode(b"\x1f\x8b"),
        packed(b"{}")[:-8],
        packed(b'{"a": "b"}') + b"\n\n",
        base64.b64encode(gzip.compress(b'{"a": "b"}', mtime=0) + b"more"),
        packed(b'{"a": "b"'),
        packed(b'{"a": 1}'),
        packed(b'["a"]'),
        packed(b'{"a": "\\ud800"}'),
        packed(b'{"a": "\xff"}'),
        packed(b"[" * 100_000),
    ],
)
def test_damaged_and_foreign_files_are_data_errors(folder: Path, data: bytes) -> None:
    shutil.rmtree(folder / "seed-1" / "EmpG")
    (folder / PACKED).write_bytes(data)
    with pytest.raises(DataError, match=r"EmpG\.json\.gz\.b64 cannot be read"):
        read_runs(folder, [*REPLIES])


def test_every_cut_is_a_data_error(folder: Path) -> None:
    path, _ = pack_runs(folder, folder)
    data = path.read_bytes().removesuffix(b"\n")
    for end in range(len(data)):
        path.write_bytes(data[:end])
        with pytest.raises(DataError, match="cannot be read"):
            read_packed(path)


def test_of_a_bomb_no_more_than_the_limit_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MAX_RUN_BYTES", 2**16 + 2**15)
    (tmp_path / "bomb").write_bytes(packed(b"\0" * 2**26))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpacks to more than 98,304"):
            read_packed(tmp_path / "bomb")
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_file_that_is_larger_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MAX_RUN_BYTES", 40)
    (tmp_path / "large").write_bytes(packed(b"{}") + b"\n" * 40)
    with pytest.raises(DataError, match="holds more than 40 bytes"):
        read_packed(tmp_path / "large")


def test_what_is_no_text_is_not_packed(folder: Path) -> None:
    path, _ = pack_runs(folder, folder)
    before = path.read_bytes()
    (folder / "seed-1" / "EmpG" / "metrics.jsonl").write_bytes(b"\xff")
    with pytest.raises(DataError, match="EmpG cannot be packed: 'utf-8'"):
        pack_runs(folder, folder)
    assert path.read_bytes() == before


def test_what_could_not_be_read_again_is_not_packed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MAX_RUN_BYTES", 40)
    with pytest.raises(DataError, match="bytes, at most 40 are packed"):
        pack_runs(folder, tmp_path / "packed")


def test_the_script_packs(folder: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "scripts" / "pack_results", folder, tmp_path / "packed"],
        env={**os.environ, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == str(tmp_path / "packed" / PACKED)
    assert read_runs(tmp_path / "packed", [*REPLIES]) == read_runs(folder, [*REPLIES])


@needs_results
def test_our_own_results_are_whole() -> None:
    stored = [*stored_runs(RESULTS)]
    assert [files.system for files in stored] == [*SYSTEMS]
    path = stored[0].place / MAIN.file_name
    ids = [*parse_predictions(stored[0].read(MAIN.file_name) or b"", path)]
    runs = read_runs(RESULTS, ids)
    assert [[*run.replies] for run in runs] == [[*KINDS]] * len(SYSTEMS)
    found = json.loads((RESULTS / "tables.json").read_bytes())
    assert found["n"] == len(ids) == 925
    assert found["systems"] == [run.system for run in runs]


@needs_results
def test_runs_beside_the_tables_are_whole() -> None:
    for path in (RESULTS / "side-runs").iterdir():
        if path.is_dir():
            assert all(files.read("facts.json") for files in stored_runs(path))
            assert [*stored_runs(path)] != []


@needs_results
def test_our_results_are_few_lines() -> None:
    """Of which tables.json has most; raw replies would have a hundred thousand."""
    lines = sum(p.read_bytes().count(b"\n") for p in RESULTS.rglob("*") if p.is_file())
    assert lines <= 10_000
