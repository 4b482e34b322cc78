"""ONNX Runtime with the decoder's memory on the device: the backend of every device but the CPU.

Between two steps hidden state, values, keys and mask stay where they are. Token ids, parents and
banned ids go up, candidates come down. An admission takes the mask and the first hidden state of
the newcomers over the host, which has to know how long their memories are and that nothing in them
is NaN; the memory itself goes from encoder to slot on the device.

Everything here runs on CPU tensors too (`DeviceBackend(bundle, "cpu")`), which is how it is tested.
Why no CUDA graph is captured: docs/decisions/0018-memory-on-the-device.md.
"""

from __future__ import annotations

from typing import Any

from ...bundle.bundle import Bundle
from ...errors import InputError
from ...graph_spec import STAYING
from . import providers
from .backend import OrtBackend
from .device_rows import DeviceRows
from .device_session import DeviceSession
from .device_state import DeviceState


class DeviceBackend(OrtBackend):
    """A `Backend` on ONNX Runtime; arguments and errors as `OrtBackend`."""

    goes_on = False  # what is kept of turns would have to cross over at each reply

    def __init__(
        self,
        bundle: Bundle,
        device: str = "cuda",
        precision: str = "fp32",
        turn_cache: int = 0,
    ) -> None:
        self._memory = providers.known(device).memory
        # First: it finds out whether the device can be used.
        self._rows: DeviceRows | None = DeviceRows(self._memory)
        super().__init__(bundle, device, precision, turn_cache)

    def open_graph(self, which: str, graph: bytes) -> DeviceSession:
        """See `OrtBackend.open_graph`; what stays on the device is an OrtValue."""
        return DeviceSession(self.open_session(which, graph), self._memory, STAYING[which])

    def close(self) -> None:
        """See `OrtBackend.close`; states that are still held keep their memory."""
        super().close()
        self._rows = None

    def _empty(self, slots: int, beam_size: int) -> Any:
        if self._rows is None:
            raise InputError("the backend is closed", hint="load the model again")
        return DeviceState.empty(self._rows, slots, beam_size, self.bundle.model.hidden_size)
