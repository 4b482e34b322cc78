"""A session whose large outputs stay on its device; what is small comes to the host.

Tensors go in and out through an `IOBinding`. `run` returns when the device is done, because ONNX
Runtime waits for it at the end of every run unless it is told not to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

OrtValue = Any  # onnxruntime.OrtValue: a tensor on a device
DEVICE_ID = 0


class DeviceSession:
    """Runs one graph.

    Args:
        session: an InferenceSession on `device`.
        device: the name that ONNX Runtime knows its memory by.
        staying: outputs that stay there.
    """

    def __init__(self, session: Any, device: str, staying: frozenset[str]) -> None:
        self._session, self._device, self._staying = session, device, staying

    def run(self, names: Sequence[str], feeds: Mapping[str, Any]) -> list[Any]:
        """Return the outputs of these names: OrtValues if they stay, else NumPy arrays.

        Args:
            names: of outputs.
            feeds: NumPy arrays, which are copied to where they are needed, and OrtValues.
        """
        binding = self._session.io_binding()
        for name, value in feeds.items():
            if isinstance(value, np.ndarray):
                binding.bind_cpu_input(name, np.ascontiguousarray(value))
            else:
                binding.bind_ortvalue_input(name, value)
        for name in names:
            device = self._device if name in self._staying else "cpu"
            binding.bind_output(name, device, DEVICE_ID)  # of a size that the run finds out
        self._session.run_with_iobinding(binding)
        found = zip(names, binding.get_outputs(), strict=True)
        return [value if name in self._staying else value.numpy() for name, value in found]
