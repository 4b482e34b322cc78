"""JSON of a bundle: what some reader or writer could not hold is refused at the door."""

from __future__ import annotations

import pytest

from empgan_rt.bundle.strict_json import MAX_DEPTH, load_json
from empgan_rt.errors import BundleError


def nested(depth: int) -> bytes:
    return b'{"a": ' * depth + b"1" + b"}" * depth


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b'{"a": %s}' % (b"9" * 5000), "a number of 5000 digits"),
        (b'{"a": -%s}' % (b"9" * 30), "a number of 31 digits"),
        (b'{"a": 18446744073709551616}', "a number of 20 digits"),
        (b'{"a": -9223372036854775809}', "a number of 20 digits"),
        (b'{"a": 1e999}', "beyond the range of float64"),
        (b'{"a": [-1e999]}', "beyond the range of float64"),
        (b'{"a": 1%s.5}' % (b"0" * 400), "beyond the range of float64"),
        (b'{"a": -Infinity}', "-Infinity is not JSON"),
        (nested(MAX_DEPTH + 1), "nested too deep"),
        (b'{"a": %s}' % (b"[" * 40 + b"]" * 40), "nested too deep"),
        (nested(100_000), "nested too deep"),
        (b'{"a": "\\udc00"}', "surrogates"),
        (b'{"\\ud800": 1}', "surrogates"),
    ],
)
def test_what_others_cannot_hold_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(BundleError, match=f"^x.json is not usable JSON: .*{message}"):
        load_json(raw, "x.json")


def test_all_else_is_taken_at_its_word() -> None:
    raw = b'{"a": [18446744073709551615, -9223372036854775808, 1e308, -0.0, 1e-999, true, null]}'
    assert load_json(raw, "x.json") == {"a": [2**64 - 1, -(2**63), 1e308, 0.0, 0.0, True, None]}
    load_json(nested(MAX_DEPTH - 1), "x.json")
