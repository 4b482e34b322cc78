"""The weights of a bundle: a safetensors file that is whole, and numbers that are all finite.

The file is eight bytes with the length of a header, the header (JSON: type, shape and place of each
tensor), and the tensors without a gap. One NaN among a million weights may never show in a reply,
or show as a confident one: infinity passes through tanh and comes out as 1. So all of them are
looked at once, when the bundle is opened, which takes a millisecond for each ten megabytes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec
import numpy as np

from ..errors import BundleError, DivergenceError

_NAME = "the header of weights.safetensors"
_PREFIX = 8
_MAX_HEADER_BYTES = 1 << 24
# Bytes of a number, and its bits that are all ones in NaN and infinity, and in these alone.
_FLOATS: Mapping[str, tuple[int, int]] = {
    "F16": (2, 0x7C00),
    "BF16": (2, 0x7F80),
    "F32": (4, 0x7F80_0000),
    "F64": (8, 0x7FF0_0000_0000_0000),
}
_OTHERS: Mapping[str, int] = {
    **{"BOOL": 1, "I8": 1, "U8": 1, "I16": 2, "U16": 2},
    **{"I32": 4, "U32": 4, "I64": 8, "U64": 8},
}


class _Tensor(msgspec.Struct, frozen=True):
    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def check_weights(data: bytes) -> None:
    """Do nothing if `data` is a whole safetensors file and all its floats are finite.

    Raises:
        BundleError: the file is damaged; the message names the first fault.
        DivergenceError: a weight is NaN or infinite; the message names its tensor.
    """
    size = int.from_bytes(data[:_PREFIX], "little")
    start = _PREFIX + size
    if len(data) < _PREFIX or size > _MAX_HEADER_BYTES or start > len(data):
        raise BundleError(f"weights.safetensors holds {len(data)} bytes and a header of {size}")
    end = 0
    for name, tensor in _in_order(data[_PREFIX:start]):
        first, last = tensor.data_offsets
        item = _FLOATS.get(tensor.dtype, (0, 0))[0] or _OTHERS.get(tensor.dtype, 0)
        whole = min(tensor.shape, default=0) >= 0 and math.prod(tensor.shape) * item == last - first
        if not item or not whole or first != end or last > len(data) - start:
            raise BundleError(
                f"{_NAME}: {name[:60]!r} is {tensor.dtype[:20]} {tensor.shape[:6]} in bytes "
                f"{first} to {last}",
                hint="fetch or export the bundle again",
            )
        end = last
        if tensor.dtype in _FLOATS and not _is_finite(data, start + first, last - first, tensor):
            raise DivergenceError(
                f"{name[:60]!r} in weights.safetensors holds NaN or infinity",
                hint="the weights are damaged; export the bundle again",
            )
    if end != len(data) - start:
        raise BundleError(f"weights.safetensors holds {len(data) - start - end} bytes too many")


def _in_order(header: bytes) -> list[tuple[str, _Tensor]]:
    """Return the tensors of a header with their names, by their place in the file."""
    try:
        entries = msgspec.json.decode(header, type=dict[str, msgspec.Raw])
        entries.pop("__metadata__", None)
        found = [(name, msgspec.json.decode(raw, type=_Tensor)) for name, raw in entries.items()]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(
            f"{_NAME} cannot be read: {str(error)[:120]}", hint="fetch or export the bundle again"
        ) from None
    return sorted(found, key=lambda item: item[1].data_offsets)


def _is_finite(data: bytes, start: int, size: int, tensor: _Tensor) -> bool:
    """Return whether no float of a tensor has an exponent of ones.

    Read as whole numbers with a sign, positive floats lie below the first positive one that is not
    finite; read without one, negative floats below the first negative. Two maxima cost less than
    looking at each number.
    """
    item, ones = _FLOATS[tensor.dtype]
    bits = np.frombuffer(data, f"<u{item}", size // item, start)
    sign = 1 << (8 * item - 1)
    return not size or bool(bits.max() < sign + ones and bits.view(f"<i{item}").max() < ones)
