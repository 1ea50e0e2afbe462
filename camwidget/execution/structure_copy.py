"""Copies of a module's structure: new module objects around the same tensors."""

from __future__ import annotations

import functools
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

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
    version_of,
)

__all__ = ["Uncopyable", "copy_structure", "named_tensors", "parts_of", "weight_marks"]

#: Types of values that cannot hold a tensor, a part, or anything that could be written into.
_PLAIN = frozenset(
    {int, float, str, bool, bytes, complex, type(None), type, torch.dtype, torch.device, torch.Size}
)
#: What holds other values, and can be made anew of them.
_CONTAINERS = frozenset({list, tuple, set, dict, OrderedDict})


class Uncopyable(Exception):  # noqa: N818 - a reason to do otherwise, never shown as an error
    """A module whose structure cannot be copied. The text says why."""


def copy_structure(module: nn.Module, tensor: Callable[[torch.Tensor], torch.Tensor]) -> nn.Module:
    """A module of the same parts in evaluation mode, each another object: nobody else sees what is set in it.

    Parts, and tensors, that are reached in several ways are so in the copy. References of a part to another, also as a
    bound method or in a list or dictionary, lead to the copy. Lists, dictionaries and sets are copied; any other object
    is shared. Hooks are the same, and get the copy's parts. What ``torch.compile`` made runs uncompiled: its code
    belongs to the parts that it was made from.

    Args:
        module: only read, and never run.
        tensor: from a parameter, a buffer or a tensor among the attributes to the copy's; called once for each.

    Raises:
        Uncopyable: for TorchScript, and for functions that have a part of the module built in.
    """
    require_module_attributes()
    return _Copier(module, tensor).part(module)


class _Copier:
    def __init__(self, module: nn.Module, tensor: Callable[[torch.Tensor], torch.Tensor]) -> None:
        self._tensor = tensor
        self._registered = set(map(id, parts_of(module)))
        #: By identity, what has taken a value's place.
        self._made: dict[int, Any] = {}
        #: Kept alive meanwhile, or another thread's new values might have the identity of old ones.
        self._sources: list[Any] = []
        self._kinds: dict[type[nn.Module], type[nn.Module]] = {}

    def part(self, module: nn.Module) -> nn.Module:
        made, made_of = self._made, self._tensor
        known: nn.Module | None = made.get(id(module))
        if known is not None:
            return known
        kind: type[nn.Module] = type(module)
        if kind not in self._kinds:
            self._kinds[kind] = _kind_of_copy(kind)
        state = vars(module).copy()
        self._sources.append(module)
        if self._kinds[kind] is not kind:
            kind = self._kinds[kind]
            state = {name: value for name, value in state.items() if name in USUAL_ATTRIBUTES}
        # Known before it is complete: a part may hold itself.
        copy = made[id(module)] = object.__new__(kind)
        object.__setattr__(copy, "__dict__", state)
        state.pop(COMPILED_CALL, None)
        for holder in TENSOR_HOLDERS:
            state[holder] = own = state[holder].copy()
            for name, value in own.items():
                if value is not None:
                    key = id(value)
                    if key not in made:
                        made[key] = made_of(value)
                        self._sources.append(value)
                    own[name] = made[key]
        # Whoever runs the copy adds hooks of its own, and nobody else is to see those.
        for hooks in HOOKS:
            state[hooks] = state[hooks].copy()
        for name in state.keys() - USUAL_ATTRIBUTES:
            value = state[name]
            is_tuple = type(value) is tuple
            if not (_PLAIN.issuperset(map(type, value)) if is_tuple else type(value) in _PLAIN):
                state[name] = self._value(value)
        if id(module) in self._registered:  # others do not hear of their owner's eval() either
            state["training"] = False
        state[PARTS] = inner = state[PARTS].copy()
        for name, part in inner.items():
            if part is not None:
                inner[name] = self.part(part)
        return copy

    def _value(self, value: Any) -> Any:
        """What takes the place of a value among a part's attributes, or in a container there."""
        kind = type(value)
        if kind in _PLAIN:
            return value
        if kind in _CONTAINERS:
            return self._container(value)
        if isinstance(value, torch.Tensor):
            known = self._made.get(id(value))
            if known is None:
                known = self._made[id(value)] = self._tensor(value)
                self._sources.append(value)
            return known
        if isinstance(value, nn.Module):
            return self.part(value)
        if kind is types.MethodType:
            owner = value.__self__
            if isinstance(owner, nn.Module):
                return types.MethodType(value.__func__, self.part(owner))
        elif kind is weakref.ReferenceType:
            target = value()
            if isinstance(target, (nn.Module, torch.Tensor)):
                return weakref.ref(self._value(target))
        elif kind is functools.partial:
            made = functools.partial(
                self._value(value.func),
                *(self._value(v) for v in value.args),
                **{k: self._value(v) for k, v in value.keywords.items()},
            )
            vars(made).update(vars(value))
            return made
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
        if id(value) in self._made:
            return self._made[id(value)]
        kind = type(value)
        if kind is tuple:
            if _PLAIN.issuperset(map(type, value)):
                return value
            return tuple(map(self._value, value))
        made = self._made[id(value)] = value.copy()
        self._sources.append(value)
        if kind is list:
            if not _PLAIN.issuperset(map(type, value)):
                made[:] = map(self._value, value)
        elif kind is not set and not _PLAIN.issuperset(map(type, value.values())):
            for key, inner in made.items():
                made[key] = self._value(inner)
        return made


def _kind_of_copy(kind: type[nn.Module]) -> type[nn.Module]:
    if issubclass(kind, torch.jit.ScriptModule):
        raise Uncopyable("a part of it is TorchScript")
    return _Uncompiled if kind.__name__ == COMPILED_KIND else kind


class _Uncompiled(nn.Module):
    """Takes the place of a part that ``torch.compile`` made, under the same names, and runs what that was made from."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return parts_in(self)[COMPILED_MODULE](*args, **kwargs)  # type: ignore[misc]

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(parts_in(self)[COMPILED_MODULE], name)


def parts_of(module: nn.Module) -> list[nn.Module]:
    """A module and all in it, each once: ``modules()`` without the names, which take longer than the search itself."""
    found = [module]
    seen = {module}
    for part in found:  # which grows meanwhile
        for inner in list(parts_in(part).values()):
            if inner is not None and inner not in seen:
                seen.add(inner)
                found.append(inner)
    return found


def weight_marks(module: nn.Module) -> tuple[int, ...]:
    """What is another once a module's parameters or buffers are: exchanged, moved, or written into.

    What is written through ``.data``, which PyTorch does not count, is not seen.
    """
    marks: list[int] = []
    for part in parts_of(module):
        for holder in (parameters_of(part), buffers_of(part)):
            for tensor in list(holder.values()):
                if tensor is not None:
                    version = 0 if tensor.is_inference() else version_of(tensor)
                    marks += (id(tensor), version, tensor.data_ptr())
    return tuple(marks)


def named_tensors(module: nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that a module's parts hold, parameters, buffers and plain attributes, each once, by a dotted name."""
    seen: set[int] = set()
    for prefix, part in module.named_modules():
        for holder in (parameters_of(part), buffers_of(part), vars(part)):
            for name, value in list(holder.items()):
                if isinstance(value, torch.Tensor) and id(value) not in seen:
                    seen.add(id(value))
                    yield f"{prefix}.{name}".lstrip("."), value
