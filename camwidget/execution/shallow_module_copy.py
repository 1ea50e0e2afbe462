"""Structure copies: new module objects around the tensors of a module."""

from __future__ import annotations

import functools
import types
import weakref
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from .._compat.pytorch import (
    COMPILED_CALL,
    COMPILED_KIND,
    COMPILED_MODULE,
    HOOKS,
    PARTS,
    TENSOR_HOLDERS,
    USUAL_ATTRIBUTES,
    buffers_of,
    parameters_of,
    parts_in,
    require_module_attributes,
)

__all__ = [
    "ARRAYS",
    "Uncopyable",
    "copied_parts",
    "copy_structure",
    "named_tensors",
    "submodules_of",
]

#: Types of values that hold neither tensors nor submodules, and cannot be modified.
_IMMUTABLE = frozenset(
    {int, float, str, bool, bytes, complex, type(None), type, torch.dtype, torch.device, torch.Size}
)
#: Recurrent layers, which cuDNN runs on a GPU.
_RECURRENT = frozenset({nn.RNN, nn.LSTM, nn.GRU})
#: Types of containers that are copied with their contents.
_CONTAINERS = frozenset({list, tuple, set, dict, OrderedDict, defaultdict, Counter, deque})
#: Types of arrays of numbers, which are copied too.
ARRAYS = frozenset({np.ndarray, bytearray})


class Uncopyable(Exception):  # noqa: N818 - it leads to another way of running, and is never shown as an error
    """The module's structure cannot be copied. The message gives the reason."""


def copy_structure(module: nn.Module, tensor: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """Return a copy of a module's structure in evaluation mode: new module objects around the same tensors.

    Submodules and tensors that are shared in the module are shared in the copy. References of a submodule to another
    one, also as a bound method or in a list or dictionary, refer to the copy. Python's containers, NumPy arrays and
    bytearrays are copied; other objects are shared. Hooks are the same functions, and get the copy's submodules.
    Modules compiled by ``torch.compile`` run uncompiled in the copy, since compiled code refers to the original
    submodules.

    Args:
        module: only read, never run.
        tensor: function of a parameter, a buffer or a tensor attribute to the copy's tensor; called once for each.

    Returns:
        The copy.

    Raises:
        Uncopyable: for TorchScript, and for attributes that are functions with a submodule in their closure.
    """
    return copied_parts(module, tensor)[0][1]  # type: ignore[no-any-return]


def copied_parts(
    module: nn.Module, tensor: Callable[[torch.Tensor], torch.Tensor]
) -> list[tuple[Any, Any]]:
    """Copy a module's structure as ``copy_structure`` does, and list what was copied.

    Args:
        module: only read, never run.
        tensor: as in ``copy_structure``.

    Returns:
        The originals with their copies, each once: submodules, tensors, containers and arrays. The first pair is
        the module with its copy.

    Raises:
        Uncopyable: as in ``copy_structure``.
    """
    require_module_attributes()
    copier = _Copier(module, tensor)
    copier.copy_module(module)
    return copier.pairs


class _Copier:
    def __init__(self, module: nn.Module, tensor: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._tensor = tensor
        self._registered = set(map(id, submodules_of(module)))
        #: By identity of an original object, its copy.
        self._copies: dict[int, Any] = {}
        #: The original objects: if one were freed during the copy, a new object might get its identity.
        self._keep_alive: list[Any] = []
        self._classes: dict[type[nn.Module], type[nn.Module]] = {}

    @property
    def pairs(self) -> list[tuple[Any, Any]]:
        """The originals with their copies."""
        return [(original, self._copies[id(original)]) for original in self._keep_alive]

    def copy_module(self, module: nn.Module) -> nn.Module:
        """Return the copy of a submodule, made at the first call."""
        copies, copy_tensor = self._copies, self._tensor
        known: nn.Module | None = copies.get(id(module))
        if known is not None:
            return known
        kind: type[nn.Module] = type(module)
        if kind not in self._classes:
            self._classes[kind] = _class_of_copy(kind)
        state = vars(module).copy()
        self._keep_alive.append(module)
        if self._classes[kind] is not kind:
            kind = self._classes[kind]
            state = {name: value for name, value in state.items() if name in USUAL_ATTRIBUTES}
        # Registered before it is complete, since a submodule may refer to itself.
        copy = copies[id(module)] = object.__new__(kind)
        object.__setattr__(copy, "__dict__", state)
        state.pop(COMPILED_CALL, None)
        for holder in TENSOR_HOLDERS:
            state[holder] = tensors = state[holder].copy()
            for name, value in tensors.items():
                if value is not None:
                    key = id(value)
                    if key not in copies:
                        copies[key] = copy_tensor(value)
                        self._keep_alive.append(value)
                    tensors[name] = copies[key]
        # Copied so that hooks added to the copy do not run in the module.
        for hooks in HOOKS:
            state[hooks] = state[hooks].copy()
        for name in state.keys() - USUAL_ATTRIBUTES:
            value = state[name]
            is_tuple = type(value) is tuple
            if not (
                _IMMUTABLE.issuperset(map(type, value)) if is_tuple else type(value) in _IMMUTABLE
            ):
                state[name] = self._value(value)
        if id(module) in self._registered:  # eval() reaches registered submodules only
            state["training"] = False
            if kind in _RECURRENT:
                # cuDNN has no gradients of them in evaluation mode. Without dropout, both modes are the same.
                state.update(training=True, dropout=0.0)
        state[PARTS] = inner = state[PARTS].copy()
        for name, part in inner.items():
            if part is not None:
                inner[name] = self.copy_module(part)
        return copy

    def _value(self, value: Any) -> Any:
        """Return the copy of an attribute, or of an element of a container; the value itself if it is shared."""
        kind = type(value)
        if kind in _IMMUTABLE:
            return value
        if kind in _CONTAINERS:
            return self._container(value)
        if kind in ARRAYS:
            if id(value) not in self._copies:
                self._copies[id(value)] = value.copy()
                self._keep_alive.append(value)
            return self._copies[id(value)]
        if isinstance(value, torch.Tensor):
            known = self._copies.get(id(value))
            if known is None:
                known = self._copies[id(value)] = self._tensor(value)
                self._keep_alive.append(value)
            return known
        if isinstance(value, nn.Module):
            return self.copy_module(value)
        if kind is types.MethodType:
            owner = value.__self__
            if isinstance(owner, nn.Module):
                return types.MethodType(value.__func__, self.copy_module(owner))
        elif kind is weakref.ReferenceType:
            target = value()
            if isinstance(target, (nn.Module, torch.Tensor)):
                return weakref.ref(self._value(target))
        elif kind is functools.partial:
            partial = functools.partial(
                self._value(value.func),
                *(self._value(v) for v in value.args),
                **{k: self._value(v) for k, v in value.keywords.items()},
            )
            vars(partial).update(vars(value))
            return partial
        elif kind is types.FunctionType and value.__closure__:
            for cell in value.__closure__:
                try:
                    inside = cell.cell_contents
                except ValueError:  # not set yet
                    continue
                owner = getattr(inside, "__self__", inside)
                if isinstance(owner, nn.Module) and id(owner) in self._registered:
                    raise Uncopyable(
                        f"a function among its attributes, {value.__qualname__}, is bound to a part of it"
                    )
        return value

    def _container(self, value: Any) -> Any:
        if id(value) in self._copies:
            return self._copies[id(value)]
        kind = type(value)
        if kind is tuple:
            if _IMMUTABLE.issuperset(map(type, value)):
                return value
            return tuple(map(self._value, value))
        copy = self._copies[id(value)] = value.copy()
        self._keep_alive.append(value)
        if kind is list or kind is deque:
            if not _IMMUTABLE.issuperset(map(type, value)):
                inner_copies = [self._value(inner) for inner in value]
                copy.clear()
                copy.extend(inner_copies)
        elif kind is not set and not _IMMUTABLE.issuperset(map(type, value.values())):
            for key, inner in copy.items():
                copy[key] = self._value(inner)
        return copy


def _class_of_copy(kind: type[nn.Module]) -> type[nn.Module]:
    if issubclass(kind, torch.jit.ScriptModule):
        raise Uncopyable("a part of it is TorchScript")
    return _UncompiledModule if kind.__name__ == COMPILED_KIND else kind


class _UncompiledModule(nn.Module):
    """Replacement of a module compiled by ``torch.compile``: runs the original module, with the same attributes."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return parts_in(self)[COMPILED_MODULE](*args, **kwargs)  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(parts_in(self)[COMPILED_MODULE], name)


def submodules_of(module: nn.Module) -> list[nn.Module]:
    """Return a module and all its submodules, each once, as ``modules()`` does; this is faster without the names."""
    found = [module]
    seen = {module}
    for part in found:  # the list grows during the loop
        for inner in list(parts_in(part).values()):
            if inner is not None and inner not in seen:
                seen.add(inner)
                found.append(inner)
    return found


def named_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """Iterate over the tensors of a module with dotted names: parameters, buffers and plain attributes, each once."""
    seen: set[int] = set()
    for prefix, part in module.named_modules():
        for holder in (parameters_of(part), buffers_of(part), vars(part)):
            for name, value in list(holder.items()):
                if isinstance(value, torch.Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}".lstrip("."), value
