"""One pass of a module that leaves nothing in it: no training flag, buffer, hook, attribute or gradient.

What runs is a copy of the module's structure around the same weights, made anew for each pass: whatever the module's
owner has changed is in it, and an owner who trains the module meanwhile, on another thread, sees nothing of it.
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

from .._compat.pytorch import buffers_of, version_of
from ..errors import warn
from ..runtime import fork_safety
from .random_numbers import PrivateDraws
from .random_state import draws_watched
from .structure_copy import Uncopyable, copy_structure, named_tensors, parts_of

__all__ = [
    "IsolationRehearsal",
    "PassIsolation",
    "TensorEscapes",
    "autocast_off",
    "evaluating",
    "quiet",
    "switched_off",
    "warn_if_training",
]


@dataclass(frozen=True)
class PassIsolation:
    """How a module is kept from what a pass does to it; its first passes tell.

    Attributes:
        copies: whether a copy of its structure runs; else it runs itself, its training flags switched off meanwhile.
        written: names of the tensors that its forward writes into: each pass has its own.
        draws: whether it draws random numbers: each pass has its own.
        moves: whether it draws from generators that are no copies (Python's, NumPy's, one of its own), or seeds
            PyTorch's: they are put back after each pass.
        is_ours: whether the module is a copy already, in evaluation mode, that nobody else knows: it runs itself.
    """

    copies: bool = True
    written: frozenset[str] = frozenset()
    draws: bool = False
    moves: bool = False
    is_ours: bool = False


#: A module's passes go one after the other: what its parts share with the copies need not bear two at once.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_finding_lock = fork_safety.lock()
#: Held while training flags are switched: modules may share parts.
_switching = fork_safety.rlock()
_warned: weakref.WeakSet[nn.Module] = weakref.WeakSet()


@contextmanager
def evaluating(
    module: nn.Module, device: torch.device, isolation: PassIsolation, *, runs: bool = True
) -> Iterator[nn.Module]:
    """Give what is to be run of a module for one pass, in evaluation mode; the caller's autocast is off within.

    Args:
        module: whose pass it is.
        device: where it is.
        isolation: how it is kept from that.
        runs: whether anything is run; else the module itself is given, for the backward pass of what ran before.
    """
    with ExitStack() as stack:
        stack.enter_context(quiet(module, device))
        if isolation.draws:
            stack.enter_context(PrivateDraws())
        if isolation.moves:
            stack.enter_context(draws_watched(device, parts_of(module)))
        needs = runs and not (isolation.is_ours and not isolation.written)
        copy = _copied(module, isolation.written) if needs and isolation.copies else None
        if copy is None and (needs or not isolation.copies):
            warn_if_training(module)
            stack.enter_context(switched_off(module, keeps=bool(isolation.written)))
        yield module if copy is None else copy


@contextmanager
def quiet(module: nn.Module, device: torch.device) -> Iterator[None]:
    """Within it no other thread has a pass of the module, and the caller's autocast and inference mode are off."""
    with _lock_of(module), torch.inference_mode(False), autocast_off(device):
        yield


@contextmanager
def autocast_off(device: torch.device) -> Iterator[None]:
    """Within it this thread computes without autocast.

    ``torch.autocast(…, enabled=False)`` would do, but that empties, where it ends, the cache of casts of all threads:
    in a training loop beside, a weight that is used twice would then be cast twice, and its gradient be rounded
    otherwise.
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


def _copied(module: nn.Module, written: frozenset[str]) -> nn.Module | None:
    # Whether a forward writes into a buffer may depend on the picture, so that no rehearsal can tell.
    buffers = {id(buffer) for buffer in module.buffers()}
    own = {id(t) for name, t in named_tensors(module) if name in written} if written else set()

    def tensor(value: torch.Tensor) -> torch.Tensor:
        if id(value) in own or id(value) in buffers:
            return _cloned(value)
        return _alias(value) if type(value) is nn.Parameter else value

    try:
        return copy_structure(module, tensor)
    except Uncopyable:
        return None


def _alias(parameter: nn.Parameter, requires_grad: bool = False) -> nn.Parameter:
    """The same numbers in the same memory, without a gradient and known to nobody else.

    An optimizer's step between a pass and its gradient is no error for an alias, which has a version of its own; and
    autocast, whose cache of casts all threads share, does not keep one that wants no gradient.
    """
    return nn.Parameter(parameter.data, requires_grad)


def _cloned(value: torch.Tensor) -> torch.Tensor:
    clone = value.detach().clone()
    return nn.Parameter(clone, False) if isinstance(value, nn.Parameter) else clone


# -- the first passes ----------------------------------------------------------------------------


class IsolationRehearsal:
    """A copy for a module's first passes, which tell whether copies will do, and what each pass needs of its own.

    Its buffers are its own, so that writing into them does no harm and is seen.

    Args:
        module: only read.

    Attributes:
        copy: to be run, in evaluation mode. Its parameters want gradients as the module's do.

    Raises:
        Uncopyable: if there cannot be one.
    """

    def __init__(self, module: nn.Module) -> None:
        names = {id(tensor): name for name, tensor in named_tensors(module)}
        self._buffers = {name for name, _ in module.named_buffers()}
        self._shared: list[tuple[str, torch.Tensor, int]] = []
        self._own: list[tuple[str, torch.Tensor, torch.Tensor]] = []

        def tensor(value: torch.Tensor) -> torch.Tensor:
            name = names.get(id(value), "")
            if type(value) is nn.Parameter:
                made: torch.Tensor = _alias(value, value.requires_grad)
                self._shared.append((name, made, version_of(made)))
            elif isinstance(value, nn.Parameter) or value.device.type == "meta" or not name:
                return value
            else:
                made = _cloned(value)
                self._own.append((name, made, made.clone()))
            return made

        self.copy = copy_structure(module, tensor)

    @property
    def written(self) -> frozenset[str]:
        """Names of the tensors that were written into, and of buffers that were exchanged for others."""
        there = dict(self.copy.named_buffers())
        return frozenset(
            [name for name, alias, version in self._shared if version_of(alias) != version]
            + [
                name
                for name, own, before in self._own
                if not _same(own, before) or (name in self._buffers and there.get(name) is not own)
            ]
        )


class TensorEscapes(TorchFunctionMode):
    """Notes whether this thread computes with a module's own parameters, where a copy of it is run.

    Then some object that the copy shares with the module leads back to it.

    Attributes:
        any: whether it did.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        # Of other kinds of parameters there is no alias.
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


class KeptBuffers:
    """Copies of a module's buffers, for a module whose forward writes into them (a counter, a memory).

    Attributes:
        changed: names of those that were put back.
    """

    def __init__(self, module: nn.Module) -> None:
        self.changed: list[str] = []
        self._kept = [
            (
                buffers_of(part),
                f"{prefix}.{name}".lstrip("."),
                name,
                buffer,
                buffer.detach().clone(),
            )
            for prefix, part in module.named_modules()
            for name, buffer in buffers_of(part).items()
            if buffer is not None and buffer.device.type != "meta"
        ]

    def restore(self) -> None:
        """Put back what has changed: the tensors themselves, and what is in them."""
        with torch.no_grad():
            for holder, path, name, buffer, copy in self._kept:
                if holder.get(name) is not buffer or not _same(buffer, copy):
                    holder[name] = buffer
                    buffer.copy_(copy)
                    self.changed.append(path)


def warn_if_training(module: nn.Module) -> None:
    """Give a ``CamwidgetWarning``, once, if switching a module off would disturb someone who trains it."""
    if module not in _warned and any(part.training for part in parts_of(module)):
        _warned.add(module)
        warn(
            f"{type(module).__name__} is in training mode, and its parts cannot be copied, so that it is switched to "
            "evaluation mode itself during each pass. Do not train it on another thread at the same time: that "
            "would go on without dropout, and without batch statistics."
        )


@contextmanager
def switched_off(module: nn.Module, *, keeps: bool) -> Iterator[KeptBuffers | None]:
    """Hold a module itself in evaluation mode, and give it back as it was.

    Args:
        module: which.
        keeps: whether its buffers are put back too.
    """
    with _switching:
        flags = [(part, part.training) for part in parts_of(module)]
        kept = KeptBuffers(module) if keeps else None
        before = {id(tensor) for *_, tensor in _graphs(module)}
        try:
            for part, was in flags:
                if was:
                    part.training = False
            yield kept
        finally:
            for part, was in flags:  # a forward may set them itself
                if part.training is not was:
                    part.training = was
            if kept is not None:
                kept.restore()
            # A tensor with a graph among its attributes cannot be copied, and would keep that graph alive.
            for holder, key, tensor in _graphs(module):
                if id(tensor) not in before:
                    holder[key] = tensor.detach()


def _graphs(module: nn.Module) -> list[tuple[dict[Any, Any], Any, torch.Tensor]]:
    """The tensors that autograd computed among the attributes of a module's parts, and in dictionaries of theirs."""
    found: list[tuple[dict[Any, Any], Any, torch.Tensor]] = []
    for part in parts_of(module):
        own = vars(part)
        for holder in (own, *(v for k, v in own.items() if type(v) is dict and k[0] != "_")):
            found += [
                (holder, key, value)
                for key, value in holder.items()
                if isinstance(value, torch.Tensor) and value.grad_fn is not None
            ]
    return found


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors hold the same values; NaN is the same as NaN."""
    if torch.equal(one, other):
        return True
    return one.is_floating_point() and bool(torch.allclose(one, other, 0, 0, equal_nan=True))
