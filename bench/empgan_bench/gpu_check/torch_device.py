"""PyTorch on a GPU: whether it can be used, and the eager reference there."""

from __future__ import annotations

import torch

from empgan_rt.bundle import Bundle
from empgan_training.eager import EagerBackend


def why_no_cuda() -> str:
    """Return why PyTorch computes on no GPU, and the mend; "" if it does."""
    if torch.cuda.is_available():
        return ""
    built = torch.version.cuda
    if built is None:
        return (
            f"torch {torch.__version__} is a build without CUDA: pip install torch from the index "
            "of its CUDA builds"
        )
    return f"torch {torch.__version__} for CUDA {built} finds no GPU: update the driver"


def open_eager(bundle: Bundle, device: str) -> EagerBackend:
    """Return the reference on a device, its products in float32 and not in TF32."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False  # its GRUs take TF32 by default
    generator = EagerBackend.from_bundle(bundle).generator
    return EagerBackend(generator.to(device))
