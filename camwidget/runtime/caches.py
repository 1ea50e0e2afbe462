"""Caches that share one limit in bytes across the process."""

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
    "is_large",
    "limit_during_pass",
    "make_room",
    "set_cache_limit",
    "size_of",
    "trim_heap",
]

V = TypeVar("V")

#: Limit in bytes unless another one is set.
DEFAULT_LIMIT = 256 * 2**20

#: Peak memory of a forward pass divided by the memory of its picture, about: 27 for ResNet-18 and ResNet-50.
_PASS_FACTOR = 24

# Not cachetools: it bounds each cache separately, by the size that a value had when it was stored. Here one limit holds
# for the caches of all explorers, forward passes grow after they are stored, and a cache is freed with its owner.

#: Held during a look-up, and never while a value is computed. Reentrant, since Python's garbage collector may close an
#: explorer, which clears its caches, in whichever thread it runs.
_lock = fork_safety.rlock()
_caches: weakref.WeakSet[BoundedCache[Any]] = weakref.WeakSet()
_clock = itertools.count(1)
_limit = DEFAULT_LIMIT


def set_cache_limit(limit: int) -> int:
    """Set how much memory the explorers of this process may use for cached results.

    The limit counts forward passes with their activations and gradients, pixels and finished maps, on every device.
    The least recently used results are evicted first, across all explorers, and computed again when needed. Results on
    the screen and computations in progress need memory in addition.

    Args:
        limit: limit in bytes, an integer ≥ 0; 256 MiB (``256 * 2**20``) at start. With 0 nothing is cached.

    Returns:
        The previous limit in bytes.

    Raises:
        CamwidgetError: if the limit is not an integer, or negative.

    Example:
        >>> import camwidget as cw
        >>> previous = cw.set_cache_limit(512 * 2**20)
        >>> cw.set_cache_limit(previous)
        536870912
    """
    global _limit
    if not is_integer(limit, 0):
        raise CamwidgetError(
            f"The limit of the caches is an integer number of bytes, such as 256 * 2**20, not {limit!r}."
        )
    with _lock:
        previous, _limit = _limit, operator.index(limit)
        evicted = _evict(_limit)
    del evicted  # outside the lock: finalizers of the values may need it
    return previous


def cache_limit() -> int:
    """Return the limit in bytes (see ``set_cache_limit``)."""
    return _limit


def limit_during_pass(pixels: torch.Tensor) -> int:
    """Return how many bytes may be cached while the model runs on a picture, at least a quarter of the limit.

    A pass of a large picture needs more memory than all cached results together.
    """
    return max(_limit // 4, _limit - _PASS_FACTOR * 4 * pixels.numel())


def is_large(pixels: torch.Tensor) -> bool:
    """Return whether a pass of a picture takes more than half of the limit, so that memory comes before time."""
    return limit_during_pass(pixels) < _limit // 2


def make_room(pixels: torch.Tensor) -> None:
    """Evict the least recently used values before the model runs on a picture."""
    large = is_large(pixels)
    with _lock:
        evicted = _evict(_limit // 16 if large else limit_during_pass(pixels))
    del evicted
    if large:
        trim_heap()


def trim_heap() -> None:
    """Return free memory to the system: glibc's allocator keeps freed blocks below 32 MiB."""
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
class _CachedValue(Generic[V]):
    """A cached value, the time of its last use, and its size in bytes."""

    value: V
    last_use: int
    size: int


class BoundedCache(Generic[V]):
    """Cache of the most recently used values by key; a value is computed once, also for several threads.

    Args:
        max_values: maximum number of values; None for as many as the limit in bytes allows.
        size: gives a value's size in bytes. With None, values do not count toward the limit in bytes.
        grows: whether values grow after they were stored, so that their size is measured again.
    """

    def __init__(
        self,
        max_values: int | None = None,
        size: Callable[[V], int] | None = None,
        *,
        grows: bool = False,
    ) -> None:
        self._max_values = max_values
        self._size_of_value = size
        self._grows = grows
        self._values: OrderedDict[Hashable, _CachedValue[V]] = OrderedDict()
        #: A lock for each key whose value is being computed, so that other keys can be looked up meanwhile.
        self._key_locks: dict[Hashable, threading.RLock] = {}
        if size is not None:
            with _lock:
                _caches.add(self)

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """Return the value of a key; ``make`` computes it if it is not cached."""
        with _lock:
            entry = self._lookup(key)
            if entry is not None:
                return entry.value
            key_lock = self._key_locks.setdefault(key, fork_safety.rlock())
        with key_lock:
            with _lock:  # another thread may have computed it meanwhile
                entry = self._lookup(key)
                if entry is not None:
                    return entry.value
            try:
                value = make()
                self.put(key, value)
            finally:
                with _lock:
                    self._key_locks.pop(key, None)
            return value

    def put(self, key: Hashable, value: V, *, low_priority: bool = False) -> None:
        """Store a value, and evict the least recently used ones; a value larger than the limit is not stored.

        Args:
            key: key of the value.
            value: the value.
            low_priority: whether to evict the value before all others until it is used.
        """
        size = 0 if self._size_of_value is None else self._size_of_value(value)
        evicted: list[Any] = []
        with _lock:
            evicted.append(self._values.pop(key, None))
            if self._size_of_value is None or size <= _limit:
                self._values[key] = _CachedValue(value, 0 if low_priority else next(_clock), size)
                if low_priority:
                    self._values.move_to_end(key, last=False)
            while self._max_values is not None and len(self._values) > self._max_values:
                evicted.append(self._values.popitem(last=False))
            if self._size_of_value is not None:
                evicted += _evict(_limit)
        del evicted  # outside the lock: finalizers of the values may need it

    def peek(self, key: Hashable) -> V | None:
        """Return the value of a key if it is cached, which counts as a use; None otherwise."""
        with _lock:
            entry = self._lookup(key)
            return None if entry is None else entry.value

    def drop(self, unwanted: Callable[[V], bool]) -> None:
        """Remove the values for which ``unwanted`` is true."""
        with _lock:
            keys = [key for key, entry in self._values.items() if unwanted(entry.value)]
            evicted = [self._values.pop(key) for key in keys]
        del evicted

    def clear(self) -> None:
        """Remove all values."""
        with _lock:
            evicted, self._values = self._values, OrderedDict()
        evicted.clear()

    def __len__(self) -> int:
        return len(self._values)

    def _lookup(self, key: Hashable) -> _CachedValue[V] | None:
        entry = self._values.get(key)
        if entry is not None:
            self._values.move_to_end(key)
            entry.last_use = next(_clock)
        return entry

    # The rest is for ``_evict``, which holds the lock of all caches.

    def current_bytes(self) -> int:
        """Return the size of all values in bytes; the caller holds the lock."""
        if self._grows and self._size_of_value is not None:
            for entry in self._values.values():
                entry.size = self._size_of_value(entry.value)
        return sum(entry.size for entry in self._values.values())

    def take_larger(self, limit: int) -> list[_CachedValue[V]]:
        """Remove and return the values that are each larger than a limit."""
        keys = [key for key, entry in self._values.items() if entry.size > limit]
        return [self._values.pop(key) for key in keys]

    def last_use(self) -> int:
        """Return when the least recently used value was last used; the cache is not empty."""
        return next(
            iter(self._values.values())
        ).last_use  # values are in the order of their last use

    def take_first(self) -> _CachedValue[V]:
        """Remove the least recently used value."""
        return self._values.popitem(last=False)[1]


def _evict(limit: int) -> list[_CachedValue[Any]]:
    """Remove values from the caches until the rest is within a limit, and return them; the caller holds the lock."""
    caches = [cache for cache in _caches if len(cache)]
    total = sum(cache.current_bytes() for cache in caches)
    evicted: list[_CachedValue[Any]] = []
    if total <= limit:
        return evicted
    for cache in caches:  # a value above the limit would otherwise evict all others first
        for entry in cache.take_larger(limit):
            evicted.append(entry)
            total -= entry.size
    while total > limit:
        first = min((cache for cache in caches if len(cache)), key=BoundedCache.last_use)
        entry = first.take_first()
        evicted.append(entry)
        total -= entry.size
    return evicted


def size_of(value: Any) -> int:
    """Return the approximate size of a value in bytes: its tensors, arrays and images, shared memory once."""
    return _size(value, set())


def _size(value: Any, seen: set[int]) -> int:
    if isinstance(value, torch.Tensor):
        if value.layout != torch.strided or value.device.type == "meta":
            return int(value.element_size() * value.numel())
        storage = value.untyped_storage()
        return _count_once(storage.data_ptr(), storage.nbytes(), seen)
    if isinstance(value, np.ndarray):
        while isinstance(value.base, np.ndarray):  # a view keeps its base alive
            value = value.base
        return _count_once(value.__array_interface__["data"][0], value.nbytes, seen)
    if isinstance(value, Image.Image):
        return _count_once(id(value), value.width * value.height * len(value.getbands()), seen)
    if isinstance(value, (bytes, bytearray, str)):
        return _count_once(id(value), sys.getsizeof(value), seen)
    if value is None or isinstance(value, (bool, int, float, complex, type)):
        return 0
    if id(value) in seen:
        return 0
    seen.add(id(value))
    size = getattr(value, "nbytes", None)
    if isinstance(size, int):
        return size
    # Iterate over copies, since another thread may modify the containers.
    if isinstance(value, Mapping):
        return sum(_size(part, seen) for part in list(value.values()))
    if isinstance(value, (list, tuple, set, frozenset)):
        return sum(_size(part, seen) for part in list(value))
    if is_dataclass(value):
        return sum(_size(getattr(value, f.name), seen) for f in fields(value))
    return 0


def _count_once(address: int, size: int, seen: set[int]) -> int:
    """Return the size of a memory block, or 0 if it was counted before."""
    if address in seen:
        return 0
    seen.add(address)
    return size
