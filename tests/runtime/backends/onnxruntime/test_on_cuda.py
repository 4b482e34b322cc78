"""What only a GPU can show; run with `-m gpu` where there is one."""

from __future__ import annotations

import numpy as np
import pytest

from empgan_rt import Responder
from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime.cuda import PROVIDER
from empgan_rt.backends.onnxruntime.cuda_diagnosis import require_driver
from empgan_rt.bundle.bundle import ASSETS, EMBEDDED, Bundle
from empgan_rt.errors import ProviderError
from empgan_rt.graph_spec import SOS, EncoderInput
from empgan_rt.verification.parity import check, replay

pytestmark = pytest.mark.gpu
DIALOGUES = [["I lost my keys today."], ["Hello!", "Hi.", "My cat is ill."], ["I won the race!"]]


@pytest.fixture(scope="module", autouse=True)
def _needs_cuda() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if PROVIDER not in onnxruntime.get_available_providers():
        pytest.skip(f"this build of onnxruntime has no {PROVIDER}")
    try:
        require_driver(onnxruntime)
    except ProviderError as error:
        pytest.skip(error.message)


@pytest.mark.parametrize("name", [name for name in EMBEDDED if (ASSETS / name).is_dir()])
def test_recorded_dialogues_come_out_the_same(name: str) -> None:
    bundle = Bundle.open(name)
    backend = load_backend(bundle, device="cuda")
    check(replay(backend, bundle.goldens("fp32")), bundle.manifest.variants["fp32"].atol)


def test_the_state_stays_on_the_device() -> None:
    backend = load_backend(Bundle.open("tiny"), device="cuda")
    state = backend.open(1, 2)
    words = np.array([[[4, 5, 6]]], np.int32)
    encoded = backend.encode(EncoderInput(words, words[..., :1], np.array([[8]], np.int32)))
    backend.admit(state, np.zeros(1, np.int32), encoded)
    for count in (1, 3):
        state = backend.rearranged(state, np.zeros(1, np.int32), count)
        ids = np.full(state.rows, SOS, np.int32)
        backend.step(state, ids, np.zeros_like(ids), np.zeros((*state.rows, 1), np.int32), 3)
        for tensor in (state.hidden, state.values, state.keys, state.mask):
            assert tensor.device_name() == "cuda"


def test_replies_are_those_of_the_cpu() -> None:
    found = []
    for device in ("cpu", "cuda"):
        with Responder.load("tiny", device=device, max_running=2) as responder:
            found.append([reply.text for reply in responder.reply_batch(DIALOGUES * 3)])
    assert found[0] == found[1]
