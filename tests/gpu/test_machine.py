"""Which machine and which software: what every other section's figures depend on."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata

from empgan_rt import threads

from ..measuring import fingerprint, gpu
from .records import Finding, Job

GPU = "GPU"
_PACKAGES = (
    *("numpy", "torch", "triton", "onnxruntime", "onnxruntime-gpu", "onnx"),
    *("tensorrt", "tensorrt-cu13", "tensorrt-rtx", "tensorrt-rtx-cu13", "cuda-python"),
    *("cuda-bindings", "nvidia-cuda-runtime", "nvidia-cublas", "nvidia-cudnn-cu13"),
    *("nvidia-cuda-runtime-cu12", "nvidia-cublas-cu12", "nvidia-cudnn-cu12"),
    *("tokenizers", "msgspec", "safetensors", "psutil", "plotly", "pytest"),
)


def described(job: Job) -> Iterator[Finding]:
    """Yield facts by name; those of the GPUs from the driver itself, versions without imports."""
    facts: dict[str, str] = {}
    for place, each in enumerate(gpu.gpus()):
        facts[GPU if place == 0 else f"{GPU} {place}"] = str(each)
    found = fingerprint.take("", threads.allowed_cores())
    facts |= {
        "CPU": f"{found.cpu} ({', '.join(found.cpu_features)})",
        "cores allowed, of": f"{found.cores_allowed}, {found.cores}",
        "RAM": f"{found.ram_gib} GiB",
        "system": f"{found.system}, Python {found.python}",
        "empgan-rt": f"{found.empgan_rt}, commit {found.commit or 'unknown'}",
        "load average": f"{found.load_average}",
    }
    for package in _PACKAGES:
        try:
            facts[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    for name, value in facts.items():
        if value:
            yield Finding({"what": name, "value": value})
