"""Goldens replay on the backend that made them, and catch one that computes otherwise."""

import dataclasses
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from empgan_rt.backend import Encoded
from empgan_rt.backends.onnxruntime.backend import OrtBackend, OrtState
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import BundleError, ParityError
from empgan_rt.graph_spec import STRUCK, Candidates, EncoderInput, IntArray
from empgan_rt.verification.goldens import seeded_goldens
from empgan_rt.verification.parity import Deviation, check, record, replay
from empgan_rt.verification.ties import tie_gap
from support.toy_bundle import MODEL, make_toy_bundle, toy_weights


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> OrtBackend:
    return OrtBackend(Bundle.open(make_toy_bundle(tmp_path_factory.mktemp("parity") / "toy")))


@pytest.fixture(scope="module")
def goldens(backend: OrtBackend) -> bytes:
    return record(backend, seeded_goldens(MODEL))


class Doctored:
    """A backend that alters the candidates of another one."""

    def __init__(self, inner: OrtBackend, log_probs: object = None, ids: object = None) -> None:
        self.inner, self.log_probs, self.ids = inner, log_probs, ids
        self.device, self.precision = inner.device, inner.precision

    def encode(self, inputs: EncoderInput) -> Encoded:
        return self.inner.encode(inputs)

    def open(self, slots: int, beam_size: int) -> OrtState:
        return self.inner.open(slots, beam_size)

    def admit(self, state: OrtState, slots: IntArray, encoded: Encoded) -> None:
        self.inner.admit(state, slots, encoded)

    def step(self, state: OrtState, *arguments: object) -> Candidates:
        found = self.inner.step(state, *arguments)
        if self.log_probs is not None:
            found = dataclasses.replace(found, log_probs=self.log_probs(found.log_probs))
        if self.ids is not None:
            found = dataclasses.replace(found, token_ids=self.ids(found.token_ids))
        return found

    def close(self) -> None:
        self.inner.close()


def test_recording_is_repeatable(backend: OrtBackend, goldens: bytes) -> None:
    assert record(backend, seeded_goldens(MODEL)) == goldens
    assert record(backend, seeded_goldens(MODEL, seed=1)) != goldens


def test_replay_on_the_same_backend_deviates_by_nothing(
    backend: OrtBackend, goldens: bytes
) -> None:
    deviation = replay(backend, goldens)
    assert deviation == Deviation({"label_probs": 0.0, "log_probs": 0.0}, True, 0)
    check(deviation, atol=0.0)


@pytest.mark.parametrize("name", sorted(toy_weights()))
def test_one_perturbed_weight_is_caught(tmp_path: Path, goldens: bytes, name: str) -> None:
    weights = toy_weights()
    row = 8 if name == "label_embedding" else 4  # a label and a word that the goldens use
    weights[name][row, 0] += np.float16(0.5)
    other = OrtBackend(Bundle.open(make_toy_bundle(tmp_path / "toy", weights=weights)))
    with pytest.raises(ParityError, match="deviates by"):
        check(replay(other, goldens), atol=1e-4)


def test_near_ties_may_change_places(backend: OrtBackend, goldens: bytes) -> None:
    """Two candidates swap: fine if their log-probabilities are close, else other tokens."""

    def swap(ids: np.ndarray) -> np.ndarray:
        return ids[..., [1, 0, 2, 3, 4, 5, 6, 7]]

    swapped = Doctored(backend, ids=swap)
    assert not replay(swapped, goldens).tokens_equal
    with pytest.raises(ParityError, match="other tokens"):
        check(replay(swapped, goldens), atol=1e-4)
    tolerant = replay(swapped, goldens, tie=100.0)
    assert tolerant.tokens_equal
    assert tolerant.ties == 2 * (6 * 1 * 1 + 12 * 3 * 2 + 8 * 5 * 2)


def test_a_stranger_among_the_best_is_another_token(backend: OrtBackend, goldens: bytes) -> None:
    def intrude(ids: np.ndarray) -> np.ndarray:
        ids = ids.copy()
        ids[..., 0] = 2 * MODEL.vocabulary_size
        return ids

    assert not replay(Doctored(backend, ids=intrude), goldens).tokens_equal


def test_nan_is_beyond_any_tolerance(backend: OrtBackend, goldens: bytes) -> None:
    broken = Doctored(backend, log_probs=lambda values: values * np.nan)
    with pytest.raises(ParityError, match="log_probs deviates by nan"):
        check(replay(broken, goldens), atol=1e9)


def test_struck_candidates_are_left_out(backend: OrtBackend) -> None:
    def strike(values: np.ndarray) -> np.ndarray:
        values = values.copy()
        values[..., -3:] = STRUCK
        return values

    recorded = record(Doctored(backend, log_probs=strike), seeded_goldens(MODEL))

    def shuffle(ids: np.ndarray) -> np.ndarray:
        return ids[..., [0, 1, 2, 3, 4, 7, 6, 5]]

    deviation = replay(Doctored(backend, ids=shuffle), recorded)
    assert deviation == Deviation({"label_probs": 0.0, "log_probs": 0.0}, True, 0)


def test_all_faults_are_listed() -> None:
    with pytest.raises(ParityError) as caught:
        check(Deviation({"label_probs": 0.5, "log_probs": 0.25}, False, 0), atol=0.1)
    for part in ("label_probs deviates by 0.5", "log_probs deviates by 0.25", "other tokens"):
        assert part in caught.value.message


def one_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.zeros(3))
    return file.getvalue()


def pickled() -> bytes:
    file = io.BytesIO()
    np.savez(file, **{"0.utterances": np.array([{}], dtype=object)})
    return file.getvalue()


@pytest.mark.parametrize("raw", [b"", b"PK", b"\x93NUMPY", one_array(), pickled()])
def test_damaged_goldens_are_refused(backend: OrtBackend, goldens: bytes, raw: bytes) -> None:
    with pytest.raises(BundleError, match="goldens"):
        replay(backend, raw)
    with pytest.raises(BundleError, match="goldens"):
        replay(backend, goldens[: len(goldens) // 2])


def test_tie_gap_is_in_log_probability_of_the_longer_reply() -> None:
    assert tie_gap((-4.0, -4.0), (2, 2), 1.0) == 0.0
    assert tie_gap((-4.0, -8.0), (2, 4), 1.0) == 0.0  # equal scores per token
    assert tie_gap((-4.0, -8.2), (2, 4), 1.0) == pytest.approx(0.2)
    assert tie_gap((-4.0, -4.3), (2, 9), 0.0) == pytest.approx(0.3)


def arrays_of(goldens: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(goldens)) as file:
        return dict(file)


def test_replayed_arrays_are_writable(backend: OrtBackend, goldens: bytes) -> None:
    seen: list[bool] = []

    class Watching(Doctored):
        def encode(self, inputs: EncoderInput) -> Encoded:
            seen.extend(array.flags.writeable for array in vars(inputs).values())
            return super().encode(inputs)

    replay(Watching(backend), goldens)
    assert seen == [True] * 9


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header_of(shape: str) -> bytes:
    """An .npy file of four bytes that claims this shape."""
    text = f"{{'descr': '<i4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + bytes(4)


HOSTILE = {
    "another dtype": lambda a: {"1.token_ids": a["1.token_ids"].astype(np.int64)},
    "another byte order": lambda a: {"1.log_probs": a["1.log_probs"].astype(">f4")},
    "another rank": lambda a: {"1.label_probs": a["1.label_probs"][0]},
    "fewer steps": lambda a: {"1.parents": a["1.parents"][:-1]},
    "fewer rows": lambda a: {"1.utterances": a["1.utterances"][:-1]},
    "fewer labels": lambda a: {"1.label_probs": a["1.label_probs"][..., :-1]},
    "fewer candidates": lambda a: {
        name: a[name][..., :-1] for name in ("1.candidate_ids", "1.log_probs")
    },
    "not a number": lambda a: {"1.log_probs": a["1.log_probs"] * np.float32(np.nan)},
    "beyond all": lambda a: {"1.label_probs": a["1.label_probs"] + np.float32(np.inf)},
    "no words": lambda a: {"1.emotion_words": a["1.emotion_words"][..., :0]},
}


@pytest.mark.parametrize("case", sorted(HOSTILE))
def test_goldens_that_do_not_fit_are_refused(
    backend: OrtBackend, goldens: bytes, case: str
) -> None:
    arrays = arrays_of(goldens)
    assert replay(backend, packed(arrays)).tokens_equal
    with pytest.raises(BundleError, match="do not fit"):
        replay(backend, packed(arrays | HOSTILE[case](arrays)))


def test_compressed_goldens_are_refused(backend: OrtBackend, goldens: bytes) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays_of(goldens))
    with pytest.raises(BundleError, match="cannot be read"):
        replay(backend, file.getvalue())


@pytest.mark.parametrize("shape", ["(1000000000000000,)", "(2,)", "()" * 3000, "(", "(1, 'a')"])
def test_headers_that_lie_are_refused(backend: OrtBackend, goldens: bytes, shape: str) -> None:
    file = io.BytesIO(goldens)
    with zipfile.ZipFile(file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, raw in (parts | {"0.token_ids.npy": header_of(shape)}).items():
            archive.writestr(name, raw)
    with pytest.raises(BundleError, match="goldens"):
        replay(backend, file.getvalue())


def test_goldens_behind_a_password_are_refused(backend: OrtBackend, goldens: bytes) -> None:
    raw = bytearray(goldens)
    for sign, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(sign) + offset] |= 1
    with pytest.raises(BundleError, match="cannot be read"):
        replay(backend, bytes(raw))


def test_members_that_share_their_bytes_are_refused(backend: OrtBackend) -> None:
    """A small file that would unpack to a large one."""
    raw = bytearray(packed({f"{i}": np.zeros(1000, np.int32) for i in range(8)}))
    at = raw.index(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (1 << 20).to_bytes(4, "little")  # its size when unpacked
    with pytest.raises(BundleError, match="cannot be read"):
        replay(backend, bytes(raw))


@pytest.mark.parametrize("text", ["__import__('os').abort()", "{'descr': 'O'}", "(" * 5000])
def test_headers_are_not_evaluated(backend: OrtBackend, goldens: bytes, text: str) -> None:
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in arrays_of(goldens):
            archive.writestr(f"{name}.npy", member)
    with pytest.raises(BundleError, match="cannot be read"):
        replay(backend, file.getvalue())
