"""A replica of a module: it computes the same, and shares nothing with it that anyone could write into."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from ..errors import MethodError

__all__ = ["replicate"]


def replicate(module: nn.Module) -> nn.Module:
    """A deep copy without hooks and gradients, nothing of it trainable, half precision widened to float32.

    Raises:
        MethodError: if the module holds something that cannot be copied.
    """
    memo: dict[int, Any] = {}
    for part in module.modules():
        for name, value in vars(part).items():
            # Hooks are the caller's, and may hold on to anything: they are not even looked at.
            if "hooks" in name and isinstance(value, dict):
                memo[id(value)] = type(value)()
            elif isinstance(value, torch.Tensor):
                memo[id(value)] = _own(value)  # deepcopy refuses what autograd computed
        for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
            memo[id(tensor)] = _own(tensor)
    try:
        return copy.deepcopy(module, memo)
    except (TypeError, RuntimeError, ValueError, AttributeError, NotImplementedError) as error:
        raise MethodError(
            f"{type(module).__name__} cannot be copied ({error}), and relevance is computed on a copy, so that "
            "the module stays as it is. Use 'gradcam', which needs none."
        ) from error


def _own(tensor: torch.Tensor) -> torch.Tensor:
    own = tensor.detach().clone()
    if own.dtype in (torch.float16, torch.bfloat16):
        own = own.float()
    return nn.Parameter(own, requires_grad=False) if isinstance(tensor, nn.Parameter) else own
