"""The state of generators of random numbers: whether they have moved on, and how to put them back.

Whoever draws random numbers is known by that the generators have moved on: a comparison of two answers alone would
miss what happens in one pass of ten. The generators are put back, so that looking at a model changes no experiment.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["RandomDraws", "draws_watched"]

#: A generator's state, and how to compare and put it back.
State = tuple[Callable[[], Any], Callable[[Any], Any]]


class RandomDraws:
    """Generators of random numbers, and whether they have been used since.

    Args:
        device: whether the computer's torch generator, or this device's, is seeded is watched, too.
        owners: objects that may have generators of their own among their attributes.
    """

    def __init__(self, device: torch.device, owners: Iterable[object] = ()) -> None:
        self._generators: list[State] = [
            (random.getstate, random.setstate),
            (np.random.get_state, np.random.set_state),
        ]
        #: Of torch's own generators: what is drawn from them is another thread's, or seen by ``PrivateDraws``.
        self._seeded: list[State] = [(torch.get_rng_state, torch.set_rng_state)]
        if device.type == "cuda":
            self._seeded.append(
                (
                    lambda: torch.cuda.get_rng_state(device),
                    lambda state: torch.cuda.set_rng_state(state, device),
                )
            )
        elif device.type == "mps":
            self._seeded.append((torch.mps.get_rng_state, torch.mps.set_rng_state))
        self._seed = torch.initial_seed()
        self._before_seeding = [get() for get, _ in self._seeded]
        for owner in owners:
            self._generators += [
                _of(value) for value in vars(owner).values() if _is_generator(value)
            ]
        self._before = [get() for get, _ in self._generators]

    @property
    def any(self) -> bool:
        """Whether any random number has been drawn, or torch's generator been seeded."""
        return torch.initial_seed() != self._seed or any(
            not _same(get(), before)
            for (get, _), before in zip(self._generators, self._before, strict=True)
        )

    def undo(self) -> None:
        """Put the generators back that have moved on."""
        for (get, put), before in zip(self._generators, self._before, strict=True):
            if not _same(get(), before):
                put(before)
        if torch.initial_seed() != self._seed:
            for (_, put), before in zip(self._seeded, self._before_seeding, strict=True):
                put(before)


@contextmanager
def draws_watched(device: torch.device, owners: Iterable[object] = ()) -> Iterator[RandomDraws]:
    """Within it, it is known whether random numbers are drawn; afterwards they have not been."""
    draws = RandomDraws(device, owners)
    try:
        yield draws
    finally:
        draws.undo()


def _is_generator(value: object) -> bool:
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    return isinstance(value, kinds)


def _of(generator: Any) -> State:
    if isinstance(generator, torch.Generator):
        return generator.get_state, generator.set_state
    if isinstance(generator, np.random.Generator):
        bits = generator.bit_generator
        return lambda: bits.state, lambda state: setattr(bits, "state", state)
    if isinstance(generator, np.random.RandomState):
        return generator.get_state, generator.set_state
    return generator.getstate, generator.setstate


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.array_equal(one, other)
    if isinstance(one, dict):
        return all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, tuple):
        return all(map(_same, one, other))
    return bool(one == other)
