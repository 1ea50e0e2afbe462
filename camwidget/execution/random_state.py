"""State of random generators: whether they were used, and how to restore it.

Random draws are detected by the states of the generators: a comparison of two outputs would miss draws in one pass of
ten. The states are restored, so that inspecting a model does not change an experiment.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

__all__ = ["GeneratorWatch", "watch_random_draws"]

#: Functions that get and set a generator's state.
State = tuple[Callable[[], Any], Callable[[Any], Any]]


class GeneratorWatch:
    """Watch over random generators: detects whether they were used, and restores them.

    Args:
        device: device whose torch generator is watched for seeding, besides the CPU's.
        owners: objects that may have generators among their attributes.
    """

    def __init__(self, device: torch.device, owners: Iterable[object] = ()) -> None:
        self._generators: list[State] = [
            (random.getstate, random.setstate),
            (np.random.get_state, np.random.set_state),
        ]
        #: Torch's generators, watched for seeding only: draws are another thread's, or in ``PrivateRandomNumbers``.
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
                _state_access(value) for value in vars(owner).values() if _is_generator(value)
            ]
        self._before = [get() for get, _ in self._generators]

    @property
    def any(self) -> bool:
        """Whether a random number was drawn, or torch's generator was seeded."""
        return torch.initial_seed() != self._seed or any(
            not _same(get(), before)
            for (get, _), before in zip(self._generators, self._before, strict=True)
        )

    def restore(self) -> None:
        """Restore the states of the generators that were used."""
        for (get, put), before in zip(self._generators, self._before, strict=True):
            if not _same(get(), before):
                put(before)
        if torch.initial_seed() != self._seed:
            for (_, put), before in zip(self._seeded, self._before_seeding, strict=True):
                put(before)


@contextmanager
def watch_random_draws(
    device: torch.device, owners: Iterable[object] = ()
) -> Iterator[GeneratorWatch]:
    """Watch random generators in a ``with`` block, and restore them at its end."""
    draws = GeneratorWatch(device, owners)
    try:
        yield draws
    finally:
        draws.restore()


def _is_generator(value: object) -> bool:
    kinds = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
    return isinstance(value, kinds)


def _state_access(generator: Any) -> State:
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
