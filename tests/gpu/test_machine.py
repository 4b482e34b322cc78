"""Which machine and which software: what every other section's figures depend on."""

from __future__ import annotations

from importlib import metadata

import pytest

from empgan_bench.measuring import fingerprint, gpu
from empgan_rt import threads
from gpu.engines import Tell

pytestmark = [pytest.mark.gpu, pytest.mark.timeout(120)]

PACKAGES = (
    *("numpy", "torch", "triton", "onnxruntime", "onnxruntime-gpu", "onnx"),
    *("tensorrt", "tensorrt-cu13", "tensorrt-rtx", "tensorrt-rtx-cu13", "cuda-python"),
    *("cuda-bindings", "nvidia-cuda-runtime", "nvidia-cublas", "nvidia-cudnn-cu13"),
    *("nvidia-cuda-runtime-cu12", "nvidia-cublas-cu12", "nvidia-cudnn-cu12"),
    *("tokenizers", "msgspec", "safetensors", "psutil", "plotly", "pytest"),
)


def test_which_machine_this_is(tell: Tell) -> None:
    """The facts of the GPUs come from the driver itself, versions without imports."""
    facts = {f"GPU {place}" if place else "GPU": str(g) for place, g in enumerate(gpu.gpus())}
    found = fingerprint.take("", threads.allowed_cores())
    facts |= {
        "CPU": f"{found.cpu} ({', '.join(found.cpu_features)})",
        "cores allowed, of": f"{found.cores_allowed}, {found.cores}",
        "RAM": f"{found.ram_gib} GiB",
        "system": f"{found.system}, Python {found.python}",
        "empgan-rt": f"{found.empgan_rt}, commit {found.commit or 'unknown'}",
        "load average": f"{found.load_average}",
    }
    for package in PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for name, value in facts.items():
        if value:
            tell({"what": name, "value": value})
