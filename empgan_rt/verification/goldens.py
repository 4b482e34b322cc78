"""Goldens: fixed inputs, and what a backend computed on them, as an .npz file without pickles.

Tokens are forced, so that a near-tie cannot send two backends down different replies, and compared
are the best candidates of each step.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..config import GeneratorConfig
from ..errors import BundleError
from ..graph_spec import (
    EOS,
    NUM_CANDIDATES,
    NUM_LABELS,
    PAD,
    SOS,
    UNKNOWN_LABEL,
    EncoderInput,
    IntArray,
)

Arrays = Mapping[str, npt.NDArray[Any]]

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
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<length>..)(?P<text>\{'descr': '(?P<dtype>[<>|][biuf][1248])', "
    rb"'fortran_order': (?P<order>True|False), 'shape': \((?P<shape>[0-9, ]{0,60})\), \} *\n)",
    re.DOTALL,
)


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


def save(cases: Sequence[tuple[Golden, Arrays]]) -> bytes:
    """Return an .npz file with goldens and the outputs of each: `load` reads it."""
    arrays: dict[str, Any] = {}
    for index, (golden, outputs) in enumerate(cases):
        given = {**vars(golden.inputs), "token_ids": golden.token_ids, "parents": golden.parents}
        for name, array in (given | dict(outputs)).items():
            arrays[f"{index}.{name}"] = array
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def load(goldens: bytes) -> list[tuple[Golden, Arrays]]:
    """Return the goldens in an .npz file, each with its recorded outputs.

    Raises:
        BundleError: the file holds no goldens.
    """
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
    """Return the arrays of each golden; all together are no larger than the file."""
    with zipfile.ZipFile(io.BytesIO(goldens)) as archive:
        members = archive.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("compressed")
        if sum(member.file_size for member in members) > len(goldens):
            raise ValueError("members that overlap")
        names = [*_INPUTS, *_OUTPUTS]
        return [
            {name: _array(archive.read(f"{index}.{name}.npy")) for name in names}
            for index in range(len(members) // len(names))
        ]


def _array(raw: bytes) -> npt.NDArray[Any]:
    """Return the array in an .npy file of version 1.0, whose shape must account for its bytes.

    NumPy's own reader would evaluate the header as an expression.
    """
    header = _HEADER.match(raw)
    if header is None or int.from_bytes(header["length"], "little") != len(header["text"]):
        raise ValueError("header")
    shape = tuple(int(size) for size in header["shape"].split(b",") if size.strip())
    dtype = header["dtype"].decode()
    flat = np.frombuffer(bytearray(raw), dtype, offset=header.end())  # writable, as PyTorch wants
    return flat.reshape(shape, order="F" if header["order"] == b"True" else "C")


def _is_sound(case: Arrays) -> bool:
    """Return whether dtypes are right, floats finite, and axes of a letter of one length, not 0."""
    sizes = dict(_FIXED)
    for name, axes in (_INPUTS | _OUTPUTS).items():
        array = case[name]
        if array.dtype != (np.float32 if name in _FLOATS else np.int32) or not array.size:
            return False
        if name in _FLOATS and not np.isfinite(array).all():
            return False
        if array.ndim != len(axes) or any(
            sizes.setdefault(axis, size) != size
            for axis, size in zip(axes, array.shape, strict=True)
        ):
            return False
    return True
