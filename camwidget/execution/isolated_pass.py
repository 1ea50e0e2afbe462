"""Isolated pass: a forward pass that changes no training flag, buffer, hook, attribute or gradient of the module.

Each pass runs a new copy of the module's structure around the same weights: it sees the weights
as they are now, and does not disturb training of the module on another thread.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .._compat.pytorch import buffers_of, parameters_of, version_of
from ..errors import warn
from ..runtime import fork_safety
from .random_numbers import PrivateRandomNumbers
from .random_state import watch_random_draws
from .reused_copy import CopyRecord, ReusedCopy
from .shallow_module_copy import Uncopyable, copy_structure, named_tensors, submodules_of

__all__ = [
    "IsolationProbe",
    "OriginalParameterDetector",
    "PassIsolation",
    "autocast_off",
    "exclusive_pass",
    "in_evaluation_mode",
    "isolated_module",
    "warn_if_training",
]


@dataclass(frozen=True)
class PassIsolation:
    """What a pass needs so that the module stays unchanged, as found by its first passes.

    Attributes:
        runs_copy: whether a copy of the module's structure runs; otherwise the module itself runs, in evaluation mode.
        written_tensors: names of the tensors that the module writes into, of which each pass has copies.
        draws_random_numbers: whether the module uses random numbers, for which each pass has private generators.
        restores_generators: whether the module uses generators without private copies (Python's, NumPy's, its own), or
            seeds PyTorch's: their states are restored after each pass.
        is_private_copy: whether camwidget made the module and only it uses it, so that it can be run directly.
    """

    runs_copy: bool = True
    written_tensors: frozenset[str] = frozenset()
    draws_random_numbers: bool = False
    restores_generators: bool = False
    is_private_copy: bool = False


#: One lock a module: its passes run one after the other, since objects shared with the copies may not be thread-safe.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_finding_lock = fork_safety.lock()
#: Held while training flags are switched, since modules may share submodules.
_switching = fork_safety.rlock()
_warned: weakref.WeakSet[nn.Module] = weakref.WeakSet()


@contextmanager
def isolated_module(
    module: nn.Module,
    device: torch.device,
    isolation: PassIsolation,
    runs: bool = True,
    reused: ReusedCopy | None = None,
) -> Iterator[nn.Module]:
    """Yield the module to run for one pass, in evaluation mode; autocast is off in the ``with`` block.

    Args:
        module: the module.
        device: device of the module.
        isolation: what the pass needs so that the module stays unchanged.
        runs: whether a forward pass follows; if not, the module itself is given, for a backward pass.
        reused: the copy that passes of the module use one after the other; None for a copy that is only used here, and
            may be kept.

    Yields:
        A copy of the module, or the module itself if it cannot be copied or needs no copy.
    """
    written = isolation.written_tensors
    with ExitStack() as stack:
        stack.enter_context(exclusive_pass(module, device))
        if isolation.draws_random_numbers:
            stack.enter_context(PrivateRandomNumbers())
        if isolation.restores_generators:
            stack.enter_context(watch_random_draws(device, submodules_of(module)))
        needs_isolation = runs and not (isolation.is_private_copy and not written)
        copy = None
        if needs_isolation and isolation.runs_copy:
            record = None if written or reused is None else _reused(reused, module)
            if reused is not None and record is not None:
                yield record.copy
                reused.give_back(record)
                return
            copy = _isolated_copy(module, written)
        if copy is None and (needs_isolation or not isolation.runs_copy):
            warn_if_training(module)
            stack.enter_context(in_evaluation_mode(module, written=written))
        yield module if copy is None else copy


@contextmanager
def exclusive_pass(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Exclude other threads' passes of the module, and switch the caller's autocast and inference mode off."""
    with _lock_of(module), torch.inference_mode(False), autocast_off(device):
        yield


@contextmanager
def autocast_off(device: torch.device) -> Iterator[None]:
    """Switch autocast off for the calling thread.

    ``torch.autocast(…, enabled=False)`` clears the cast cache of all threads at its end. In a training loop on another
    thread, a weight that is used twice would then be cast twice, and its gradient rounded differently.
    """
    kind = device.type
    if not torch.is_autocast_enabled(kind):
        yield
        return
    torch.set_autocast_enabled(kind, False)
    try:
        yield
    finally:
        torch.set_autocast_enabled(kind, True)


def _lock_of(module: nn.Module) -> threading.RLock:
    with _finding_lock:
        return _locks.setdefault(module, fork_safety.rlock())


def _isolated_copy(module: nn.Module, written: frozenset[str]) -> nn.Module | None:
    """Return a copy of the structure with aliases of parameters and copies of written tensors; None if impossible."""
    # All buffers are copied, since a forward may write into a buffer for some pictures only.
    buffers = {id(buffer) for buffer in module.buffers()}
    cloned = {id(t) for name, t in named_tensors(module) if name in written} if written else set()

    def tensor(value: torch.Tensor) -> torch.Tensor:
        if id(value) in cloned or id(value) in buffers:
            return _cloned(value)
        return _alias_of_plain(value)

    try:
        return copy_structure(module, tensor)
    except Uncopyable:
        return None


def _reused(reused: ReusedCopy, module: nn.Module) -> CopyRecord | None:
    """Return the copy that passes use one after the other; None if there is none."""
    try:
        return reused.take(module, _alias_of_plain)
    except Uncopyable:
        return None


def _alias_of_plain(value: torch.Tensor) -> torch.Tensor:
    """Return an alias of a parameter; a parameter of another class as it is."""
    return _alias(value) if type(value) is nn.Parameter else value


def _alias(parameter: nn.Parameter, requires_grad: bool = False) -> nn.Parameter:
    """Return another parameter with the same memory and, by default, without gradient.

    An alias has its own version counter, so that an optimizer's step between a pass and its gradient is no error; and
    autocast's cache, which all threads share, does not store casts of parameters without gradient.
    """
    return nn.Parameter(parameter.data, requires_grad)


def _cloned(value: torch.Tensor) -> torch.Tensor:
    clone = value.detach().clone()
    return nn.Parameter(clone, False) if isinstance(value, nn.Parameter) else clone


# -- first passes --------------------------------------------------------------------------------

#: Bytes of parameters up to which the first passes have clones of them. Writes of larger modules are noticed too, but
#: not prevented in these passes: twice their parameters may not fit into memory.
MOST_CLONED = 2 << 30


def _are_large(module: nn.Module) -> bool:
    """Return whether the parameters of a module are too large together to be cloned."""
    return sum(p.numel() * p.element_size() for p in module.parameters()) > MOST_CLONED


class _ProbedParameter:
    """A parameter of the copy: a clone of the original, or an alias of it if ``original`` is None."""

    def __init__(self, name: str, parameter: torch.Tensor, original: torch.Tensor | None) -> None:
        self.name = name
        self._parameter, self._version = parameter, version_of(parameter)
        self._original = original
        self._original_version = 0 if original is None else version_of(original)

    @property
    def is_written(self) -> bool:
        """Whether a pass has written into it. Into a clone that is noticed also through ``.data``."""
        if version_of(self._parameter) != self._version:
            return True
        original = self._original
        # One that was trained meanwhile cannot be compared.
        if original is None or version_of(original) != self._original_version:
            return False
        return not _same_values(self._parameter, original)


class IsolationProbe:
    """Copy of a module for its first passes, which find out what isolation the module needs.

    The copy has its own parameters and buffers, so that writing into them is harmless and can be detected.

    Args:
        module: only read. Parameters of more than ``MOST_CLONED`` bytes together are shared with the copy.

    Attributes:
        copy: the copy in evaluation mode; its parameters require gradients where the module's do.

    Raises:
        Uncopyable: if the structure cannot be copied.
    """

    def __init__(self, module: nn.Module) -> None:
        names = {id(tensor): name for name, tensor in named_tensors(module)}
        self._buffers = {name for name, _ in module.named_buffers()}
        self._parameters: list[_ProbedParameter] = []
        self._own: list[tuple[str, torch.Tensor, torch.Tensor]] = []
        are_shared = _are_large(module)

        def tensor(value: torch.Tensor) -> torch.Tensor:
            name = names.get(id(value), "")
            if type(value) is nn.Parameter:
                is_shared = are_shared or value.is_inference()
                source = value.data if is_shared else value.detach().clone()
                made: torch.Tensor = nn.Parameter(source, value.requires_grad)
                original = None if is_shared else value
                self._parameters.append(_ProbedParameter(name, made, original))
            elif isinstance(value, nn.Parameter) or value.device.type == "meta" or not name:
                return value
            else:
                made = _cloned(value)
                self._own.append((name, made, made.clone()))
            return made

        self.copy = copy_structure(module, tensor)

    @property
    def written(self) -> frozenset[str]:
        """Names of the tensors that were modified in place, and of buffers that were replaced."""
        buffers = dict(self.copy.named_buffers())
        return frozenset(
            [parameter.name for parameter in self._parameters if parameter.is_written]
            + [
                name
                for name, own, before in self._own
                if not _same_values(own, before)
                or (name in self._buffers and buffers.get(name) is not own)
            ]
        )


class OriginalParameterDetector(TorchFunctionMode):
    """Function mode that detects whether a copy's pass uses the original module's parameters.

    It does if an object that the copy shares with the module refers to the module.

    Attributes:
        any: whether an original parameter was used.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # Parameters of subclasses are shared with the copy, not aliased.
        self._own = {id(p) for p in module.parameters() if type(p) is nn.Parameter}
        self.any = False

    def __torch_function__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        for value in (*args, *kwargs.values()):
            within = value if type(value) in (list, tuple) else (value,)
            self.any = self.any or not self._own.isdisjoint(map(id, within))
        return func(*args, **kwargs)


# -- a module that cannot be copied --------------------------------------------------------------


class TensorBackup:
    """Backup of the buffers of a module that writes into them (a counter, a memory), and of parameters.

    Args:
        module: only read until ``restore``.
        parameters: names of the parameters that are backed up too; None for all, unless they are of more than
            ``MOST_CLONED`` bytes together.

    Attributes:
        changed: names of the tensors that ``restore`` has restored.
    """

    def __init__(self, module: nn.Module, parameters: frozenset[str] | None) -> None:
        self.changed: list[str] = []
        self._tensors: list[tuple[dict[str, Any], str, str, torch.Tensor, torch.Tensor]] = []
        if parameters is None and _are_large(module):
            parameters = frozenset()
        for prefix, part in module.named_modules():
            for holder, wanted in ((buffers_of(part), None), (parameters_of(part), parameters)):
                for name, tensor in holder.items():
                    path = f"{prefix}.{name}".lstrip(".")
                    is_wanted = wanted is None or path in wanted
                    if tensor is not None and tensor.device.type != "meta" and is_wanted:
                        self._tensors.append((holder, path, name, tensor, tensor.detach().clone()))

    def restore(self) -> None:
        """Restore the tensors that have changed: the objects and their values."""
        with torch.no_grad():
            for holder, path, name, tensor, copy in self._tensors:
                # TorchScript has its parameters in no dictionary, and replaces none.
                is_other = isinstance(holder, dict) and holder.get(name) is not tensor
                if is_other or not _same_values(tensor, copy):
                    if is_other:
                        holder[name] = tensor
                    tensor.copy_(copy)
                    self.changed.append(path)


def warn_if_training(module: nn.Module) -> None:
    """Warn once if switching a module to evaluation mode would disturb its training."""
    if module not in _warned and any(part.training for part in submodules_of(module)):
        _warned.add(module)
        warn(
            f"{type(module).__name__} is in training mode, and its parts cannot be copied, so that it is switched to "
            "evaluation mode itself during each pass. Do not train it on another thread at the same time: the training "
            "would go on without dropout, and without batch statistics."
        )


@contextmanager
def in_evaluation_mode(
    module: nn.Module, *, written: frozenset[str] | None
) -> Iterator[TensorBackup | None]:
    """Keep a module in evaluation mode within a ``with`` block, and restore it afterwards.

    Args:
        module: the module.
        written: names of the tensors that it writes into, which are restored with all buffers; None if that is
            unknown, so that all parameters and buffers are.

    Yields:
        The backup of the tensors; None if nothing is written.
    """
    with _switching:
        flags = [(part, part.training) for part in submodules_of(module)]
        backup = TensorBackup(module, written) if written is None or written else None
        before = {id(tensor) for *_, tensor in _attached_tensors(module)}
        try:
            for part, was in flags:
                if was:
                    part.training = False
            yield backup
        finally:
            for part, was in flags:  # the forward pass may have set flags itself
                if part.training is not was:
                    part.training = was
            if backup is not None:
                backup.restore()
            # A tensor attribute with a graph would keep the graph alive, and could not be deep-copied.
            for holder, key, tensor in _attached_tensors(module):
                if id(tensor) not in before:
                    holder[key] = tensor.detach()


def _attached_tensors(module: nn.Module) -> list[tuple[dict[Any, Any], Any, torch.Tensor]]:
    """Return (dictionary, key, tensor) of all attributes, and items of dictionary attributes, that have a graph."""
    found: list[tuple[dict[Any, Any], Any, torch.Tensor]] = []
    for part in submodules_of(module):
        state = vars(part)
        dictionaries = (v for k, v in state.items() if type(v) is dict and k[0] != "_")
        for holder in (state, *dictionaries):
            found += [
                (holder, key, value)
                for key, value in holder.items()
                if isinstance(value, torch.Tensor) and value.grad_fn is not None
            ]
    return found


def _same_values(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Return whether two tensors have equal values; NaN equals NaN."""
    if torch.equal(one, other):
        return True
    return one.is_floating_point() and bool(torch.allclose(one, other, 0, 0, equal_nan=True))
