"""Tensors of the pretended GPU.

What a GPU refuses is refused: operators over tensors of both devices (scalars and copies apart),
NumPy, a device without a number. So is what it would do badly: recurrences under autocast, which
cuDNN runs in float16; a gradient of a run of theirs without the training flag; a first state that
is not contiguous. What makes the host wait for the GPU is counted, by place.

Not like a GPU: time, memory, streams, cuDNN's own numbers, and random numbers, which are the CPU's.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_flatten, tree_iter, tree_map, tree_unflatten

import empgan_training

aten = torch.ops.aten
DEVICE = torch.device("cuda", 0)
CPU = torch.device("cpu")
PACKAGE = str(Path(empgan_training.__file__).parent)
RECURRENCES = ("gru", "lstm", "lstm_cell")
WAITS = {  # operators whose result the host has to know
    aten._local_scalar_dense.default: "item",
    aten.nonzero.default: "nonzero",
    aten.masked_select.default: "mask",
    aten.repeat_interleave.Tensor: "repeat_interleave",
    aten.equal.default: "equal",
}
_COPIES = {aten.copy_.default, aten._to_copy.default}
_INDEXING = {aten.index.Tensor, aten.index_put_.default, aten.index_put.default}


class PretendTensor(torch.Tensor):
    """A tensor of the pretended GPU around one of the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> PretendTensor:
        tensor: PretendTensor = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=DEVICE,
        )
        tensor.held = held
        return tensor

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise AssertionError(f"{func}: a tensor of the pretended GPU outlived it")


class _Operators(TorchDispatchMode):
    """Runs every operator on the tensors that are held."""

    def __init__(self, waits: Counter[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if torch.is_inference_mode_enabled():  # where operators come whole
            with self:
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        tensors = [t for t in tree_iter((args, kwargs)) if isinstance(t, Tensor)]
        ours = [t for t in tensors if isinstance(t, PretendTensor)]
        plain = [t for t in tensors if not isinstance(t, PretendTensor) and t.dim()]
        if ours and plain and func not in _COPIES:
            places = [(t.device.type, tuple(t.shape)) for t in tensors]
            raise AssertionError(f"{func} over two devices: {places}")
        stays = bool(ours)
        if kwargs.get("device") is not None:
            stays = torch.device(kwargs["device"]).type == "cuda"
            kwargs["device"] = CPU
        elif func is aten.copy_.default:
            stays = isinstance(args[0], PretendTensor)
        self._note(func, args, bool(ours), stays, kwargs)
        wrapper_of = {id(t.held): t for t in ours}
        found = func(*tree_map(_held, args), **tree_map(_held, kwargs))

        def wrapped(value: Any) -> Any:
            if not isinstance(value, Tensor) or not stays:
                return value
            same = wrapper_of.get(id(value))
            return PretendTensor(value) if same is None else same

        return tree_map(wrapped, found)

    def _note(self, func: Any, args: Any, came: bool, stays: bool, kwargs: Any) -> None:
        """Count what makes the host wait."""
        what = WAITS.get(func) if came else None
        if came and func in _INDEXING:
            masks = [i for i in args[1] if i is not None and i.dtype == torch.bool]
            what = "mask" if masks else None
        if func is aten._to_copy.default and came and not stays:
            what = "copy to the host"
        if func is aten._to_copy.default and stays and not came and args[0].dim():
            pinned = getattr(args[0], "pretends_to_be_pinned", False)
            what = None if pinned and kwargs.get("non_blocking") else "copy to the GPU"
        if what is not None:
            self.waits[f"{what} in {_place()}"] += 1


class _Functions(TorchFunctionMode):
    """What has to be met before it comes to operators."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if kwargs.get("pin_memory"):
            return _pinned(func(*args, **{**kwargs, "pin_memory": False}))
        if not args or not isinstance(args[0], PretendTensor):
            return func(*args, **kwargs)
        if name == "tolist":  # which subclasses do not have
            return args[0].cpu().tolist()
        if name in RECURRENCES:
            return _recurrence(name, args, kwargs)
        return func(*args, **kwargs)


def _recurrence(name: str, args: Any, kwargs: Any) -> Any:
    """Return what cuDNN would, by products and gates; refuse what it would do badly."""
    tensors = [t for t in tree_iter(args) if isinstance(t, Tensor)]
    kinds = {t.dtype for t in tensors}
    if torch.is_autocast_enabled("cuda") or kinds != {torch.float32}:
        raise AssertionError(f"{name} under autocast or of {kinds}: float16 by cuDNN")
    run = getattr(torch._VF, name)
    if name == "lstm_cell":
        return _Recurrence.run(run, args, kwargs)
    start, train = args[1], args[6]
    if not all(t.is_contiguous() for t in tree_iter(start)):
        raise AssertionError(f"{name}: cuDNN wants a first state that is contiguous")
    if not train and torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        raise AssertionError(f"{name}: cuDNN knows no gradient of a run without training mode")
    return _Recurrence.run(run, args, kwargs)


class _Recurrence(torch.autograd.Function):
    """A recurrence as one operator, the CPU's own."""

    @classmethod
    def run(cls, run: Any, args: Any, kwargs: Any) -> Any:
        """Return `run(*args, **kwargs)`."""
        flat, shape = tree_flatten(args)
        return cls.apply(lambda held: run(*tree_unflatten(held, shape), **kwargs), *flat)

    @staticmethod
    def forward(ctx: Any, run: Any, *flat: Any) -> Any:
        with _disable_current_modes(), torch.enable_grad():
            ctx.held = [
                x.held.detach().requires_grad_() if isinstance(x, PretendTensor) else x
                for x in flat
            ]
            ctx.found = run(ctx.held)
        return tuple(PretendTensor(t.detach()) for t in ctx.found)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Any) -> Any:
        leaves = [i for i, x in enumerate(ctx.held) if isinstance(x, Tensor)]
        with _disable_current_modes():
            found = torch.autograd.grad(
                ctx.found, [ctx.held[i] for i in leaves], [g.held for g in gradients]
            )
        back: list[Any] = [None] * (len(ctx.held) + 1)
        for i, gradient in zip(leaves, found, strict=True):
            back[i + 1] = PretendTensor(gradient)
        return tuple(back)


def _pinned(tensor: Tensor) -> Tensor:
    copy = tensor.clone()
    copy.pretends_to_be_pinned = True  # type: ignore[attr-defined]
    return copy


@contextmanager
def pretended_gpu() -> Iterator[Counter[str]]:
    """Let training find a GPU; yield what has made the host wait for it, and how often."""
    waits: Counter[str] = Counter()
    autocast = torch.cuda.amp.common
    # or torch.tensor(..., device="cuda") would ask CUDA, and modules would lose the subclass
    torch._C._set_only_lift_cpu_tensors(True)
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    with ExitStack() as stack:
        for owner, name, stand_in in (
            (torch.cuda, "_lazy_init", lambda: None),
            (torch.cuda, "is_available", lambda: True),
            (torch.cuda, "device_count", lambda: 1),
            (torch.cuda, "set_device", lambda device: None),
            (torch.cuda, "get_device_name", lambda device: "pretended"),
            (torch.cuda, "get_rng_state", lambda device: torch.get_rng_state()),
            (torch.cuda, "set_rng_state", lambda state, device: None),
            (torch.cuda, "is_bf16_supported", lambda **options: True),
            (autocast, "amp_definitely_not_available", lambda: False),
            (nn.RNNBase, "flatten_parameters", lambda self: None),
            (torch.Tensor, "pin_memory", _pinned),
        ):
            stack.enter_context(mock.patch.object(owner, name, stand_in))
        stack.enter_context(torch.autograd.set_multithreading_enabled(False))
        stack.enter_context(_Operators(waits))
        stack.enter_context(_Functions())
        yield waits


def _held(value: Any) -> Any:
    return value.held if isinstance(value, PretendTensor) else value


def _place() -> str:
    """Return module and function of training that called the operator under way."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            return f"{Path(frame.f_code.co_filename).stem}.{frame.f_code.co_name}"
        frame = frame.f_back
    return "a test"
