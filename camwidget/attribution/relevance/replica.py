"""Replica of a module: the same outputs, and no state shared with the module."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import MethodError
from ...execution.deep_module_copy import COPY_ERRORS, copy_module, detached_copy

__all__ = ["replicate"]


def replicate(module: nn.Module) -> nn.Module:
    """Return a deep copy without hooks and gradients, not trainable, half precision widened to float32.

    Args:
        module: left unchanged.

    Returns:
        The replica.

    Raises:
        MethodError: if the module holds something that cannot be copied.
    """
    try:
        # Hooks are the caller's and may refer to anything, so that they are dropped without being copied.
        return copy_module(
            module, lambda hooks: type(hooks)(), attribute=_fixed_copy, parameter=_fixed_copy
        )
    except COPY_ERRORS as error:
        raise MethodError(
            f"{type(module).__name__} cannot be copied ({error}), and relevance is computed on a copy, so that "
            "the module stays as it is. Use 'gradcam', which needs no copy."
        ) from error


def _fixed_copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a detached copy that is not trainable, widened to float32 from half precision."""
    copy = detached_copy(tensor)
    if copy.dtype in (torch.float16, torch.bfloat16):
        copy = copy.float()
    return nn.Parameter(copy, requires_grad=False) if isinstance(tensor, nn.Parameter) else copy
