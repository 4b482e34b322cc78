"""Files of contexts from anybody: a line is a context, or named as one that is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from empgan_export import contexts
from empgan_export.contexts import read_contexts
from empgan_rt import DataError

BAD = [
    b"nonsense",
    b"null",
    b"7",
    b'["turns"]',
    b'"turns"',
    b"{}",
    b'{"turns": null}',
    b'{"turns": []}',
    b'{"turns": "Hi."}',
    b'{"turns": {"Hi.": 1}}',
    b'{"turns": ["Hi.", 3]}',
    b'{"turns": [["Hi."]]}',
    b'{"dialogue": ["Hi."]}',
    b'{"dialogue": 3}',
    b'{"turns": ["\xff"]}',
    b'{"turns": ["\\ud800"]}',
    b'{"turns": ["Hi."], "x": %s}' % (b"9" * 5000),
    b'{"turns": ' + b"[" * 100_000,
    b'{"x": ' * 100_000,
]


@pytest.mark.parametrize("line", BAD, ids=range(len(BAD)))
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "contexts.jsonl"
    path.write_bytes(b'{"turns": ["Hi."], "emotion": [0]}\n\n' + line + b"\n")
    if b"9999" in line:
        assert len(read_contexts(path, 9)) == 2  # what is not read may be anything
        return
    with pytest.raises(DataError, match=r"contexts\.jsonl:3: no context"):
        read_contexts(path, 9)
    assert read_contexts(path, 1) == [["Hi."]]  # no further than is asked for


def test_a_line_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contexts, "MAX_LINE_BYTES", 100)
    path = tmp_path / "contexts.jsonl"
    path.write_bytes(b'{"turns": ["%s"]}' % (b"a" * 200))
    with pytest.raises(DataError, match=r"contexts\.jsonl:1"):
        read_contexts(path, 1)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        read_contexts(tmp_path, 1)
