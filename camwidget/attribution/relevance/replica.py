"""Replica of a module: the same outputs, and nothing shared with the module but the memory of its weights."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import MethodError
from ...execution.deep_module_copy import COPY_ERRORS, copy_module, detached_copy

__all__ = ["replicate"]


def replicate(module: nn.Module, *, shares_weights: bool = False) -> nn.Module:
    """Return a deep copy without hooks and gradients, not trainable, half precision widened to float32.

    Args:
        module: left unchanged.
        shares_weights: whether the replica's parameters are aliases of the module's, with the same memory, which
            nothing may write into. Copies of large weights take a third of the time of a forward pass.

    Returns:
        The replica.

    Raises:
        MethodError: if the module holds something that cannot be copied.
    """
    try:
        # Hooks are the caller's and may refer to anything, so that they are dropped without being copied.
        return copy_module(
            module,
            lambda hooks: type(hooks)(),
            attribute=_fixed_copy,
            parameter=_alias if shares_weights else _fixed_copy,
        )
    except COPY_ERRORS as error:
        raise MethodError(
            f"{type(module).__name__} cannot be copied ({error}), and relevance is computed on a copy, so that "
            "the module stays as it is. Use 'gradcam', which needs no copy."
        ) from error


def _alias(tensor: torch.Tensor) -> torch.Tensor:
    """Return a parameter with the same memory that is not trainable; of other tensors a copy."""
    if type(tensor) is not nn.Parameter or tensor.dtype not in (torch.float32, torch.float64):
        return _fixed_copy(tensor)
    return nn.Parameter(tensor.data, requires_grad=False)


def _fixed_copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a detached copy that is not trainable, widened to float32 from half precision."""
    copy = detached_copy(tensor)
    if copy.dtype in (torch.float16, torch.bfloat16):
        copy = copy.float()
    return nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
