"""Eager PyTorch whose decoder step is a CUDA graph over buffers that stay where they are.

A graph is captured for each shape when it is met first: slots, beams and positions of memory, and
the widths of `fixed_shapes`. It reads the hidden state from a buffer and writes the next one back
to it, so a state that takes a step names its buffers alone. On the CPU the same steps run without
being captured, which is how they are tested.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from typing import Any

import torch

from empgan_rt.backend import Encoded
from empgan_rt.graph_spec import Candidates, IntArray
from empgan_training.eager import EagerBackend, EagerState, Parcel, unpacked
from empgan_training.model.generator import Generator

from .capture import Captures
from .fixed_shapes import FixedShapes

_TENSORS = ("hidden", "keys", "values", "mask")
_Shape = tuple[int, int, int]


class Memory(EagerState):
    """Buffers of one shape, and the steps that were captured over them.

    Args:
        like: a state whose tensors have the shapes and types.
    """

    def __init__(self, like: EagerState) -> None:
        super().__init__(*(torch.zeros_like(getattr(like, name)) for name in _TENSORS))
        self.steps: dict[tuple[int, int], CapturedStep] = {}


@dataclass(eq=False)
class GraphState(EagerState):
    """Decoder memory that lies in buffers from the first admission on.

    Attributes:
        memory: the buffers.
        lease: gives them back; called when the state is no more.
    """

    memory: Memory | None = None
    lease: Any = field(default=lambda: None)


class CapturedStep:
    """One decoder step over buffers, of one number of banned ids and of candidates.

    Args:
        backend: computes the step.
        memory: the buffers, whose contents stay.
        banned: S.
        num_candidates: C.
        captures: of the device.
    """

    def __init__(
        self,
        backend: EagerBackend,
        memory: Memory,
        banned: int,
        num_candidates: int,
        captures: Captures,
    ) -> None:
        self._backend, self._memory, self._count = backend, memory, num_candidates
        slots, beams, _ = memory.hidden.shape
        self._parcel = Parcel([(slots, beams), (slots, beams), (slots, beams, banned)])
        device = memory.hidden.device
        pinned = device.type == "cuda"
        # PyTorch gathers and scatters by int64: so nothing has to be converted.
        self._sent = torch.zeros(self._parcel.size, dtype=torch.int64, pin_memory=pinned)
        self._given = torch.zeros_like(self._sent, device=device)
        shape = (2, slots, beams, num_candidates)
        self._found = torch.zeros(shape, dtype=torch.int32, device=device)
        self._fetched = torch.zeros(shape, dtype=torch.int32, pin_memory=pinned)
        before = memory.hidden.clone()
        self._run = captures.of(self._compute)
        memory.hidden.copy_(before)  # capturing has taken steps

    def run(self, token_ids: IntArray, parents: IntArray, banned: IntArray) -> Candidates:
        """Advance the memory by one token."""
        self._parcel.fill(self._sent, (token_ids, parents, banned))
        self._given.copy_(self._sent, non_blocking=True)
        self._run()
        self._fetched.copy_(self._found, non_blocking=True)
        if self._given.is_cuda:
            torch.cuda.current_stream().synchronize()
        return unpacked(self._fetched.clone())

    def _compute(self) -> None:
        tokens, parents, banned = self._parcel.parts(self._given)
        memory = self._memory
        hidden, ids, best = self._backend.decode(memory, tokens, parents, banned, self._count)
        memory.hidden.copy_(hidden)
        self._found[0].copy_(ids)
        self._found[1].copy_(best.float().view(torch.int32))


class GraphBackend(FixedShapes):
    """A `Backend` of captured steps; buffers and graphs are kept until it is closed."""

    def __init__(self, generator: Generator) -> None:
        super().__init__(generator)
        self._captures = Captures(self.device)
        self._idle: dict[_Shape, list[Memory]] = {}

    def open(self, slots: int, beam_size: int) -> GraphState:
        """See `Backend.open`."""
        return GraphState(super().open(slots, beam_size).hidden)

    def admit(self, state: EagerState, slots: IntArray, encoded: Encoded) -> None:
        """See `Backend.admit`."""
        super().admit(state, slots, encoded)
        self._settle(state)

    def rearranged(self, state: EagerState, slots: IntArray, count: int) -> EagerState:
        """See `Backend.rearranged`."""
        other = super().rearranged(state, slots, count)
        if other.keys.numel():
            self._settle(other)
        return other

    def fixed_step(
        self,
        state: EagerState,
        token_ids: IntArray,
        parents: IntArray,
        banned: IntArray,
        num_candidates: int,
    ) -> Candidates:
        """See `FixedShapes.fixed_step`."""
        assert isinstance(state, GraphState)  # from `open`
        assert state.memory is not None  # from `admit`
        memory, width = state.memory, banned.shape[2]
        with torch.inference_mode():
            if (width, num_candidates) not in memory.steps:
                memory.steps[width, num_candidates] = CapturedStep(
                    self, memory, width, num_candidates, self._captures
                )
            return memory.steps[width, num_candidates].run(token_ids, parents, banned)

    def close(self) -> None:
        """Release the generator, and buffers and graphs that no state holds."""
        self._idle.clear()
        super().close()

    def _settle(self, state: EagerState) -> None:
        """Move a state into buffers of its shape, unless it lies there."""
        assert isinstance(state, GraphState)  # from `open`
        slots, beams, _ = state.hidden.shape
        idle = self._idle.setdefault((slots, beams, state.mask.shape[1]), [])
        with torch.inference_mode():
            memory = state.memory
            if memory is None or memory.mask.shape != state.mask.shape:
                memory = idle.pop() if idle else Memory(state)
            for name in _TENSORS:
                getattr(memory, name).copy_(getattr(state, name))
                setattr(state, name, getattr(memory, name))
        if memory is not state.memory:
            state.lease()
            state.memory, state.lease = memory, weakref.finalize(state, idle.append, memory)
