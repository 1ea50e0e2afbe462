"""Weights backup: a copy of the weights in main memory, from which a model is restored when its device is lost."""

from __future__ import annotations

import time
import weakref
from typing import TypeAlias

import torch
from torch import nn

from .._compat.pytorch import version_of
from ..execution.device_errors import can_be_lost
from ..execution.shallow_module_copy import Uncopyable, copy_structure, named_tensors
from ..runtime import fork_safety
from .vision_model import VisionModel

__all__ = ["WeightsBackup", "backup_of"]

#: Version counter and address of a tensor, which change with it.
Version: TypeAlias = tuple[int, int]

_lock = fork_safety.lock()
_backups: weakref.WeakKeyDictionary[nn.Module, WeightsBackup] = weakref.WeakKeyDictionary()


def backup_of(module: nn.Module) -> WeightsBackup:
    """Return the backup of a module, one for all users of the module."""
    with _lock:
        backup = _backups.get(module)
        if backup is None:
            backup = _backups[module] = WeightsBackup(module)
        return backup


class WeightsBackup:
    """Copies of a module's tensors in main memory, for tensors on a device that can be lost.

    Args:
        module: the module; it is neither kept alive nor modified.
    """

    #: Pause after a copy, as a multiple of its duration: copying takes at most 5 % of the time.
    REST = 20.0

    def __init__(self, module: nn.Module) -> None:
        self._module = weakref.ref(module)
        self._lock = fork_safety.lock()
        self._copies: dict[str, torch.Tensor] = {}
        self._versions: dict[str, tuple[Version, ...]] = {}
        self._next = 0.0
        self._copy: nn.Module | None = None

    def refresh(self) -> None:
        """Copy the tensors that have changed since the last copy, unless that was a moment ago.

        Changes in place through ``.data``, which PyTorch does not count, are not detected.
        """
        with self._lock:
            begin = time.monotonic()
            if begin < self._next:
                return
            tensors = self._tensors()
            versions = _versions(tensors)
            if versions == self._versions:
                return
            self._copies = {
                name: self._copies[name]
                if name in self._copies and versions[_part(name)] == self._versions.get(_part(name))
                else tensor.detach().to("cpu", copy=True)
                for name, tensor in tensors.items()
            }
            self._versions = versions
            end = time.monotonic()
            self._next = end + self.REST * (end - begin)

    @property
    def is_current(self) -> bool:
        """Whether nothing has changed since the last copy."""
        return _versions(self._tensors()) == self._versions

    def model(self, model: VisionModel) -> VisionModel | None:
        """Return the model around a copy of its module on the CPU with the copied weights; None if that is impossible.

        Args:
            model: the model of this module; left unchanged.
        """
        with self._lock:
            if self._copy is None:
                try:
                    self._copy = self._copied(model.module)
                except Uncopyable:
                    return None
            return model.with_module(self._copy)

    def _copied(self, module: nn.Module) -> nn.Module:
        names = {id(tensor): name for name, tensor in named_tensors(module)}

        def tensor(value: torch.Tensor) -> torch.Tensor:
            copy = self._copies.get(names.get(id(value), ""))
            if copy is None:
                if can_be_lost(value.device):
                    raise Uncopyable("not all of it was kept")
                copy = value.detach().clone()
            return (
                nn.Parameter(copy, value.requires_grad) if isinstance(value, nn.Parameter) else copy
            )

        return copy_structure(module, tensor)

    def _tensors(self) -> dict[str, torch.Tensor]:
        module = self._module()
        return (
            {}
            if module is None
            else {n: t for n, t in named_tensors(module) if can_be_lost(t.device)}
        )


def _part(name: str) -> str:
    return name.rpartition(".")[0]


def _versions(tensors: dict[str, torch.Tensor]) -> dict[str, tuple[Version, ...]]:
    """Return tensor versions by submodule: batch statistics change without a version, next to a counter with one."""
    versions: dict[str, tuple[Version, ...]] = {}
    for name, tensor in tensors.items():
        version = 0 if tensor.is_inference() else version_of(tensor)
        versions[_part(name)] = (*versions.get(_part(name), ()), (version, tensor.data_ptr()))
    return versions
