"""The step's reordering of hidden states by parent, as one operator of an exported graph.

Of `torch.gather` the exporter makes an index as large as the states, one number for each number
that is copied. A row of states is copied whole, so one number for each row will do.
"""

from __future__ import annotations

import torch
from torch import Tensor

from empgan_training.eager import descended


@torch.library.custom_op("empgan::exported_descent", mutates_args=())
def exported_descent(hidden: Tensor, parents: Tensor) -> Tensor:
    """Return the states (B, K, H) of each row's parent, named by its row (B, K).

    The exporter translates it to ONNX's GatherND.
    """
    return descended(hidden, parents)


@exported_descent.register_fake
def _(hidden: Tensor, parents: Tensor) -> Tensor:
    return hidden.new_empty(*parents.shape, hidden.shape[-1])


DESCENT = torch.ops.empgan.exported_descent.default  # as the exporter meets it
