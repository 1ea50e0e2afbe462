"""Random numbers of one thread from private generators, which leave the global generators unchanged.

Restoring the global generator's state instead would also undo the draws of another thread, such as a training loop.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch

from .._compat.pytorch import DispatchMode, argument_names, operation_name, overload_name
from ..runtime import fork_safety

__all__ = ["PrivateRandomNumbers"]

_lock = fork_safety.lock()
#: (``torch.initial_seed()``, generator of seeds): made again after ``torch.manual_seed`` with another number.
_seeds: tuple[int, torch.Generator] | None = None


class PrivateRandomNumbers(DispatchMode):
    """Dispatch mode in which random operations of the calling thread use private generators.

    Operations with an explicit generator, and those that take none (dropout inside attention on a GPU), are unchanged.

    Args:
        seed: seed of the generators; derived from ``torch.initial_seed()`` and the number of calls if None.

    Attributes:
        any: whether a random operation ran.
    """

    def __init__(self, seed: int | None = None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.any = False
        self._seed = _next_seed() if seed is None else seed
        self._generators: dict[torch.device, torch.Generator] = {}

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if (
            torch.Tag.nondeterministic_seeded not in func.tags
            or kwargs.get("generator") is not None
            or not _is_random_call(func, args, kwargs)
        ):
            return func(*args, **kwargs)
        self.any = True
        seeded = _with_generator(func)
        if seeded is None:
            return func(*args, **kwargs)
        return seeded(*args, **kwargs, generator=self._generator(_device(args, kwargs)))

    def restart(self) -> None:
        """Restart the generators, which then give the same numbers again."""
        self._generators.clear()

    def _generator(self, device: torch.device) -> torch.Generator:
        if device not in self._generators:
            self._generators[device] = torch.Generator(device).manual_seed(self._seed)
        return self._generators[device]


def _next_seed() -> int:
    global _seeds
    with _lock:
        first = torch.initial_seed()
        if _seeds is None or _seeds[0] != first:
            _seeds = first, torch.Generator().manual_seed(first)
        return int(torch.randint(2**62, (), generator=_seeds[1]))


def _device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> torch.device:
    for value in args:
        if isinstance(value, torch.Tensor):
            return value.device
    return torch.device(kwargs.get("device") or "cpu")


def _is_random_call(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Return whether a call uses random numbers.

    Attention, and a recurrent layer of cuDNN, have a dropout probability, which is usually 0.
    """
    names = argument_names(func)
    for name in ("dropout_p", "dropout"):
        if name in names:
            position = names.index(name)
            return bool(args[position] if position < len(args) else kwargs.get(name, 0))
    return True


@functools.cache
def _with_generator(func: Any) -> Callable[..., Any] | None:
    """Return a form of an operation that takes the keyword ``generator``; None if there is none."""
    if "generator" in argument_names(func):

        def replaced(*args: Any, generator: torch.Generator, **kwargs: Any) -> Any:
            return func(*args, **{**kwargs, "generator": generator})

        return replaced
    packet, overload = func.overloadpacket, overload_name(func)
    # torch.rand and similar operations have a second overload of each signature with a generator.
    name = "generator" if overload == "default" else f"{overload}_generator"
    if name in packet.overloads():
        return getattr(packet, name)  # type: ignore[no-any-return]
    return _REIMPLEMENTED.get(operation_name(packet))


def _rand_like(like: torch.Tensor, *, generator: torch.Generator, **kwargs: Any) -> torch.Tensor:
    return torch.empty_like(like, **kwargs).uniform_(generator=generator)


def _randn_like(like: torch.Tensor, *, generator: torch.Generator, **kwargs: Any) -> torch.Tensor:
    return torch.empty_like(like, **kwargs).normal_(generator=generator)


def _randint_like(
    like: torch.Tensor, *bounds: int, generator: torch.Generator, **kwargs: Any
) -> torch.Tensor:
    low, high = bounds if len(bounds) > 1 else (0, *bounds)
    return torch.empty_like(like, **kwargs).random_(low, high, generator=generator)


def _native_dropout(
    like: torch.Tensor, p: float, train: bool | None = True, *, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.empty_like(like, dtype=torch.bool).bernoulli_(1 - p, generator=generator)
    return like * mask * (0.0 if p == 1 else 1 / (1 - p)), mask


_REIMPLEMENTED: dict[str, Callable[..., Any]] = {
    "aten::rand_like": _rand_like,
    "aten::randn_like": _randn_like,
    "aten::randint_like": _randint_like,
    "aten::native_dropout": _native_dropout,
}
