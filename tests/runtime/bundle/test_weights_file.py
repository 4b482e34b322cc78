"""No weight is NaN or infinite once a bundle is open, and no damaged header is anybody's bug."""

from __future__ import annotations

import json
import shutil
import struct
from pathlib import Path

import msgspec
import numpy as np
import pytest
import safetensors.numpy

from empgan_rt import BundleError, DivergenceError, Responder
from empgan_rt.bundle.bundle import ASSETS, Bundle
from empgan_rt.bundle.weights_file import check_weights
from support.mutated_bundles import sealed

TINY = Bundle.open("tiny")
TENSORS = sorted(safetensors.numpy.load(TINY.weights))
BEYOND = {"nan": np.nan, "inf": np.inf, "-inf": -np.inf}


def with_one(name: str, value: float) -> bytes:
    """Return the weights of `tiny` with one number of a tensor replaced, not the first one."""
    tensors = {n: array.copy() for n, array in safetensors.numpy.load(TINY.weights).items()}
    tensors[name].flat[-1] = value
    return safetensors.numpy.save(tensors)


def test_no_bundle_with_one_bad_number_answers(tmp_path: Path) -> None:
    """Every tensor of `tiny`, sealed again so that all digests are right."""
    folder = Path(shutil.copytree(ASSETS / "tiny", tmp_path / "tiny"))
    fields = msgspec.to_builtins(TINY.manifest)
    fields = {n: v for n, v in fields.items() if n not in ("files", "bundle_id", "digest")}
    answered = []
    for name in TENSORS:
        for value in (np.nan, -np.inf):
            files = {**TINY.files, "weights.safetensors": with_one(name, value)}
            (folder / "weights.safetensors").write_bytes(files["weights.safetensors"])
            (folder / "manifest.json").write_bytes(sealed(json.dumps(fields).encode(), files))
            try:
                with Responder.load(folder) as responder:
                    responder.reply(["I passed my exam!"])
            except DivergenceError:
                continue
            answered.append((name, value))
    assert answered == []
    assert len(TENSORS) > 40


@pytest.mark.parametrize("value", BEYOND)
def test_the_tensor_is_named(value: str) -> None:
    with pytest.raises(DivergenceError, match=f"'{TENSORS[0]}'"):
        check_weights(with_one(TENSORS[0], BEYOND[value]))


def file_of(dtype: str, numbers: bytes, /, **changes: object) -> bytes:
    """Return a file with one tensor of one axis, its entry altered."""
    size = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8, "I32": 4}.get(dtype, 1)
    entry = {"dtype": dtype, "shape": [len(numbers) // size], "data_offsets": [0, len(numbers)]}
    return with_header(json.dumps({"t": entry | changes}).encode(), numbers)


def with_header(header: bytes, numbers: bytes = b"") -> bytes:
    return struct.pack("<Q", len(header)) + header + numbers


@pytest.mark.parametrize("dtype", ["F16", "F32", "F64"])
def test_all_finite_numbers_pass_and_no_others(dtype: str) -> None:
    kind = np.dtype(f"<f{dtype[1:]}".replace("16", "2").replace("32", "4").replace("64", "8"))
    largest, least = np.finfo(kind).max, np.finfo(kind).smallest_subnormal
    for numbers in ([largest, -largest], [least, -least, 0.0, -0.0], [-1.0], [1.0], []):
        check_weights(file_of(dtype, np.array(numbers, kind).tobytes()))
    for bad in (np.nan, -np.nan, np.inf, -np.inf):
        for company in ([], [1.0, -largest], [-1.0], [largest]):
            with pytest.raises(DivergenceError):
                check_weights(file_of(dtype, np.array([*company, bad], kind).tobytes()))


def test_bfloat16_is_read_too_and_whole_numbers_are_always_finite() -> None:
    check_weights(file_of("BF16", b"\x7f\x7f\x7f\xff"))  # the largest and its negative
    check_weights(file_of("I32", b"\xff\xff\xff\x7f"))
    for bits in (b"\x80\x7f", b"\x80\xff", b"\xc0\x7f", b"\xff\xff"):
        with pytest.raises(DivergenceError):
            check_weights(file_of("BF16", b"\x00\x00" + bits))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00" * 7,
        struct.pack("<Q", 2**63) + b"{}",
        with_header(b""),
        with_header(b"[]"),
        with_header(b"\xff\xfe"),
        with_header(b'{"t": null}'),
        with_header(b'{"t": {"dtype": "F16", "shape": [0]}}'),
        with_header(b"[" * 100_000),
        with_header(b'{"t": ' + b"9" * 5000 + b"}"),
        with_header(b"{}", b"behind the end"),
        file_of("F8", b"\x00"),
        file_of("F16", b"\x00\x00", shape=[-1, -1]),
        file_of("F16", b"\x00\x00", shape=[2**62, 2**62]),
        file_of("F16", b"\x00\x00", shape="x"),
        file_of("F16", b"\x00\x00", data_offsets=[0, 4]),
        file_of("F16", b"\x00\x00\x00\x00", data_offsets=[2, 4], shape=[1]),
        file_of("F16", b"\x00\x00", data_offsets=[2, 0]),
        file_of("F16", b"\x00\x00", data_offsets=[0]),
        file_of("F16", b"\x00\x00", dtype=7),
    ],
)
def test_damage_is_told_as_such(data: bytes) -> None:
    with pytest.raises(BundleError, match=r"weights\.safetensors"):
        check_weights(data)


def test_metadata_is_no_tensor() -> None:
    check_weights(with_header(b'{"__metadata__": {"format": "pt"}}  '))
