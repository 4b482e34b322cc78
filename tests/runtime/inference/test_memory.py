"""What a worker holds after it has loaded a model, and what it gives back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from empgan_rt import Responder
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import InputError

LOADED = """
import sys
from pathlib import Path
from empgan_rt import Responder, set_num_threads
from empgan_rt.backends.onnxruntime.session import import_onnxruntime

def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous:"))

set_num_threads(1)
import_onnxruntime()
before = private()
responder = Responder.load("default", precision=sys.argv[1])
print(private() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another malloc keeps what it likes")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_loading_leaves_little_more_than_the_model(precision: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", LOADED, precision], capture_output=True, text=True, check=True
    )
    weights = len(Bundle.open("default").weights)  # in float16, most of them
    assert weights < int(ran.stdout) < 3 * weights


def test_a_responder_does_not_keep_the_weights() -> None:
    with Responder.load("tiny") as responder:
        assert responder.bundle.text("MODEL_CARD.md")
        with pytest.raises(InputError, match="given back"):
            _ = responder.bundle.weights
        assert responder.reply(["hello there"]).text
