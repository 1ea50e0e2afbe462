"""Copies of modules, with or without hooks, also of modules that ``deepcopy`` refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import nn

__all__ = ["REFUSALS", "copy_module", "detached_copy"]

#: What is raised by modules that hold something that cannot be copied.
REFUSALS = (TypeError, RuntimeError, ValueError, AttributeError, NotImplementedError)

#: Hooks by number, as a module keeps them.
Hooks = MutableMapping[int, Any]


def detached_copy(tensor: torch.Tensor) -> torch.Tensor:
    """A copy without a past: ``deepcopy`` refuses what autograd computed."""
    return tensor.detach().clone()


def copy_module(
    module: nn.Module,
    hooks: Callable[[Hooks], Hooks],
    *,
    attribute: Callable[[torch.Tensor], torch.Tensor] | None = None,
    parameter: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> nn.Module:
    """A deep copy of a module.

    Args:
        module: left as it is.
        hooks: from the hooks of a part to those of its copy.
        attribute: from a tensor that a part merely holds to its copy's; as ``deepcopy`` does it if None.
        parameter: from a parameter or buffer to its copy's; as ``deepcopy`` does it if None.
    """
    memo: dict[int, Any] = {}
    for part in module.modules():
        for name, value in vars(part).items():
            if "hooks" in name and isinstance(value, dict):
                memo[id(value)] = hooks(value)
            elif attribute is not None and isinstance(value, torch.Tensor):
                memo[id(value)] = attribute(value)
        if parameter is not None:
            for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False)):
                memo[id(tensor)] = parameter(tensor)
    return copy.deepcopy(module, memo)
