"""``ModuleState``: what a module is at a moment, so that a change of what its predictions depend on is noticed."""

from __future__ import annotations

import operator
import weakref
from collections import deque
from typing import Any

import torch
from torch import nn

from .._compat.pytorch import (
    HOOKS,
    PARTS,
    USUAL_ATTRIBUTES,
    buffers_of,
    parameters_of,
    version_of,
)
from .shallow_module_copy import submodules_of

__all__ = ["ModuleState"]

_CONTAINERS = (list, tuple, set, dict, deque)


class ModuleState:
    """The tensors of a module with their versions, and what else it holds: submodules, hooks and attributes.

    Two states of a module are equal if nothing in it was replaced, added, removed or written into between them. Writes
    through ``.data`` and through NumPy's views are not noticed, since PyTorch does not count them; nor are changes
    within an object that is neither a tensor, a submodule nor a container. The training flag does not count.

    Args:
        module: only read.
        with_attributes: whether attributes count. Not those of a module whose own passes change them.
    """

    def __init__(self, module: nn.Module, *, with_attributes: bool = True) -> None:
        numbers: list[int] = []
        held: list[Any] = []
        parts = submodules_of(module)
        for part in parts:
            for holder in (parameters_of(part), buffers_of(part)):
                for tensor in list(holder.values()):
                    if tensor is not None:
                        numbers += _numbers_of(tensor)
        if with_attributes:
            for part in parts:
                state = vars(part)
                # What was replaced is not to be kept in memory: of submodules, tensors and containers no reference.
                held.append(weakref.ref(part))
                for name in (PARTS, *HOOKS):
                    if state[name]:
                        # Submodules have an entry of their own.
                        held += [
                            v for v in list(state[name].values()) if not isinstance(v, nn.Module)
                        ]
                        held += list(state[name])
                for name in state.keys() - USUAL_ATTRIBUTES:
                    held.append(name)
                    for value in _with_contents(state[name]):
                        if isinstance(value, torch.Tensor):
                            numbers += _numbers_of(value)
                        elif isinstance(value, nn.Module):
                            held.append(weakref.ref(value))
                        elif isinstance(value, _CONTAINERS):
                            numbers.append(id(value))
                        else:
                            held.append(value)
        self._numbers = tuple(numbers)
        self._held = held

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModuleState):
            return NotImplemented
        return (
            self._numbers == other._numbers
            and len(self._held) == len(other._held)
            and all(map(operator.is_, self._held, other._held))
        )

    def __hash__(self) -> int:
        return hash(self._numbers)


def _numbers_of(tensor: torch.Tensor) -> tuple[int, int, int]:
    """Numbers that change when a tensor is replaced, moved or modified in place."""
    version = 0 if tensor.is_inference() else version_of(tensor)
    return id(tensor), version, tensor.data_ptr()


def _with_contents(value: Any) -> list[Any]:
    """Return an attribute, and what it contains if it is a container."""
    if isinstance(value, dict):
        return [value, *list(value), *list(value.values())]
    return [value, *list(value)] if isinstance(value, _CONTAINERS) else [value]
