"""Private API of ``threading``: a lock's owner, and a lock that is free again in a forked child.

This module does not import PyTorch: ``runtime.error_reports`` needs locks, and the command line reports errors
before anything is loaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import CompatibilityError

__all__ = ["CHECKS", "is_owned", "release_after_fork"]

_LIBRARY = "Python"


def release_after_fork(lock: Any) -> None:
    """Release a lock in a forked child, whichever thread held it; the standard library does this with its own locks."""
    try:
        lock._at_fork_reinit()
    except AttributeError as error:
        raise CompatibilityError.of(_LIBRARY, "Lock._at_fork_reinit") from error


def is_owned(lock: Any) -> bool:
    """Whether the calling thread holds a reentrant lock; False for a plain lock, which has no owner."""
    return hasattr(lock, "_is_owned") and lock._is_owned()


def _reinit() -> bool:
    made = threading.Lock(), threading.RLock()
    for lock in made:
        lock.acquire()
        release_after_fork(lock)
    return all(lock.acquire(blocking=False) for lock in made)


def _owner() -> bool:
    lock = threading.RLock()
    free = is_owned(lock)
    with lock:
        return is_owned(lock) and not free


#: Description of each assumption, with the function that checks it.
CHECKS: Mapping[str, Callable[[], bool]] = {
    "Lock._at_fork_reinit": _reinit,
    "RLock._is_owned": _owner,
}
