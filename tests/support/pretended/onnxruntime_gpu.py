"""ONNX Runtime's GPU build, on a machine with or without CUDA's libraries."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

LIBRARIES = (
    *("libcudart.so.13", "libcublasLt.so.13", "libcublas.so.13", "libcurand.so.10"),
    "libcudnn.so.9",
)


@dataclass
class Machine:
    """What the loader finds, and what the driver says."""

    driver: bool = True
    driver_cuda: int = 13000  # as cuDriverGetVersion returns it
    init: int = 0  # 100 is CUDA_ERROR_NO_DEVICE
    gpus: int = 1
    libraries: tuple[str, ...] = LIBRARIES

    def load(self, name: str) -> Any:
        if name == "libcuda.so.1" and self.driver:
            return self
        if name in self.libraries:
            return SimpleNamespace()
        # glibc's words, as Python reports them.
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    def cuDriverGetVersion(self, version: Any) -> int:  # noqa: N802 - the driver's name
        version._obj.value = self.driver_cuda
        return 0

    def cuInit(self, flags: int) -> int:  # noqa: N802 - the driver's name
        return self.init

    def cuDeviceGetCount(self, count: Any) -> int:  # noqa: N802 - the driver's name
        count._obj.value = self.gpus
        return 0


def be_on(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loader find what the machine has."""
    monkeypatch.setattr(ctypes, "CDLL", machine.load)


@dataclass
class _SessionOptions:
    """SessionOptions."""

    entries: dict[str, str] = field(default_factory=dict)

    def add_session_config_entry(self, key: str, value: str) -> None:
        self.entries[key] = value

    def add_external_initializers_from_files_in_memory(self, *arguments: object) -> None:
        pass


class OnnxRuntimeGpu:
    """The module of onnxruntime-gpu 1.31.1; its sessions do nothing.

    Args:
        chosen: the provider that sessions say they are on.
        refuses: raised instead of a session.
        nodes: provider -> operators that it says it runs.
    """

    __version__ = "1.31.1"
    cuda_version = "13.0"
    SessionOptions = _SessionOptions

    def __init__(
        self,
        chosen: str = "CUDAExecutionProvider",
        refuses: Exception | None = None,
        nodes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self._chosen, self._refuses, self._nodes = chosen, refuses, nodes or {}
        self.asked: list[tuple[dict[str, str], list[Any], int]] = []
        self.preloads = 0

    def get_available_providers(self) -> list[str]:
        # As seen with onnxruntime-gpu 1.31.1, on a machine without a GPU too.
        return ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"]

    def preload_dlls(self) -> None:
        self.preloads += 1
        # Seen with onnxruntime-gpu 1.31.1 on a machine without CUDA; it prints to stdout.
        print(
            "Failed to load libcublasLt.so.13: libcublasLt.so.13: cannot open shared object file: "
            "No such file or directory"
        )

    def InferenceSession(  # noqa: N802 - ONNX Runtime's name
        self, graph: bytes, options: _SessionOptions, providers: list[Any], enable_fallback: int
    ) -> Any:
        self.asked.append((options.entries, providers, enable_fallback))
        if self._refuses is not None:
            raise self._refuses
        parts = [_part(name, kinds) for name, kinds in self._nodes.items()]
        return SimpleNamespace(
            get_providers=lambda: [self._chosen, "CPUExecutionProvider"],
            get_provider_graph_assignment_info=lambda: parts,
        )


def _part(provider: str, kinds: Sequence[str]) -> Any:
    nodes = [SimpleNamespace(op_type=kind) for kind in kinds]
    return SimpleNamespace(ep_name=provider, get_nodes=lambda: nodes)
