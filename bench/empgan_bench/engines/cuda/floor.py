"""The floor on a GPU: the bare matrix products of a batch by cuBLAS, each half one CUDA graph.

It writes no replies and is no engine. Its encoders' products are those of turns padded to the
longest, as eager PyTorch runs them there: a run for each length would multiply less and launch
more. Its time is that between events on the GPU; host, transfers and the choice of words are not in
it.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import torch

from empgan_rt.config import SearchConfig
from empgan_rt.graph_spec import EncoderInput
from empgan_training.eager import EagerBackend

from ..base import DeviceClock, Prepared, Timing
from ..floor import floor_timing, take_first_step
from .capture import Captures, Work
from .products import Products


class CudaFloor:
    """The products of a model; see `engines.base.Yardstick`.

    Args:
        backend: on the device and in the type of the products.
        clock: of that device.
        versions: packages that it computes with.
    """

    def __init__(
        self, backend: EagerBackend, clock: DeviceClock, versions: Mapping[str, str]
    ) -> None:
        self.versions = versions
        self._backend, self._clock = backend, clock
        self._captures = Captures(backend.device)

    def prepared(self, inputs: EncoderInput, search: SearchConfig) -> Prepared:
        """Return a batch's products, those of a step to be computed `search.max_length` times."""
        encoders, step = self.products(inputs, search.rows)
        captured = self._captures.of(encoders.compute), self._captures.of(step.compute)
        rows = len(inputs.emotion_labels)
        return Prepared(lambda: self._timed(*captured, search.max_length, rows))

    def products(self, inputs: EncoderInput, beam_size: int) -> tuple[Products, Products]:
        """Return what is multiplied to encode a batch, and to take a step with it."""
        backend, encoders, step = self._backend, Products(), Products()
        with encoders:
            encoded = backend.encode(inputs)
        with step:
            take_first_step(backend, encoded, beam_size)
        return encoders, step

    @torch.inference_mode()
    def _timed(self, encoders: Work, step: Work, steps: int, rows: int) -> Timing:
        encoders()  # the GPU comes from another process
        clock = self._clock
        clock.start()
        encoders()
        clock.stop()
        clock.start()
        step()
        clock.stop()
        clock.start()
        for _ in range(steps - 1):
            step()
        clock.stop()
        timing = floor_timing(*clock.read(), steps=steps, rows=rows)
        return msgspec.structs.replace(
            timing, device_encode_ms=timing.encode_ms, device_step_ms=timing.step_ms
        )
