"""Size of all caches of the process."""

from __future__ import annotations

from camwidget.runtime import caches

__all__ = ["cached_bytes"]


def cached_bytes() -> int:
    """Return how many bytes are cached now."""
    with caches._lock:
        return sum(cache.current_bytes() for cache in list(caches._caches))
