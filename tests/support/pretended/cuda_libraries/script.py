"""Run by an interpreter with onnxruntime-gpu, over the stand-in: prints what happened as JSON."""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable

import numpy as np
import onnxruntime

import empgan_rt
from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.onnxruntime import cuda
from empgan_rt.bundle.bundle import Bundle
from empgan_rt.errors import EmpganError
from empgan_rt.graph_spec import SOS, EncoderInput

SLOTS, BEAMS, CANDIDATES = 2, 2, 3


def switch(name: str, value: str) -> None:
    """Set an environment variable that the stand-in reads while it runs."""
    ctypes.CDLL(None).setenv(f"STAND_IN_{name}".encode(), value.encode(), 1)


def step(backend: object, state: object) -> None:
    ids = np.full((SLOTS, BEAMS), SOS, np.int32)
    backend.step(state, ids, np.zeros_like(ids), np.zeros((*ids.shape, 1), np.int32), CANDIDATES)


def message(act: Callable[[], object]) -> str:
    try:
        act()
    except EmpganError as error:
        return error.message
    return "none"


def capture(bundle: Bundle) -> str:
    """Return why the step may not be captured as a CUDA graph."""
    options = onnxruntime.SessionOptions()
    options.add_external_initializers_from_files_in_memory(
        ["weights.safetensors"], [bundle.weights], [len(bundle.weights)]
    )
    graph = bundle.graph("fp32", "decoder_step")
    chosen = [(cuda.PROVIDER, {"enable_cuda_graph": "1"})]
    try:
        onnxruntime.InferenceSession(graph, options, providers=chosen, enable_fallback=0)
    except Exception as error:
        return str(error)
    return "none"


def main() -> None:
    onnxruntime.preload_dlls = lambda: None  # it would load the real libraries, where there are any
    empgan_rt.set_num_threads(1)
    bundle = Bundle.open("tiny")
    for precision in bundle.manifest.variants:  # loading looks where nodes went
        load_backend(bundle, device="cuda", precision=precision).close()
    backend = load_backend(bundle, device="cuda")
    words = np.array([[[4, 5, 6], [7, 8, 0]]], np.int32)
    inputs = EncoderInput(words, words[..., :1].copy(), np.array([[8, 8]], np.int32))
    state = backend.open(3, BEAMS)
    backend.admit(state, np.array([2], np.int32), backend.encode(inputs))
    state = backend.rearranged(state, np.array([2], np.int32), SLOTS)
    switch("LOG", "1")
    step(backend, state)
    switch("LOG", "0")
    tensors = {name: getattr(state, name) for name in ("hidden", "values", "keys", "mask")}
    found = {
        "devices": {name: tensor.device_name() for name, tensor in tensors.items()},
        "shapes": {name: tensor.shape() for name, tensor in tensors.items()},
        "capture": capture(bundle),
        "tensorrt": message(lambda: load_backend(bundle, device="tensorrt")),
    }
    switch("FULL", "1")
    found["full"] = message(lambda: backend.open(100_000, BEAMS))
    switch("FULL", "0")
    found["after"] = message(lambda: step(backend, state))
    switch("LOST", "1")
    found["lost"] = message(lambda: step(backend, state))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
