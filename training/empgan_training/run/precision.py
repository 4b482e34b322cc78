"""Which products a stage computes in bfloat16: those its recipe allows, where the processor can."""

from __future__ import annotations

import functools
import logging
from contextlib import AbstractContextManager, nullcontext

import torch

from ..config import Precision
from ..model.products import large_in_bfloat16

log = logging.getLogger(__name__)


def has_bf16(device: torch.device) -> bool:
    """Return whether a device multiplies bfloat16 in hardware.

    PyTorch emulates it elsewhere, at a tenth of float32's speed and less.
    """
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def computed_in(device: torch.device, precision: Precision) -> Precision:
    """Return what a recipe's precision comes to on a device."""
    return "bf16" if precision == "bf16" and has_bf16(device) else "fp32"


def choose_tf32(device: torch.device, precision: Precision) -> None:
    """Let cuDNN round to TF32 in this process if "bf16" is allowed, and only then.

    Its recurrences and convolutions would do so by PyTorch's default. Matrix products do not.
    """
    if device.type == "cuda":
        torch.backends.cudnn.allow_tf32 = precision == "bf16"


def mixed_precision(
    device: torch.device, precision: Precision
) -> AbstractContextManager[torch.autocast | None]:
    """Return the context that losses are computed in.

    "bf16" is autocast on a GPU and large products on a CPU; where the device has no bfloat16 it is
    float32, after a warning.
    """
    used = computed_in(device, precision)
    if used != precision:
        _warn(device.type)
    if used == "fp32":
        return nullcontext()
    if device.type == "cpu":
        return large_in_bfloat16()
    return torch.autocast(device.type, torch.bfloat16)


@functools.cache
def _warn(device: str) -> None:
    log.warning(
        "this %s has no bfloat16: products are computed in float32",
        {"cpu": "processor", "cuda": "GPU"}[device],
    )
