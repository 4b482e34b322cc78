"""One graph of a bundle as a TensorRT engine: arrays and tensors in, arrays and tensors out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .context import Scratch, TrtContext, failure
from .cuda_graphs import CudaGraphs
from .device_tensor import Array, DeviceTensor, Transfers
from .engines import Engine
from .log import logger
from .machine import is_rtx
from .profiles import parts

Value = Array | DeviceTensor


class TrtGraph:
    """Runs one engine.

    Args:
        trt: TensorRT's module.
        found: the engine.
        staying: names of outputs that stay on the GPU.
        transfers: of the GPU.
        scratch: shared by all graphs on the GPU.
        captures: whether runs are captured and replayed.

    Raises:
        ProviderError: TensorRT does not load the engine.
    """

    def __init__(
        self,
        trt: Any,
        found: Engine,
        staying: frozenset[str],
        transfers: Transfers,
        scratch: Scratch,
        *,
        captures: bool,
    ) -> None:
        self._trt, self._spec, self._profiles = trt, found.spec, found.profiles
        self._staying, self._transfers, self._scratch = staying, transfers, scratch
        # TensorRT-RTX compiles while it runs, and captures by itself if it is told to.
        self._captures = captures and not is_rtx(trt)
        self._runtime = runtime = trt.Runtime(logger(trt))
        self._engine = engine = runtime.deserialize_cuda_engine(found.plan)
        if engine is None:
            raise failure(trt, transfers.device, f"did not load the {found.request}")
        names = {engine.get_tensor_name(i) for i in range(engine.num_io_tensors)}
        self._unread = {tensor.name for tensor in found.spec.inputs} - names
        self._contexts: dict[int, TrtContext] = {}
        self._shapes: tuple[tuple[int, ...], ...] = ()  # of the last run
        self._pieces: list[tuple[int, slice]] = []  # that it was cut into

    def run(self, feeds: Mapping[str, Value]) -> dict[str, Any]:
        """Return the outputs by name: tensors if they stay on the GPU, else arrays.

        Args:
            feeds: each input, of the signature's type and rank.

        Raises:
            InputError: the engine takes no such shapes.
            ProviderError: TensorRT or the GPU failed; the graph may be used again.
        """
        shapes = tuple([feeds[tensor.name].shape for tensor in self._spec.inputs])
        if shapes != self._shapes:
            self._pieces = self._cut(shapes)
            self._shapes = shapes
        feeds = {name: value for name, value in feeds.items() if name not in self._unread}
        if len(self._pieces) == 1:
            return self._run(self._pieces[0][0], feeds)
        found = [
            self._run(profile, {name: _rows(value, part) for name, value in feeds.items()})
            for profile, part in self._pieces
        ]
        return {name: self._joined([outputs[name] for outputs in found]) for name in found[0]}

    def close(self) -> None:
        """Throw away what CUDA holds for it; TensorRT's own objects go with this one."""
        for held in self._contexts.values():
            held.close()

    def _cut(self, shapes: tuple[tuple[int, ...], ...]) -> list[tuple[int, slice]]:
        """Return the pieces that a batch of these input shapes runs in; see `parts`."""
        sizes: dict[str, int] = {}
        for tensor, shape in zip(self._spec.inputs, shapes, strict=True):
            named = zip(tensor.axes, shape, strict=True)
            sizes |= {axis: size for axis, size in named if isinstance(axis, str)}
        return parts(self._profiles, sizes, str(self._spec.inputs[0].axes[0]))

    def _run(self, profile: int, feeds: Mapping[str, Value]) -> dict[str, Any]:
        """Return the outputs of a batch that the profile takes."""
        transfers = self._transfers
        fresh = {n: v for n, v in feeds.items() if isinstance(v, np.ndarray)}
        stored = {n: transfers.aligned(v) for n, v in feeds.items() if isinstance(v, DeviceTensor)}
        outputs = self._context(profile).enqueue({**transfers.up(fresh), **stored})
        passing = {n: tensor for n, tensor in outputs.items() if n not in self._staying}
        return {**outputs, **transfers.down(passing)}

    def _context(self, profile: int) -> TrtContext:
        """Return the context of a profile, made when it is needed first."""
        if profile not in self._contexts:
            self._contexts[profile] = TrtContext(
                self._trt,
                self._engine,
                profile,
                self._spec.outputs,
                self._staying,
                self._transfers,
                self._scratch,
                CudaGraphs(self._transfers.device) if self._captures else None,
            )
        return self._contexts[profile]

    def _joined(self, pieces: Sequence[Any]) -> Any:
        """Return the rows of all pieces, where these are."""
        if isinstance(pieces[0], np.ndarray):
            return np.concatenate(pieces)
        rows = [piece.shape[0] for piece in pieces]
        whole = self._transfers.empty((sum(rows), *pieces[0].shape[1:]), pieces[0].dtype)
        start = 0
        for piece, count in zip(pieces, rows, strict=True):
            self._transfers.rows(whole, np.arange(start, start + count), piece, np.arange(count))
            start += count
        return whole


def _rows(value: Value, part: slice) -> Value:
    return value[part] if isinstance(value, np.ndarray) else value.rows(part)
