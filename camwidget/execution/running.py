"""Errors and wrappers of a user's module: non-finite outputs, required memory layout, compiled and parallel modules."""

from __future__ import annotations

import torch
from torch import nn

from ..errors import ModelError

__all__ = ["needs_contiguous_input", "non_finite_error", "unwrapped_module"]


def non_finite_error(module: nn.Module, name: str, dtype: torch.dtype) -> ModelError:
    """Return the error for logits that are not finite, with the cause and the remedy.

    Args:
        module: the module that computed the logits.
        name: the model's name.
        dtype: dtype of the module's parameters.
    """
    bad = [
        key
        for key, tensor in module.state_dict().items()
        if tensor.is_floating_point() and not torch.isfinite(tensor).all()
    ]
    if bad:
        return ModelError(
            f"{name} has weights that are NaN or infinite, in {len(bad)} tensors, the first "
            f"{bad[0]!r}. Load other weights."
        )
    remedy = (
        "Try it in float32: module.float()."
        if dtype in (torch.float16, torch.bfloat16)
        else "Check its normalization and weights."
    )
    return ModelError(f"{name} gives NaN or infinity for this picture. {remedy}")


def needs_contiguous_input(error: BaseException) -> bool:
    """Return whether an error means that the module needs contiguous input, and not channels-last memory format."""
    return isinstance(error, RuntimeError) and "view size is not compatible" in str(error)


def unwrapped_module(module: nn.Module) -> nn.Module:
    """Return the module inside ``torch.compile``, ``DataParallel`` and ``DistributedDataParallel`` wrappers."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, nn.Module):
            return module
        module = inner
