"""Search for the fastest batch size and memory format, by timing the first batches of a long series of passes.

The first batches of a long series differ in size and format, and are timed. They are part of the work, so that nothing
runs only to be measured; trying slower ones may cost at most about a second in total. What was found is remembered in
the process. Sizes and formats change results by rounding only, if the result for a picture does not depend on the
others of its batch. ``CAMWIDGET_BATCHES`` sets them, for results that are equal bit for bit from one process to the
next: "fixed" (the sizes that the search begins with), a number of pictures such as "8", or "8,contiguous". The same
holds after ``torch.use_deterministic_algorithms(True)``.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import nn

from ..errors import CamwidgetError
from ..runtime import fork_safety

__all__ = [
    "VARIABLE",
    "BatchSearch",
    "BatchSeries",
    "Batches",
    "ResponsiveSeries",
    "are_batches_given",
    "search_of",
]

#: Environment variable that sets the batches.
VARIABLE = "CAMWIDGET_BATCHES"

#: How often each kind of batch is timed; the fastest counts, since the first run of a new shape includes its setup.
_TURNS = 2
#: Share of the time by which another kind of batch has to be faster; less may be noise.
_GAIN = 0.05
#: Seconds that slower batches may lose in a search.
_LOSS = 1.0
#: Number of batches from which on a series is long enough for a search.
_MIN_BATCHES = 8

_lock = fork_safety.lock()
_searches: weakref.WeakKeyDictionary[nn.Module, dict[Hashable, BatchSearch]] = (
    weakref.WeakKeyDictionary()
)


@dataclass(frozen=True)
class Batches:
    """A kind of batches.

    Attributes:
        size: pictures, or rows, at once.
        channels_last: whether the pictures are in channels-last memory format.
    """

    size: int
    channels_last: bool = True


class BatchSearch:
    """Search for the fastest batches of one kind of passes.

    The other memory format is tried first, then larger batches as long as they are faster; if none is, smaller ones.

    Args:
        first: the batches to begin with.
        most: largest size to try.
        formats: whether both memory formats are possible.
        measures: whether to search at all; if not, the first batches are the best.

    Attributes:
        best: the fastest batches so far.
    """

    def __init__(
        self, first: Batches, most: int, *, formats: bool = False, measures: bool = True
    ) -> None:
        self.first = self.best = first
        self._most = most
        self._formats = formats
        self._seconds: dict[Batches, list[float]] = {}
        self._lost = 0.0
        self._trials = self._candidates()
        self._trial = next(self._trials, None) if measures else None
        self._lock = fork_safety.lock()

    def trial(self) -> Batches | None:
        """Return the batches to time next; None at the end of the search."""
        return self._trial

    def record(self, batches: Batches, count: int, seconds: float) -> None:
        """Note the time of a batch.

        Args:
            batches: what it was one of.
            count: how many pictures it had.
            seconds: its time; infinity if it did not fit into memory.
        """
        with self._lock:
            times = self._seconds.setdefault(batches, [])
            times.append(seconds / count)
            if seconds < float("inf"):
                self._lost += max(0.0, seconds - count * self._time(self.best))
            if batches != self._trial or (len(times) < _TURNS and times[-1] < float("inf")):
                return
            # Compared before the search ends, too.
            following = next(self._trials, None)
            self._trial = following if self._lost < _LOSS else None

    def _time(self, batches: Batches) -> float:
        """Return seconds for a picture."""
        return min(self._seconds.get(batches, [float("inf")]))

    def _is_faster(self, batches: Batches) -> bool:
        """Return whether batches just timed are faster than the best ones, which they become."""
        if not self._time(batches) < (1 - _GAIN) * self._time(self.best):
            return False  # also where neither has fitted into memory
        self.best = batches
        return True

    def _candidates(self) -> Iterator[Batches]:
        yield self.first
        if self._formats:
            other = replace(self.first, channels_last=not self.first.channels_last)
            yield other
            self._is_faster(other)
        for factor in (2, 0.5):
            if factor > 1 and not self._fits(self.best):
                continue
            last = self.best
            while 1 <= (size := int(factor * last.size)) <= self._most:
                last = replace(self.best, size=size)
                yield last
                # Sizes are halved until one fits into memory.
                if not self._is_faster(last) and self._fits(self.best):
                    break
            if self.best.size > self.first.size:
                return

    def _fits(self, batches: Batches) -> bool:
        return self._time(batches) < float("inf")


class BatchSeries:
    """The batches of one series of passes.

    Args:
        search: the search for the fastest ones.
        total: length of the series.
        most: largest size.

    Attributes:
        channels_last: memory format of the batch at hand.
        is_timed: whether the batch at hand is to be timed.
    """

    def __init__(self, search: BatchSearch, total: int, most: int | None = None) -> None:
        self._search = search
        self._most = most
        self._given = _given()
        self._searches = self._given is None and total >= _MIN_BATCHES * search.first.size
        self._now = search.first
        self.is_timed = False
        self.channels_last = self._now.channels_last

    def next_size(self, left: int) -> int:
        """Return the size of the next batch.

        Args:
            left: what is left of the series.
        """
        trial = self._search.trial() if self._searches else None
        limit = left if self._most is None else min(left, self._most)
        self.is_timed = trial is not None and trial.size <= limit
        if trial is not None and self.is_timed:
            self._now = trial
        elif self._given is None:
            self._now = self._search.best
        else:
            self._now = self._given(self._search.first)
        self.channels_last = self._now.channels_last
        return max(1, min(self._now.size, limit))

    def record(self, count: int, seconds: float) -> None:
        """Note the time of the batch at hand, of ``count`` pictures; infinity if it did not fit into memory."""
        self._search.record(self._now, count, seconds)

    def limit(self, most: int) -> None:
        """Set the largest size for the rest of the series, unless it is smaller already."""
        self._most = most if self._most is None else min(self._most, most)


class ResponsiveSeries(BatchSeries):
    """The batches of a series between which other work may run: each takes about the same time.

    Where the user has set the batches, their sizes do not go by the clock.

    Args:
        search: the search whose fastest batches are the largest ones here.
        total: length of the series.
        seconds: what a batch should take.
    """

    def __init__(self, search: BatchSearch, total: int, seconds: float) -> None:
        super().__init__(search, total)
        self._searches = False
        self._seconds = seconds
        self._goes_by_clock = not are_batches_given()
        self._size = 1

    def next_size(self, left: int) -> int:
        """Return the size of the next batch."""
        size = super().next_size(left)
        self.is_timed = self._goes_by_clock
        return min(self._size, size) if self._goes_by_clock else size

    def record(self, count: int, seconds: float) -> None:
        """Note the time of the batch at hand; after infinity, which means no memory, ``limit`` follows."""
        if seconds < float("inf"):
            self._size = max(1, int(self._seconds * count / max(seconds, 1e-6)))


def are_batches_given() -> bool:
    """Return whether the user has set the batches, so that nothing may go by the clock."""
    return _given() is not None


def search_of(module: nn.Module, key: Hashable, make: Callable[[], BatchSearch]) -> BatchSearch:
    """Return the search of a module's passes of one kind; ``make`` makes a new one."""
    with _lock:
        known = _searches.setdefault(module, {})
        if key not in known:
            known[key] = make()
        return known[key]


def _given() -> Callable[[Batches], Batches] | None:
    """Return a function from the first batches of a search to those that the user has set; None if they are measured.

    Raises:
        CamwidgetError: if the environment variable is set to anything else.
    """
    text = os.environ.get(VARIABLE, "").replace(" ", "").lower() or "measured"
    if text == "measured":
        return (lambda first: first) if torch.are_deterministic_algorithms_enabled() else None
    if text == "fixed":
        return lambda first: first
    size, _, memory = text.partition(",")
    if not size.isdecimal() or int(size) < 1 or memory not in ("", "channels_last", "contiguous"):
        raise CamwidgetError(
            f"The environment variable {VARIABLE} is {text!r}: set it to 'measured', 'fixed', a number of pictures "
            "such as '8', or '8,contiguous'."
        )
    return lambda first: Batches(
        1 if first.size == 1 else int(size),  # one at a time: large, or mixed in a batch
        first.channels_last and memory != "contiguous",
    )
