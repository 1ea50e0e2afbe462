"""``ReusedCopy``: one copy of a module's structure for many passes, as long as the structure does not change.

Copying the structure takes longer than a pass of a small network, and on a GPU a good part of a large one's. A copy is
used again if the module holds the same objects as when it was copied, and if the last pass has left the copy as it was.
Each pass gets new tensors in it, so that its weights are always the module's present ones. A copy that a pass's graph
refers to, since a checkpoint runs a part of it again for the gradients, is left to that graph.
"""

from __future__ import annotations

import operator
import sys
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from torch import nn

from .._compat.pytorch import HOOKS, PARTS, buffers_of, cloned_tensors, parameters_of
from .shallow_module_copy import ARRAYS, copied_parts

__all__ = ["CopyRecord", "ReusedCopy", "left_to_graph"]

#: Times in a row that a copy could not be used again, after which each pass gets a new copy that is not recorded.
_MOST_FAILURES = 4

#: Pairs of dictionaries of tensors by name: a submodule's and its copy's, or a copy's and what it was given.
_Holders: TypeAlias = list[tuple[dict[str, Any], dict[str, Any]]]

#: Copies that something refers to which lives longer than the pass.
_left: weakref.WeakSet[nn.Module] = weakref.WeakSet()


@contextmanager
def left_to_graph(copy: nn.Module) -> Iterator[None]:
    """Leave a copy as it is, for good, if what runs in the ``with`` block keeps a reference to a part of it.

    The graph of a checkpoint does (``use_reentrant=False``): it runs the part again when gradients are computed, and
    then needs the pass's tensors in it, whatever other passes do meanwhile.
    """
    parts = list(copy.modules())
    before = list(map(sys.getrefcount, parts))
    yield
    if list(map(sys.getrefcount, parts)) != before:
        _left.add(copy)


class ReusedCopy:
    """Copy of the structure of one module, which passes use one after the other.

    Only used under the module's lock (``exclusive_pass``). Copied or pickled, it is empty.
    """

    def __init__(self) -> None:
        self._idle: CopyRecord | None = None
        self._failures = 0

    def __reduce__(self) -> tuple[type[ReusedCopy], tuple[()]]:
        return ReusedCopy, ()

    def take(self, module: nn.Module, alias: Callable[[Any], torch.Tensor]) -> CopyRecord | None:
        """Return a copy for a pass, with its record; None if it could not be used again anyway.

        A pass within a pass gets another copy.

        Args:
            module: only read.
            alias: function of a parameter to the copy's parameter.

        Raises:
            Uncopyable: if the structure cannot be copied.
        """
        if self._failures >= _MOST_FAILURES:
            return None
        record, self._idle = self._idle, None
        if record is None or not record.is_of(module):
            record = CopyRecord(module)
            if not record.is_reusable:
                self._failures = _MOST_FAILURES
                return None
        record.fill(alias)
        return record

    def give_back(self, record: CopyRecord) -> None:
        """Keep a copy for the next pass if the pass that used it has left it as it was."""
        if record.copy not in _left and record.is_unchanged():
            self._failures = 0
            record.empty()
            self._idle = record
        else:
            self._failures += 1


class CopyRecord:
    """A copy of a module's structure without tensors, and what both held when the copy was made.

    Args:
        module: only read.

    Attributes:
        copy: the copy; it has parameters and buffers from ``fill`` to ``empty``.
        is_reusable: whether parameters and buffers are held by name only, so that all can be replaced, and no array is
            held, which a pass may write into.

    Raises:
        Uncopyable: if the structure cannot be copied.
    """

    def __init__(self, module: nn.Module) -> None:
        pairs = copied_parts(module, lambda tensor: tensor)
        self.copy: nn.Module = pairs[0][1]
        self._state = vars(module)
        parts = [(one, copy) for one, copy in pairs if isinstance(one, nn.Module)]
        self._parameters = _holders(parts, parameters_of)
        self._buffers = _holders(parts, buffers_of)
        self._holders = [*self._parameters, *self._buffers]
        self._names = [(holder, tuple(holder)) for holder, _ in self._holders]
        self._module_contents = _Held([one for one, _ in pairs])
        self._copy_contents = _Held([copy for _, copy in pairs])
        self._tensors = _Dictionaries([copied for _, copied in self._holders])
        replaced = {
            id(tensor)
            for holder, _ in self._holders
            for tensor in holder.values()
            if tensor is not None
        }
        # What is written into an array cannot be told by looking whether it is the same object.
        has_arrays = any(type(one) in ARRAYS for one, _ in pairs)
        self.is_reusable = not has_arrays and not self._copy_contents.has_any_of(replaced)
        self.empty()

    def is_of(self, module: nn.Module) -> bool:
        """Return whether the module holds what it held when it was copied, apart from its tensors."""
        return (
            vars(module) is self._state
            and all(tuple(holder) == names for holder, names in self._names)
            and self._module_contents.are_unchanged()
        )

    def is_unchanged(self) -> bool:
        """Return whether the copy holds what it held when it was filled."""
        return self._copy_contents.are_unchanged() and self._tensors.are_unchanged()

    def fill(self, alias: Callable[[Any], torch.Tensor]) -> None:
        """Give the copy aliases of the module's present parameters, and clones of its present buffers."""
        made: dict[int, Any] = {id(None): None}
        buffers = {
            id(b): b for holder, _ in self._buffers for b in holder.values() if b is not None
        }
        made.update(zip(buffers, cloned_tensors(list(buffers.values())), strict=True))
        for holder, _ in self._parameters:
            for parameter in holder.values():
                if id(parameter) not in made:
                    made[id(parameter)] = alias(parameter)
        for holder, copied in self._holders:
            for name, value in holder.items():
                copied[name] = made[id(value)]
        self._tensors.note()

    def empty(self) -> None:
        """Take the tensors out of the copy, so that it keeps none in memory that the module has no more."""
        for _, copied in self._holders:
            copied.update(dict.fromkeys(copied))
        self._tensors.note()


def _holders(
    parts: list[tuple[nn.Module, nn.Module]], tensors_of: Callable[[nn.Module], dict[str, Any]]
) -> _Holders:
    """Return the dictionaries of tensors of the submodules that have any, with those of their copies."""
    return [(tensors_of(one), tensors_of(copy)) for one, copy in parts if tensors_of(one)]


class _Dictionaries:
    """What dictionaries hold, noted at a moment.

    All are compared at once: a module has hundreds, and they are compared twice a pass.
    """

    def __init__(self, dictionaries: list[dict[Any, Any]]) -> None:
        self._dictionaries = dictionaries
        self.note()

    def note(self) -> None:
        """Note what they hold now."""
        self._lengths, self._names, self.values = self._contents()

    def are_unchanged(self) -> bool:
        """Return whether they hold the same objects, under the same names and in the same order, as when noted."""
        lengths, names, values = self._contents()
        return (
            lengths == self._lengths
            and all(map(operator.is_, values, self.values))
            and names == self._names
        )

    def _contents(self) -> tuple[list[int], list[Any], list[Any]]:
        names: list[Any] = []
        values: list[Any] = []
        for dictionary in self._dictionaries:
            names += dictionary
            values += dictionary.values()
        return list(map(len, self._dictionaries)), names, values


class _Held:
    """What submodules, dictionaries, lists, sets and deques hold.

    Args:
        owners: these, and others, which are left out.
    """

    def __init__(self, owners: list[Any]) -> None:
        #: Most are empty dictionaries of hooks, which are compared all at once.
        self._empty: list[Any] = []
        self._others: list[tuple[Any, tuple[Any, ...]]] = []
        dictionaries: list[dict[Any, Any]] = []
        for owner in owners:
            if isinstance(owner, nn.Module):
                state = vars(owner)
                containers = [state, *(state[name] for name in (PARTS, *HOOKS))]
            else:
                containers = [owner] if isinstance(owner, (dict, list, set, deque)) else []
            for one in containers:
                if not one:
                    self._empty.append(one)
                elif isinstance(one, dict):
                    dictionaries.append(one)
                else:
                    self._others.append((one, tuple(one)))
        self._dictionaries = _Dictionaries(dictionaries)

    def are_unchanged(self) -> bool:
        """Return whether all still hold the same objects under the same names."""
        return (
            not any(self._empty)
            and self._dictionaries.are_unchanged()
            and all(
                len(other) == len(values) and all(map(operator.is_, other, values))
                for other, values in self._others
            )
        )

    def has_any_of(self, identities: set[int]) -> bool:
        """Return whether one of these objects is held."""
        held = [self._dictionaries.values, *(values for _, values in self._others)]
        return any(not identities.isdisjoint(map(id, values)) for values in held)
