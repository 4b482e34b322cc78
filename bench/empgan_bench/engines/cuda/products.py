"""The matrix products that PyTorch computes while it encodes or takes a step, seen as they happen.

They are those of the model, by construction: whatever is multiplied is seen, with the weights that
it is multiplied with. A GRU becomes its two products, as in `floor_graph`: the inputs of all steps
at once, and the state once a step, because each step of a recurrence reads the weights again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

Product = tuple[Tensor, Tensor]
"""What is multiplied with what."""

_MATMUL = {torch.matmul, torch.bmm, torch.mm, Tensor.matmul, Tensor.__matmul__}
_UNKNOWN = {torch.addmm, torch.baddbmm, torch.einsum, torch.lstm, torch.nn.functional.bilinear}


class Products(TorchFunctionMode):
    """Sees products while it is entered.

    Attributes:
        seen: in their order.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Product] = []

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Pass a call on, and keep what it multiplies."""
        if func in _UNKNOWN:  # the model has learned another kind of product: a bug of ours
            raise NotImplementedError(f"{func.__name__}: the floor does not know its products")
        if func is functional.linear:
            inputs, weight = args[:2]
            self.seen.append((inputs.flatten(0, -2), weight.t()))
        elif func in _MATMUL:
            self.seen.append((args[0], args[1]))
        elif func is torch.gru:
            self.seen += _of_gru(*args)
        return func(*args, **(kwargs or {}))

    @torch.inference_mode()
    def compute(self) -> None:
        """Compute what was seen, and keep nothing."""
        for left, right in self.seen:
            torch.matmul(left, right)


def _of_gru(inputs: Tensor, *more: Any) -> Iterator[Product]:
    """Yield the products of a GRU over padded rows (R, T, E), or over packed ones (P, E)."""
    if isinstance(more[1], Tensor):  # packed: rows of each step, first state, weights
        batch_sizes, initial, weights = more[:3]
        rows = batch_sizes.tolist()
    else:  # first state, weights, ..., batch first
        initial, weights = more[:2]
        rows = [inputs.shape[0]] * inputs.shape[1]
    weight_ih, weight_hh = weights[:2]
    yield inputs.reshape(-1, inputs.shape[-1]), weight_ih.t()
    for count in rows:
        yield initial[0, :count], weight_hh.t()
