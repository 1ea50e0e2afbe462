"""Caches that share one limit in bytes for the whole process."""

from __future__ import annotations

import ctypes
import functools
import itertools
import operator
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from PIL import Image

from .._validation import is_integer
from ..errors import CamwidgetError
from . import fork_safety

__all__ = [
    "DEFAULT_LIMIT",
    "BoundedCache",
    "cache_limit",
    "cached_bytes",
    "make_room",
    "room_beside",
    "set_cache_limit",
    "size_of",
]

V = TypeVar("V")

#: Bytes kept unless another limit is set.
DEFAULT_LIMIT = 256 * 2**20

#: A pass takes about so many times the memory of its picture while it runs: ResNet-18 and ResNet-50 27 times.
_WORKING = 24

# Not cachetools: its caches are bounded each by itself, by what a value weighed when it was put in. Here one bound is
# for the caches of all explorers, forward passes grow after they are put in, and a cache goes with its owner.

#: Held for a dictionary's look-up, and never while a value is made. Reentrant, since Python's garbage collector may
#: close an explorer, which empties its caches, in whichever thread it runs.
_lock = fork_safety.rlock()
_caches: weakref.WeakSet[BoundedCache[Any]] = weakref.WeakSet()
_clock = itertools.count(1)
_limit = DEFAULT_LIMIT


def set_cache_limit(limit: int) -> int:
    """Set how much memory the explorers of this process may use to remember what they have computed.

    Forward passes with their activations and gradients, pixels and finished maps count, on whichever device they are.
    Those that were not used for the longest time go first, whichever explorer they belong to, and are computed anew
    when they are wanted again. What is on the screen, and what is being computed, comes on top.

    Args:
        limit: bytes; at first 256 MiB, ``256 * 2**20``. With 0 nothing is remembered.

    Returns:
        The limit before.

    Raises:
        CamwidgetError: if the limit is no whole number, or negative.
    """
    global _limit
    if not is_integer(limit, 0):
        raise CamwidgetError(
            f"The limit of the caches is a whole number of bytes, such as 256 * 2**20, not {limit!r}."
        )
    with _lock:
        before, _limit = _limit, operator.index(limit)
        gone = _fit(_limit)
    del gone
    return before


def cache_limit() -> int:
    """Return the limit in bytes (see ``set_cache_limit``)."""
    return _limit


def cached_bytes() -> int:
    """Return how many bytes are remembered now."""
    with _lock:
        return sum(cache.measured() for cache in list(_caches))


def room_beside(pixels: torch.Tensor) -> int:
    """Return how many bytes may be remembered while the model runs on a picture, at least a quarter of the limit.

    While it runs, a large picture takes more memory than all that is remembered.
    """
    return max(_limit // 4, _limit - _WORKING * 4 * pixels.numel())


def make_room(pixels: torch.Tensor) -> None:
    """Let go of what was not used for the longest time, before the model runs on a picture."""
    room = room_beside(pixels)
    with _lock:
        gone = _fit(room)
    del gone
    if room < _limit // 2:
        _give_back()


def _give_back() -> None:
    """Give the system the memory that is free: glibc's allocator keeps what was let go of in pieces below 32 MiB."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@functools.cache
def _malloc_trim() -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    found: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)
    return found


@dataclass
class _Entry(Generic[V]):
    """A value, when it was last used, and its size in bytes."""

    value: V
    used: int
    size: int


class BoundedCache(Generic[V]):
    """The values used last by key, each made once also when several threads want it.

    Args:
        most: how many values are kept at most; None for as many as the limit in bytes allows.
        weigh: gives a value's size in bytes. None: the values weigh nothing, and only their number is bounded.
        grows: whether values become larger after they are put in: they are weighed anew.
    """

    def __init__(
        self,
        most: int | None = None,
        weigh: Callable[[V], int] | None = None,
        *,
        grows: bool = False,
    ) -> None:
        self._most = most
        self._weigh = weigh
        self._grows = grows
        self._values: OrderedDict[Hashable, _Entry[V]] = OrderedDict()
        #: Held by whoever makes the value of a key. Not the lock of all caches: others are looked up meanwhile.
        self._making: dict[Hashable, threading.RLock] = {}
        if weigh is not None:
            with _lock:
                _caches.add(self)

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key, made if it is not there."""
        with _lock:
            entry = self._used(key)
            if entry is not None:
                return entry.value
            making = self._making.setdefault(key, fork_safety.rlock())
        with making:
            with _lock:  # somebody else may have made it by now
                entry = self._used(key)
                if entry is not None:
                    return entry.value
            try:
                value = make()
                self.put(key, value)
            finally:
                with _lock:
                    self._making.pop(key, None)
            return value

    def put(self, key: Hashable, value: V, *, spare: bool = False) -> None:
        """Keep a value, and let go of what was not used for the longest time; not at all if it is above the limit.

        Args:
            key: of the value.
            value: to be kept.
            spare: whether to keep it only while there is room: it takes no other value's place, until it is used.
        """
        size = 0 if self._weigh is None else self._weigh(value)
        gone: list[Any] = []
        with _lock:
            gone.append(self._values.pop(key, None))
            if self._weigh is None or size <= _limit:
                self._values[key] = _Entry(value, 0 if spare else next(_clock), size)
                if spare:
                    self._values.move_to_end(key, last=False)
            while self._most is not None and len(self._values) > self._most:
                gone.append(self._values.popitem(last=False))
            if self._weigh is not None:
                gone += _fit(_limit)
        del gone  # outside the lock: whatever their end brings with it

    def peek(self, key: Hashable) -> V | None:
        """Return the value if it is there already; it counts as used."""
        with _lock:
            entry = self._used(key)
            return None if entry is None else entry.value

    def drop(self, unwanted: Callable[[V], bool]) -> None:
        """Let go of the values of which this is true."""
        with _lock:
            keys = [key for key, entry in self._values.items() if unwanted(entry.value)]
            gone = [self._values.pop(key) for key in keys]
        del gone

    def clear(self) -> None:
        """Let go of all values."""
        with _lock:
            gone, self._values = self._values, OrderedDict()
        gone.clear()

    def __len__(self) -> int:
        return len(self._values)

    def _used(self, key: Hashable) -> _Entry[V] | None:
        entry = self._values.get(key)
        if entry is not None:
            self._values.move_to_end(key)
            entry.used = next(_clock)
        return entry

    # The rest is for ``_fit``, under the lock of all caches.

    def measured(self) -> int:
        """How many bytes there are by now."""
        if self._grows and self._weigh is not None:
            for entry in self._values.values():
                entry.size = self._weigh(entry.value)
        return sum(entry.size for entry in self._values.values())

    def take_larger(self, limit: int) -> list[_Entry[V]]:
        """Take out the values that are above a limit each by itself."""
        keys = [key for key, entry in self._values.items() if entry.size > limit]
        return [self._values.pop(key) for key in keys]

    def last_use(self) -> int:
        """When the value was used that was not used for the longest time; there is at least one."""
        return next(iter(self._values.values())).used  # they are in the order of their use

    def take_first(self) -> _Entry[V]:
        """Take out the value that was not used for the longest time."""
        return self._values.popitem(last=False)[1]


def _fit(limit: int) -> list[_Entry[Any]]:
    """Take values out of the caches until the rest is within a limit, and return them; under the lock."""
    caches = [cache for cache in _caches if len(cache)]
    total = sum(cache.measured() for cache in caches)
    gone: list[_Entry[Any]] = []
    if total <= limit:
        return gone
    for cache in caches:  # what is above the limit by itself would first displace all others
        for entry in cache.take_larger(limit):
            gone.append(entry)
            total -= entry.size
    while total > limit:
        first = min((cache for cache in caches if len(cache)), key=BoundedCache.last_use)
        entry = first.take_first()
        gone.append(entry)
        total -= entry.size
    return gone


def size_of(value: Any) -> int:
    """Return about how many bytes a value takes: its tensors, arrays and images, each memory once."""
    return _size(value, set())


def _size(value: Any, seen: set[int]) -> int:
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.device.type == "meta":
            return int(value.element_size() * value.numel())
        storage = value.untyped_storage()
        return _once(storage.data_ptr(), storage.nbytes(), seen)
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):  # a view keeps all of what it is a view of
            value = value.base
        return _once(value.__array_interface__["data"][0], value.nbytes, seen)
    if isinstance(value, Image.Image):
        return _once(id(value), value.width * value.height * len(value.getbands()), seen)
    if isinstance(value, (bytes, bytearray, str)):
        return _once(id(value), sys.getsizeof(value), seen)
    if value is None or isinstance(value, (bool, int, float, complex, type)):
        return 0
    if id(value) in seen:
        return 0
    seen.add(id(value))
    own = getattr(value, "nbytes", None)
    if isinstance(own, int):
        return own
    # Copies: another thread may put something in meanwhile.
    if isinstance(value, Mapping):
        return sum(_size(part, seen) for part in list(value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(_size(part, seen) for part in list(value))
    if is_dataclass(value):
        return sum(_size(getattr(value, f.name), seen) for f in fields(value))
    return 0


def _once(place: int, size: int, seen: set[int]) -> int:
    if place in seen:
        return 0
    seen.add(place)
    return size
