"""What is particular to ONNX Runtime's CUDA provider: its libraries, options and nodes.

A session may leave nodes to the CPU. For the integers that shapes are made of, that is as it should
be: `Shape` writes to the host, and what follows it is put there too. The decoder step computes no
shapes, so `session.disable_cpu_ep_fallback` holds for it; the encoders would be refused. They are
asked which nodes they left, and none of those that cost time may be among them.
"""

from __future__ import annotations

import functools
import io
import logging
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from typing import Any

from ...errors import ProviderError

PROVIDER = "CUDAExecutionProvider"
OPTIONS: Mapping[str, str] = {
    "use_tf32": "0",  # on by default; it keeps 10 of float32's 23 bits
    # Doubling regions: few calls of cudaMalloc, which waits for the device, as batches change size.
    "arena_extend_strategy": "kNextPowerOfTwo",
}
NO_FALLBACK = "session.disable_cpu_ep_fallback"
RECORD_NODES = "session.record_ep_graph_assignment_info"
WHOLE = frozenset({"decoder_step"})  # graphs that must not leave a single node

_COSTLY = frozenset({"GRU", "MatMul", "Gemm", "Softmax", "LogSoftmax", "TopK"})

_log = logging.getLogger(__name__)


@functools.cache
def preload(onnxruntime: Any) -> None:
    """Load CUDA and cuDNN from NVIDIA's wheels, where they are installed; once.

    Otherwise the system's loader looks for them, which does not know `site-packages`.
    """
    said = io.StringIO()
    with redirect_stdout(said):  # it prints, and stdout belongs to the command
        onnxruntime.preload_dlls()
    for line in said.getvalue().splitlines():
        _log.debug("preload_dlls: %s", line)


def check_nodes(session: Any, which: str, providers: Sequence[str] = (PROVIDER,)) -> None:
    """Do nothing if a session, opened with `RECORD_NODES`, left nothing that costs to the CPU.

    Args:
        session: the session.
        which: its graph, for the message.
        providers: those of the GPU.

    Raises:
        ProviderError: it did; the message names the operators.
    """
    left = {
        node.op_type
        for part in session.get_provider_graph_assignment_info()
        if part.ep_name not in providers
        for node in part.get_nodes()
    }
    if left & _COSTLY:
        raise left_to_cpu(", ".join(sorted(left & _COSTLY)), which)


def left_to_cpu(what: str, which: str) -> ProviderError:
    """Return the error that says what of a graph CUDA does not compute."""
    return ProviderError(
        f"ONNX Runtime left {what} of the {which} to the CPU",
        hint="its CUDA provider does not take them as they are: export the bundle again\n"
        "or use device 'cpu'",
    )
