"""Deep copies of modules, with or without hooks, also of modules that ``deepcopy`` refuses."""

from __future__ import annotations

import copy
from collections.abc import Callable, MutableMapping
from typing import Any

import torch
from torch import nn

__all__ = ["COPY_ERRORS", "copy_module", "detached_copy"]

#: Errors of ``deepcopy`` for modules that hold an object that cannot be copied.
COPY_ERRORS = (TypeError, RuntimeError, ValueError, AttributeError, NotImplementedError)

#: A module's hooks by handle number.
Hooks = MutableMapping[int, Any]


def detached_copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy without autograd graph; ``deepcopy`` refuses tensors with a graph."""
    return tensor.detach().clone()


def copy_module(
    module: nn.Module,
    hooks: Callable[[Hooks], Hooks],
    *,
    attribute: Callable[[torch.Tensor], torch.Tensor] | None = None,
    parameter: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> nn.Module:
    """Return a deep copy of a module.

    Args:
        module: left unchanged.
        hooks: function of a submodule's hooks to the hooks of its copy.
        attribute: function that copies tensors that are plain attributes; ``deepcopy`` if None.
        parameter: function that copies parameters and buffers; ``deepcopy`` if None.

    Raises:
        TypeError, RuntimeError, ValueError, AttributeError, NotImplementedError: if the module holds an object that
            cannot be copied (``COPY_ERRORS``).
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
