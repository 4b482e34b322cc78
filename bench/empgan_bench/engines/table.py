"""Device and engine -> how a worker opens it, a literal table; only workers import what it names.

A *yardstick* is timed beside the engines and answers nobody: the floor, which is bare matrix
products, and peers, other projects' decoders with random weights, in interpreters of their own.
"""

from __future__ import annotations

from collections.abc import Mapping

REFERENCE = "eager"
ENGINES: Mapping[str, Mapping[str, str]] = {
    "cpu": {
        "onnxruntime": "empgan_bench.engines.base:open_onnxruntime",
        "onnxruntime-fp16": "empgan_bench.engines.base:open_onnxruntime_fp16",
        "onnxruntime-int8": "empgan_bench.engines.base:open_onnxruntime_int8",
        "openvino": "empgan_bench.engines.openvino:open_openvino",
        "openvino-bf16": "empgan_bench.engines.openvino:open_openvino_bf16",
        "eager": "empgan_bench.engines.torch:open_eager",
        "eager-bf16": "empgan_bench.engines.torch:open_eager_bf16",
        "compile": "empgan_bench.engines.torch:open_compiled",
        "naive": "empgan_bench.engines.torch:open_naive",
        "floor": "empgan_bench.engines.floor:open_floor",
        "floor-int8": "empgan_bench.engines.floor:open_floor_int8",
    },
    "cuda": {
        "onnxruntime": "empgan_bench.engines.cuda.engines:open_onnxruntime",
        "onnxruntime-fp16": "empgan_bench.engines.cuda.engines:open_onnxruntime_fp16",
        "onnxruntime-int8": "empgan_bench.engines.cuda.engines:open_onnxruntime_int8",
        "tensorrt": "empgan_bench.engines.cuda.engines:open_tensorrt",
        "tensorrt-fp16": "empgan_bench.engines.cuda.engines:open_tensorrt_fp16",
        "tensorrt-int8": "empgan_bench.engines.cuda.engines:open_tensorrt_int8",
        "eager": "empgan_bench.engines.cuda.torch:open_eager",
        "eager-bf16": "empgan_bench.engines.cuda.torch:open_eager_bf16",
        "eager-fp16": "empgan_bench.engines.cuda.torch:open_eager_fp16",
        "compile": "empgan_bench.engines.cuda.torch:open_compiled",
        "cuda-graphs": "empgan_bench.engines.cuda.torch:open_cuda_graphs",
        "floor": "empgan_bench.engines.cuda.torch:open_floor",
        "floor-fp16": "empgan_bench.engines.cuda.torch:open_floor_fp16",
    },
}
PEERS: Mapping[str, str] = {
    "joeynmt": "empgan_bench.engines.peers.joeynmt:open_joeynmt",
    "ctranslate2": "empgan_bench.engines.peers.ctranslate2:open_ctranslate2",
    "ctranslate2-int8": "empgan_bench.engines.peers.ctranslate2:open_ctranslate2_int8",
}
# Device -> engine -> the floor of its precision, and on the CPU of its runtime.
FLOORS: Mapping[str, Mapping[str, str]] = {
    "cpu": {"onnxruntime": "floor", "onnxruntime-int8": "floor-int8"},
    "cuda": {
        **dict.fromkeys(("onnxruntime", "tensorrt", "eager", "compile", "cuda-graphs"), "floor"),
        **dict.fromkeys(("onnxruntime-fp16", "tensorrt-fp16", "eager-fp16"), "floor-fp16"),
    },
}
YARDSTICKS = frozenset({*PEERS, "floor", "floor-fp16", "floor-int8"})
OTHER = "@other"  # behind the name of an engine: it is that of another build of ours
_ROUNDED = (
    *("onnxruntime-int8", "onnxruntime-fp16", "tensorrt-int8", "tensorrt-fp16"),
    *("openvino-bf16", "eager-bf16", "eager-fp16"),
)
# These may write other replies than the reference.
APPROXIMATE = frozenset({*_ROUNDED, *(name + OTHER for name in _ROUNDED)})
# These decode whole batches; in all others, but for yardsticks, requests may enter and leave the
# decoder between any two steps.
STATIC = frozenset({"naive"})


def is_remote(name: str) -> bool:
    """Return whether a name is the URL of a server, which is timed over HTTP."""
    return "://" in name


def label(name: str) -> str:
    """Return the name of what was timed, as reports show it: a yardstick says that it is one."""
    if name in PEERS:
        return f"{name} (peer)"
    return f"{name} (products only)" if name in YARDSTICKS else name
