"""Goldens: what one backend computed on fixed inputs, and how far another one deviates.

Tokens are forced, so that a near-tie cannot send two backends down different replies, and compared
are the best candidates of each step. Goldens are an .npz file without pickled objects.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .backend import Backend
from .config import GeneratorConfig
from .errors import BundleError, ParityError
from .graph_spec import EOS, NUM_LABELS, PAD, SOS, STRUCK, UNKNOWN_LABEL, EncoderInput, IntArray

NUM_CANDIDATES = 8
TIE = 1e-4  # natural-log probability of a whole reply
# Letters as in `graph_spec`, and T steps.
_INPUTS = {
    "utterances": "BML",
    "emotion_words": "BMN",
    "emotion_labels": "BM",
    "token_ids": "TBK",
    "parents": "TBK",
}
_OUTPUTS = {"label_probs": "BMP", "candidate_ids": "TBKC", "log_probs": "TBKC"}
_FIXED = {"P": NUM_LABELS, "C": NUM_CANDIDATES}
_FLOATS = ("label_probs", "log_probs")


@dataclass(frozen=True)
class Golden:
    """One batch of dialogues and the tokens that its beams are made to take.

    Attributes:
        inputs: B dialogues.
        token_ids: (T, B, K) int32, SOS first.
        parents: (T, B, K) int32.
    """

    inputs: EncoderInput
    token_ids: IntArray
    parents: IntArray


@dataclass(frozen=True)
class Deviation:
    """How far a backend is from the goldens.

    Attributes:
        max_abs: largest absolute difference of each output, candidates that are struck left out.
        tokens_equal: whether all candidates agree, near-ties aside.
        ties: places where other tokens came whose log-probabilities are within the tolerance.
    """

    max_abs: Mapping[str, float]
    tokens_equal: bool
    ties: int


def seeded_goldens(model: GeneratorConfig, seed: int = 0) -> list[Golden]:
    """Return three random batches for a model, of one to five dialogues and one or two beams.

    All axes differ between them. Dialogues are padded to unequal lengths, labels are given and
    unknown, and parents cross.
    """
    draw = np.random.default_rng(seed)

    def ids(high: int, *shape: int, low: int = EOS) -> IntArray:
        return draw.integers(low, high, shape).astype(np.int32)

    goldens = []
    for rows, turns, tokens, words, beams, steps in (
        (1, 1, 4, 1, 1, 6),
        (3, 5, 11, 3, 2, 12),
        (5, 2, 7, 2, 2, 8),
    ):
        utterances = ids(model.vocabulary_size, rows, turns, tokens)
        emotion_words = ids(model.emotion_vocabulary_size, rows, turns, words)
        labels = ids(UNKNOWN_LABEL + 1, rows, turns, low=1)
        for row in range(1, rows):
            used = 1 + row % turns
            utterances[row, :, tokens - row :] = PAD
            for array in (utterances, emotion_words, labels):
                array[row, used:] = PAD
        token_ids = ids(model.vocabulary_size, steps, rows, beams)
        token_ids[0] = SOS
        parents = ids(beams, steps, rows, beams, low=0)
        inputs = EncoderInput(utterances, emotion_words, labels)
        goldens.append(Golden(inputs, token_ids, parents))
    return goldens


def record(backend: Backend, goldens: Sequence[Golden]) -> bytes:
    """Return an .npz file with the goldens and what `backend` computes for them."""
    arrays: dict[str, Any] = {}
    for index, golden in enumerate(goldens):
        given = {**vars(golden.inputs), "token_ids": golden.token_ids, "parents": golden.parents}
        for name, array in (given | _outputs(backend, golden)).items():
            arrays[f"{index}.{name}"] = array
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def replay(backend: Backend, goldens: bytes, tie: float = 1e-4) -> Deviation:
    """Return how far `backend` is from recorded goldens.

    Args:
        backend: what is measured.
        goldens: from `record`.
        tie: candidates whose log-probabilities differ by less may change places.

    Raises:
        BundleError: the file holds no goldens.
    """
    max_abs = {"label_probs": 0.0, "log_probs": 0.0}
    wrong = ties = 0
    for golden, wanted in _load(goldens):
        found = _outputs(backend, golden)
        live = wanted["log_probs"] > STRUCK / 2
        for name, keep in (("label_probs", ...), ("log_probs", live)):
            gap = np.abs(found[name][keep] - wanted[name][keep]).max(initial=0.0)
            max_abs[name] = float(np.maximum(max_abs[name], gap))  # NaN stays
        swaps = _swap_gaps(wanted, found)[live]
        wrong += int((swaps >= tie).sum())
        ties += int(((swaps >= 0) & (swaps < tie)).sum())
    return Deviation(max_abs, wrong == 0, ties)


def tie_gap(
    log_probs: tuple[float, float], lengths: tuple[int, int], length_penalty: float
) -> float:
    """Return how much log-probability would reverse the order of two whole replies.

    A search ranks by log P / length ** length_penalty, so those scores are compared and their
    difference is brought back to the scale of the longer reply's log P. Below TIE, rounding alone
    decides between the two.

    Args:
        log_probs: of both replies, computed in float64.
        lengths: their tokens, the end of sequence included.
        length_penalty: of the search.
    """
    scales = [float(max(length, 1) ** length_penalty) for length in lengths]
    return abs(log_probs[0] / scales[0] - log_probs[1] / scales[1]) * max(scales)


def check(deviation: Deviation, atol: float) -> None:
    """Do nothing if the tokens agree and no output deviates by more than `atol`.

    Raises:
        ParityError: otherwise; the message lists every output that is too far.
    """
    faults = [
        f"{name} deviates by {value:.3g}, at most {atol:.3g} is allowed"
        for name, value in deviation.max_abs.items()
        if not value <= atol
    ]
    if not deviation.tokens_equal:
        faults.append("other tokens are chosen")
    if faults:
        raise ParityError("; ".join(faults), hint="the graph does not compute what it should")


def _outputs(backend: Backend, golden: Golden) -> dict[str, npt.NDArray[Any]]:
    """Return the outputs of one golden: (B, M, 7) and twice (T, B, K, C)."""
    steps, rows, beams = golden.token_ids.shape
    encoded = backend.encode(golden.inputs)
    state = backend.open(rows, beams)
    backend.admit(state, np.arange(rows, dtype=np.int32), encoded)
    banned = np.full((rows, beams, 1), PAD, np.int32)
    found = [
        backend.step(state, golden.token_ids[t], golden.parents[t], banned, NUM_CANDIDATES)
        for t in range(steps)
    ]
    return {
        "label_probs": encoded.label_probs,
        "candidate_ids": np.stack([candidates.token_ids for candidates in found]),
        "log_probs": np.stack([candidates.log_probs for candidates in found]),
    }


def _swap_gaps(
    wanted: Mapping[str, npt.NDArray[Any]], found: Mapping[str, npt.NDArray[Any]]
) -> npt.NDArray[np.float64]:
    """Return, for each wanted candidate, how much less probable the one in its place should be.

    -1 where they are the same. A token from outside the wanted ones is taken to be just as
    probable as the last of them, the most that it can be.
    """
    ids, other = wanted["candidate_ids"], found["candidate_ids"]
    log_probs = wanted["log_probs"].astype(np.float64)
    matches = other[..., :, None] == ids[..., None, :]  # (T, B, K, C found, C wanted)
    where = np.where(matches.any(axis=-1), matches.argmax(axis=-1), ids.shape[-1] - 1)
    gaps = np.abs(log_probs - np.take_along_axis(log_probs, where, axis=-1))
    return np.where(ids == other, -1.0, gaps)


def _load(goldens: bytes) -> list[tuple[Golden, dict[str, npt.NDArray[Any]]]]:
    """Return the goldens in an .npz file, each with its recorded outputs."""
    try:
        cases = _cases(goldens)
    except Exception as error:  # on hostile bytes zipfile and NumPy raise unrelated types
        raise BundleError(f"the goldens cannot be read: {type(error).__name__}") from None
    if not cases or not all(map(_is_sound, cases)):
        raise BundleError(
            "the goldens hold no steps, or arrays that do not fit", hint="export the bundle again"
        )
    return [
        (
            Golden(
                EncoderInput(c["utterances"], c["emotion_words"], c["emotion_labels"]),
                c["token_ids"],
                c["parents"],
            ),
            {name: c[name] for name in _OUTPUTS},
        )
        for c in cases
    ]


def _cases(goldens: bytes) -> list[dict[str, npt.NDArray[Any]]]:
    """Return the arrays of each golden; nothing is made that is larger than the file."""
    with zipfile.ZipFile(io.BytesIO(goldens)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        names = [*_INPUTS, *_OUTPUTS]
        return [
            {name: _array(archive.read(f"{index}.{name}.npy")) for name in names}
            for index in range(len(members) // len(names))
        ]


def _array(raw: bytes) -> npt.NDArray[Any]:
    """Return the array in an .npy file of version 1.0, whose shape must account for its bytes."""
    file = io.BytesIO(raw)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("version")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    flat = np.frombuffer(bytearray(raw), dtype, offset=file.tell())  # writable, as PyTorch wants
    return flat.reshape(shape, order="F" if is_fortran else "C")


def _is_sound(case: Mapping[str, npt.NDArray[Any]]) -> bool:
    """Return whether dtypes are right, and axes of one letter as long everywhere and not empty."""
    sizes = dict(_FIXED)
    for name, axes in (_INPUTS | _OUTPUTS).items():
        array = case[name]
        if array.dtype != (np.float32 if name in _FLOATS else np.int32) or not array.size:
            return False
        if array.ndim != len(axes) or any(
            sizes.setdefault(axis, size) != size
            for axis, size in zip(axes, array.shape, strict=True)
        ):
            return False
    return True
