"""Packed files of a corpus: bombs, damage, and what other programs pack in other ways."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from empgan_rt.errors import DataError
from empgan_training.data.corpora import files as corpus_files
from empgan_training.data.corpora.files import (
    MAX_LINE_BYTES,
    MAX_UNPACKED_BYTES,
    lines_of,
    read_bytes,
    read_members,
)

NAMES = ("a.txt", "b.txt")


def zipped(method: int = zipfile.ZIP_DEFLATED, content: bytes = b"one\ntwo\n") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name in NAMES:
            archive.writestr(f"folder/{name}", content)
    return file.getvalue()


def test_members_are_found_in_any_folder(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        (tmp_path / "a.zip").write_bytes(zipped(method))
        assert read_members(tmp_path / "a.zip", NAMES) == [b"one\ntwo\n"] * 2


def test_plain_and_gzipped_files(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b"one")
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"o") + gzip.compress(b"ne"))
    assert read_bytes(tmp_path / "a.jsonl") == read_bytes(tmp_path / "a.jsonl.gz") == b"one"


@pytest.mark.slow
def test_a_gzip_bomb_is_not_unpacked(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb", 9) as file:
        for _ in range(MAX_UNPACKED_BYTES // 2**20 + 1):
            file.write(b"\0" * 2**20)
    assert bomb.stat().st_size < 2**19
    with pytest.raises(DataError, match="unpacks to more than"):
        read_bytes(bomb)


def test_what_unpacks_to_more_than_the_limit_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a bomb no more than the limit is unpacked: a thousandth of what is in it."""
    monkeypatch.setattr(corpus_files, "MAX_UNPACKED_BYTES", 2**16)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(b"\0" * 2**26, 9))
    (tmp_path / "bomb.zip").write_bytes(zipped(content=b"\0" * 2**24))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="unpacks to more than 65,536"):
            read_bytes(tmp_path / "bomb.gz")
        with pytest.raises(DataError, match="unpacks to 16,777,216 bytes, at most 65,536"):
            read_members(tmp_path / "bomb.zip", NAMES)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_zip_that_states_too_small_a_size_is_refused(tmp_path: Path) -> None:
    data = zipped(content=b"\0" * 70_000)
    lied = data.replace((70_000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    assert lied != data
    (tmp_path / "a.zip").write_bytes(lied)
    with pytest.raises(DataError, match=r"a\.zip cannot be read"):
        read_members(tmp_path / "a.zip", NAMES)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_ways_to_pack_are_refused(tmp_path: Path, method: int) -> None:
    (tmp_path / "a.zip").write_bytes(zipped(method))
    with pytest.raises(DataError, match=f"encrypted, or packed by method {method}") as caught:
        read_members(tmp_path / "a.zip", NAMES)
    assert "unpack it" in caught.value.hint


def _encrypted(data: bytearray) -> None:
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = -1
        while (place := data.find(mark, place + 1)) >= 0:
            data[place + at] |= 1


def _unknown_method(data: bytearray) -> None:
    place = data.find(b"PK\x01\x02")
    data[place + 10] = 99


def _wrong_checksum(data: bytearray) -> None:
    data[data.find(b"PK\x01\x02") + 16] ^= 1


def _damaged_stream(data: bytearray) -> None:
    place = data.find(b"a.txt") + len(b"a.txt")
    data[place] ^= 7


def _cut(data: bytearray) -> None:
    del data[len(data) // 2 :]


def _no_utf_8_name(data: bytearray) -> None:
    place = data.find(b"PK\x01\x02")
    data[place + 9] |= 8  # says that names are UTF-8
    data[place + 46] = 0xFF


@pytest.mark.parametrize(
    "damage", [_encrypted, _unknown_method, _wrong_checksum, _damaged_stream, _cut, _no_utf_8_name]
)
def test_damaged_and_odd_zips_are_data_errors(
    tmp_path: Path, damage: Callable[[bytearray], None]
) -> None:
    data = bytearray(zipped())
    damage(data)
    (tmp_path / "a.zip").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.zip"):
        read_members(tmp_path / "a.zip", NAMES)


def test_cut_and_altered_gzips_are_data_errors(tmp_path: Path) -> None:
    data = gzip.compress(b"".join(b"%d" % i for i in range(400)))
    for altered in (
        data[:-9],
        data[:20],
        data[:30] + b"\xff\xff" + data[32:],
        b"no gzip",
        data[:3],
    ):
        (tmp_path / "a.gz").write_bytes(altered)
        with pytest.raises(DataError, match=r"a\.gz cannot be read"):
            read_bytes(tmp_path / "a.gz")


def test_lines() -> None:
    assert [*lines_of(b"one\r\n\ntwo\rthree\x0bfour\nfive")] == [
        *(b"one", b"", b"two\rthree\x0bfour", b"five")
    ]
    assert [*lines_of(b"")] == []
    assert [len(line) for line in lines_of(b"x" * (MAX_LINE_BYTES + 99) + b"\ny")] == [
        *(MAX_LINE_BYTES + 1, 1)
    ]
