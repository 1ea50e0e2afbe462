"""``RequestLoopGuard``: refuses requests that an observer repeats whenever something is shown, for ever."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Hashable

from ...errors import CamwidgetError
from .worker import Worker

__all__ = ["RequestLoopGuard"]


class RequestLoopGuard:
    """Refuses what observers on the worker request again and again, so that the worker becomes idle.

    Observers that request something else each time, such as the next picture of a folder, are not refused.

    Args:
        worker: on its thread observers are called with what was computed.
        values: gives the traits of the explorer that requests depend on.
    """

    #: Equal requests of observers, without one from another thread in between.
    LIMIT = 50

    def __init__(self, worker: Worker, values: Callable[[], Hashable]) -> None:
        self._worker = worker
        self._values = values
        self._lock = threading.Lock()
        self._counts: Counter[Hashable] = Counter()

    def check(self) -> None:
        """Count a request that is about to be made by the calling thread.

        Raises:
            CamwidgetError: if observers have made the same request too often.
        """
        if not self._worker.in_worker:
            self.clear()
            return
        key = self._values()
        with self._lock:
            self._counts[key] += 1
            if self._counts[key] <= self.LIMIT:
                return
        raise CamwidgetError(
            f"An observer has set the explorer's traits to the same values {self.LIMIT} times, each time in response "
            "to what was shown: an endless loop, whose requests are refused from now on. Let the observer set a trait "
            "only where it has another value."
        )

    def clear(self) -> None:
        """Begin to count anew: something was requested by a person, or by code on another thread."""
        with self._lock:
            self._counts.clear()
