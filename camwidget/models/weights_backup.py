"""A second copy of the weights in main memory, and a model made from it when a device is lost."""

from __future__ import annotations

import time
import weakref
from typing import TypeAlias

import torch
from torch import nn

from .._compat.pytorch import version_of
from ..execution.device import is_elsewhere
from ..execution.structure_copy import Uncopyable, copy_structure, named_tensors
from ..runtime import fork_safety
from .vision_model import VisionModel

__all__ = ["WeightsBackup", "backup_of"]

#: What tells that a tensor was changed: its version, and where it is.
Mark: TypeAlias = tuple[int, int]

_lock = fork_safety.lock()
_spares: weakref.WeakKeyDictionary[nn.Module, WeightsBackup] = weakref.WeakKeyDictionary()


def backup_of(module: nn.Module) -> WeightsBackup:
    """A module's spare: one for all who have the module."""
    with _lock:
        found = _spares.get(module)
        if found is None:
            found = _spares[module] = WeightsBackup(module)
        return found


class WeightsBackup:
    """A module's tensors once more in the computer's own memory, where they are on a device that can be lost.

    Args:
        module: whose; it is not kept alive, nor ever written to.
    """

    #: After a copy so many times as long passes before the next as it took: copying is 5 % of the time at most.
    REST = 20.0

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)
        self._lock = fork_safety.lock()
        self._kept: dict[str, torch.Tensor] = {}
        self._marks: dict[str, tuple[Mark, ...]] = {}
        self._next = 0.0
        self._copy: nn.Module | None = None

    def refresh(self) -> None:
        """Copy what has changed since the last time, unless that was a moment ago.

        What is changed through ``.data`` in place, which PyTorch does not count, is not seen.
        """
        with self._lock:
            begin = time.monotonic()
            if begin < self._next:
                return
            tensors = self._tensors()
            marks = _marks(tensors)
            if marks == self._marks:
                return
            self._kept = {
                name: self._kept[name]
                if name in self._kept and marks[_part(name)] == self._marks.get(_part(name))
                else tensor.detach().to("cpu", copy=True)
                for name, tensor in tensors.items()
            }
            self._marks = marks
            end = time.monotonic()
            self._next = end + self.REST * (end - begin)

    @property
    def is_current(self) -> bool:
        """Whether nothing has changed since the last copy."""
        return _marks(self._tensors()) == self._marks

    def model(self, model: VisionModel) -> VisionModel | None:
        """The model around a copy of its module on the CPU with the weights kept; None if that cannot be made.

        Args:
            model: whose module this is; left as it is.
        """
        with self._lock:
            if self._copy is None:
                try:
                    self._copy = self._copied(model.module)
                except Uncopyable:
                    return None
            return model.around(self._copy)

    def _copied(self, module: nn.Module) -> nn.Module:
        names = {id(tensor): name for name, tensor in named_tensors(module)}

        def tensor(value: torch.Tensor) -> torch.Tensor:
            kept = self._kept.get(names.get(id(value), ""))
            if kept is None:
                if is_elsewhere(value.device):
                    raise Uncopyable("not all of it was kept")
                kept = value.detach().clone()
            return (
                nn.Parameter(kept, value.requires_grad) if isinstance(value, nn.Parameter) else kept
            )

        return copy_structure(module, tensor)

    def _tensors(self) -> dict[str, torch.Tensor]:
        module = self._module()
        return (
            {}
            if module is None
            else {n: t for n, t in named_tensors(module) if is_elsewhere(t.device)}
        )


def _part(name: str) -> str:
    return name.rpartition(".")[0]


def _marks(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[Mark, ...]]:
    """By part, the marks of its tensors: batch statistics change without a version, beside a counter that has one."""
    marks: dict[str, tuple[Mark, ...]] = {}
    for name, tensor in tensors.items():
        version = 0 if tensor.is_inference() else version_of(tensor)
        marks[_part(name)] = (*marks.get(_part(name), ()), (version, tensor.data_ptr()))
    return marks
