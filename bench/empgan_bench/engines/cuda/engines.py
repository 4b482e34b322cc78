"""Our own engines on a GPU: ONNX Runtime and TensorRT, in every precision of a bundle."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from empgan_rt import threads as runtime_threads
from empgan_rt.backends.loader import load_backend
from empgan_rt.backends.tensorrt.backend import TrtBackend
from empgan_rt.bundle.bundle import Bundle

from ..base import Engine, versions
from .clock import stream_clock

_PACKAGES = {
    "onnxruntime": ("onnxruntime-gpu",),
    "tensorrt": ("tensorrt", "tensorrt-cu13", "tensorrt-cu12", "tensorrt-rtx", "cuda-python"),
}


def _opened(name: str, precision: str, bundle: str, threads: int) -> Engine:
    """Return a backend on the current GPU; errors as `load_backend`."""
    runtime_threads.set_num_threads(threads)
    opened = Bundle.open(bundle)
    backend = load_backend(opened, name, "cuda", precision)
    engine = Engine(backend, opened.model.vocabulary_size, versions(*_PACKAGES[name]))
    if not isinstance(backend, TrtBackend):  # ONNX Runtime keeps its stream to itself
        return engine
    return replace(engine, clock=stream_clock(backend.gpu))


open_onnxruntime = partial(_opened, "onnxruntime", "fp32")
open_onnxruntime_fp16 = partial(_opened, "onnxruntime", "fp16")
open_onnxruntime_int8 = partial(_opened, "onnxruntime", "int8")
open_tensorrt = partial(_opened, "tensorrt", "fp32")
open_tensorrt_fp16 = partial(_opened, "tensorrt", "fp16")
open_tensorrt_int8 = partial(_opened, "tensorrt", "int8")
