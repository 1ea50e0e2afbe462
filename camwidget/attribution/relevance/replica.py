"""A replica of a module with the same outputs that shares no writable state with it."""

from __future__ import annotations

import torch
from torch import nn

from ...errors import MethodError
from ...execution.module_copy import REFUSALS, copy_module, own_tensor

__all__ = ["replicate"]


def replicate(module: nn.Module) -> nn.Module:
    """A deep copy without hooks and gradients, nothing of it trainable, half precision widened to float32.

    Raises:
        MethodError: if the module holds something that cannot be copied.
    """
    try:
        # Hooks are the caller's, and may hold on to anything: they are not even looked at.
        return copy_module(module, lambda hooks: type(hooks)(), attribute=_own, parameter=_own)
    except REFUSALS as error:
        raise MethodError(
            f"{type(module).__name__} cannot be copied ({error}), and relevance is computed on a copy, so that "
            "the module stays as it is. Use 'gradcam', which needs none."
        ) from error


def _own(tensor: torch.Tensor) -> torch.Tensor:
    own = own_tensor(tensor)
    if own.dtype in (torch.float16, torch.bfloat16):
        own = own.float()
    return nn.Parameter(own, requires_grad=False) if isinstance(tensor, nn.Parameter) else own
