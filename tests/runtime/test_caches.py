"""Caches bounded by bytes: order of eviction, values too large to keep, and the shared limit."""

from __future__ import annotations

import gc
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from cached_bytes import cached_bytes
from PIL import Image

import camwidget as cw
from camwidget.runtime.caches import (
    BoundedCache,
    cache_limit,
    set_cache_limit,
    size_of,
)


@pytest.fixture
def limit() -> Iterator[int]:
    """A limit of 100 bytes, beyond what others remember."""
    gc.collect()
    before = set_cache_limit(0)
    set_cache_limit(100)
    yield 100
    set_cache_limit(before)


def weighed(most: int | None = None) -> BoundedCache[bytes]:
    return BoundedCache(most, len)


def test_the_oldest_goes_first_and_what_is_looked_at_stays(limit: int) -> None:
    cache = weighed()
    for key in "abc":
        cache.put(key, b"x" * 30)
    assert cache.peek("a") is not None
    cache.put("d", b"x" * 30)
    assert [cache.peek(key) is not None for key in "abcd"] == [True, False, True, True]


def test_all_caches_share_one_bound(limit: int) -> None:
    one, other = weighed(), weighed()
    one.put("a", b"x" * 60)
    other.put("b", b"x" * 30)
    other.put("c", b"x" * 30)
    assert one.peek("a") is None and other.peek("b") is not None and other.peek("c") is not None
    assert cached_bytes() == 60
    one.put("a", b"x" * 40)
    del other
    gc.collect()
    assert cached_bytes() == 40, "a cache goes with its owner"


def test_what_is_above_the_limit_is_made_and_not_kept(limit: int) -> None:
    cache = weighed()
    cache.put("small", b"x" * 50)
    assert cache.get("large", lambda: b"x" * 101) == b"x" * 101
    assert cache.peek("large") is None and cache.peek("small") is not None
    cache.put("small", b"x" * 101)
    assert cache.peek("small") is None, "nor is what had this key before"


def test_a_spare_value_takes_no_other_place_until_it_is_used(limit: int) -> None:
    cache = weighed()
    cache.put("shown", b"x" * 50)
    for number in range(9):
        cache.put(number, b"x" * 20, low_priority=True)
    assert cache.peek("shown") is not None
    assert [n for n in range(9) if cache.peek(n) is not None] == [0, 1]
    cache.put("shown", b"x" * 50)
    cache.put("spare", b"x" * 60, low_priority=True)
    assert cache.peek("shown") is not None and cache.peek("spare") is None


def test_a_value_that_has_grown_is_weighed_anew(limit: int) -> None:
    cache: BoundedCache[bytearray] = BoundedCache(None, len, grows=True)
    growing = bytearray(20)
    cache.put("growing", growing)
    cache.put("other", bytearray(20))
    growing += bytes(50)
    assert cached_bytes() == 90
    growing += bytes(50)
    cache.put("last", bytearray(10))
    assert cache.peek("growing") is None, "it is above the limit by itself"
    assert cache.peek("other") is not None


def test_a_lower_limit_holds_at_once(limit: int) -> None:
    cache = weighed()
    for key in "abc":
        cache.put(key, b"x" * 30)
    assert set_cache_limit(40) == 100
    assert [cache.peek(key) is not None for key in "abc"] == [False, False, True]
    assert set_cache_limit(0) == 40 and len(cache) == 0
    assert cache.get("d", lambda: b"made all the same") == b"made all the same"
    assert cache_limit() == 0


@pytest.mark.parametrize("wrong", [-1, 0.5, "256 MB", None, True])
def test_a_limit_is_a_number_of_bytes(wrong: Any) -> None:
    before = cache_limit()
    with pytest.raises(cw.CamwidgetError, match="integer number of bytes"):
        cw.set_cache_limit(wrong)
    assert cache_limit() == before


def test_the_number_of_values_is_bounded_too(limit: int) -> None:
    cache = weighed(most=2)
    for key in "abc":
        cache.put(key, b"x")
    assert [cache.peek(key) is not None for key in "abc"] == [False, True, True]


def test_values_without_weight_are_none_of_the_limits_business(limit: int) -> None:
    cache: BoundedCache[bytes] = BoundedCache(2)
    cache.put("a", b"x" * 1000)
    set_cache_limit(0)
    assert cache.peek("a") is not None


def test_values_may_go_in_any_thread_while_others_are_weighed(limit: int) -> None:
    caches = [weighed() for _ in range(4)]

    def work(number: int) -> None:
        for turn in range(300):
            caches[(number + turn) % 4].put((number, turn), b"x" * (turn % 40))
            caches[turn % 4].get(turn % 7, lambda: b"y" * 10)
            if turn % 50 == 0:
                caches[number].clear()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert cached_bytes() <= limit


def test_an_end_that_empties_a_cache_in_the_middle_of_another() -> None:
    """As of an explorer that the garbage collector closes while this thread puts something in."""
    cache = weighed()

    class Closing:
        def __len__(self) -> int:
            return 10

        def __del__(self) -> None:
            cache.clear()
            cache.put("late", b"x")

    other: BoundedCache[Closing] = BoundedCache(1, len)
    other.put("a", Closing())
    cache.put("b", b"x")
    other.put("c", Closing())
    assert cache.peek("b") is None and cache.peek("late") is not None


# -- sizes -----------------------------------------------------------------------------------


def test_sizes() -> None:
    tensor, array = torch.zeros(10, 10), np.zeros((10, 10))
    assert size_of(tensor) == 400 and size_of(array) == 800
    assert size_of([tensor, tensor[3], tensor.T]) == 400, "one memory counts once"
    assert size_of(array[2:4]) == 800, "a view keeps all of it"
    assert size_of({"a": (array, {"b": tensor})}) == 1200
    assert size_of(Image.new("RGB", (10, 10))) == 300
    assert size_of(b"x" * 1000) >= 1000
    assert size_of(None) == size_of(5) == size_of(object()) == 0
    ring: list[Any] = []
    ring.append(ring)
    assert size_of(ring) == 0


def test_a_dead_picture_has_no_fills() -> None:
    from camwidget.masking.baselines import BaselineCache

    recent, pixels = BaselineCache(), torch.rand(3, 20, 20)
    fill = weakref.ref(recent.get(pixels, "mean"))
    assert fill() is not None and recent.get(pixels, "mean") is fill()
    del pixels
    gc.collect()
    assert fill() is None
