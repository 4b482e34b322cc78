"""Work captured as CUDA graphs: one launch for all of its kernels.

Everything is captured in inference mode, or PyTorch refuses a later capture for the tensors that it
made of its random number generator in an earlier one.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

_WARM_UPS = 2

Work = Callable[[], None]


class Captures:
    """Captures work that is never run at the same time, so that all graphs share their memory.

    Args:
        device: "cuda"; on "cpu" nothing is captured, and work stays as it is.
    """

    def __init__(self, device: str) -> None:
        self._captures = device == "cuda"
        if self._captures:
            self._pool = torch.cuda.graph_pool_handle()
            self._side = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # PyTorch's

    @torch.inference_mode()
    def of(self, work: Work) -> Work:
        """Return what does the work again; on a GPU it is done here a few times already.

        Args:
            work: reads and writes tensors that stay where they are; waits for nothing.
        """
        if not self._captures:
            return work
        self._side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._side):  # libraries make their handles and workspaces
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(self._side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, stream=self._side):
            work()
        return graph.replay
