"""One execution context of a TensorRT engine: shapes, addresses, memory to compute in, enqueue.

A context keeps to one optimisation profile, because changing it is slow. It reserves no memory of
its own, which would be that of the profile's largest shape: all contexts share a piece as large as
the shapes at hand need, one after the other on one stream.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ProviderError
from ...graph_spec import TensorSpec
from .cuda_device import Block, CudaDevice, out_of_memory
from .cuda_graphs import CudaGraphs
from .device_tensor import DeviceTensor, Transfers
from .log import logger, tells_of_full_memory
from .machine import version_of

Shapes = Mapping[str, tuple[int, ...]]


class Scratch:
    """Memory that contexts compute in, one after the other.

    Args:
        device: the GPU.
    """

    def __init__(self, device: CudaDevice) -> None:
        self._device = device
        self._block = device.take(0)

    def of(self, size: int) -> Block:
        """Return the memory, which has at least so many bytes from now on."""
        if self._block.size < size:
            self._block = self._device.take(0)  # so that the old one can go before
            self._block = self._device.take(size)
        return self._block


class TrtContext:
    """Enqueues one engine within one profile.

    Args:
        trt: TensorRT's module.
        engine: deserialised.
        profile: the number of the profile.
        outputs: of the engine; those of `staying` have memory of their own, the others share some.
        staying: names of outputs that outlive the next run.
        transfers: of the GPU.
        scratch: shared by all contexts on the GPU.
        graphs: captured runs, None where nothing is captured.

    Raises:
        ProviderError: TensorRT makes no context.
    """

    def __init__(
        self,
        trt: Any,
        engine: Any,
        profile: int,
        outputs: Sequence[TensorSpec],
        staying: frozenset[str],
        transfers: Transfers,
        scratch: Scratch,
        graphs: CudaGraphs | None,
    ) -> None:
        self._trt, self._engine, self._profile = trt, engine, profile
        self._outputs, self._staying = outputs, staying
        self._transfers, self._scratch, self._graphs = transfers, scratch, graphs
        self._device = transfers.device
        self._shapes: Shapes = {}  # of the inputs, as they were set last
        self._found: dict[str, tuple[int, ...]] = {}  # of the outputs
        self._memory: tuple[int, int] | None = None  # address and size, as they were set last
        self._needs = 0  # bytes to compute in
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        self._context = context = engine.create_execution_context(strategy)
        if context is None:
            raise failure(trt, self._device, "made no context")
        self._check(context.set_optimization_profile_async(profile, self._device.handle))
        transfers.synchronise()  # shapes may be asked about when the profile is there

    def enqueue(self, inputs: Mapping[str, DeviceTensor]) -> dict[str, DeviceTensor]:
        """Return the outputs, which are there when the stream is done with what was enqueued.

        Raises:
            ProviderError: TensorRT or the GPU refused; the context may be used again.
        """
        shapes = {name: tensor.shape for name, tensor in inputs.items()}
        if shapes != self._shapes:
            self._reshape(shapes)
        block = self._scratch.of(self._needs)
        outputs = self._taken()
        context, device = self._context, self._device
        if self._memory != (block.address, block.size):
            self._forget()
            context.set_device_memory(block.address, block.size)
            self._memory = block.address, block.size
        tensors = {**inputs, **outputs}
        addresses = {name: tensor.address for name, tensor in tensors.items()}

        def plain() -> bool:
            set_all = all(context.set_tensor_address(*pair) for pair in addresses.items())
            return set_all and bool(context.execute_async_v3(device.handle))

        if self._graphs is None:
            self._check(plain())
        else:
            self._check(self._graphs.run(tuple(addresses.values()), plain))
        return outputs

    def close(self) -> None:
        """Throw away what CUDA holds for it."""
        self._forget()

    def _reshape(self, shapes: Shapes) -> None:
        """Tell TensorRT the shapes, and ask it for those of outputs and for the memory it needs."""
        context = self._context
        self._shapes, self._memory = {}, None  # none, if anything fails here
        for name, shape in shapes.items():
            self._check(context.set_input_shape(name, shape))
        self._found = {t.name: tuple(context.get_tensor_shape(t.name)) for t in self._outputs}
        self._check(all(size >= 0 for shape in self._found.values() for size in shape))
        needs = context.update_device_memory_size_for_shapes()
        # 0 if nothing is needed, but also if something went wrong.
        engine = self._engine
        self._needs = needs or engine.get_device_memory_size_for_profile_v2(self._profile)
        self._shapes = shapes

    def _taken(self) -> dict[str, DeviceTensor]:
        """Return new tensors for the outputs."""
        shapes = {t.name: (self._found[t.name], t.dtype) for t in self._outputs}
        staying = {n: self._transfers.empty(*s) for n, s in shapes.items() if n in self._staying}
        passing = {n: s for n, s in shapes.items() if n not in self._staying}
        return {**staying, **self._transfers.packed(passing)}

    def _forget(self) -> None:
        """Throw captured runs away: shapes or memory are no longer those of their capture."""
        if self._graphs is not None:
            self._graphs.clear()

    def _check(self, went_well: bool) -> None:
        if not went_well:
            self._shapes, self._memory = {}, None  # nothing is taken for granted
            self._forget()
            raise failure(self._trt, self._device, "refused to run")


def failure(trt: Any, device: CudaDevice, what: str) -> ProviderError:
    """Return what to raise after TensorRT did not do something and gave no error of CUDA's."""
    errors = logger(trt).errors
    said = errors[-1] if errors else "it gave no reason"
    if not device.works():
        return device.gone(said)
    if tells_of_full_memory(said):
        return out_of_memory()
    return ProviderError(
        f"{version_of(trt)} {what}: {said[:400]}",
        hint="run again with -v before the command for TensorRT's own log",
    )
