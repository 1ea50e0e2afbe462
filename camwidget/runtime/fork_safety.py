"""Fork safety: locks that are free in a forked child, and PyTorch's thread count in a forked child."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

from .._compat.locks import is_owned, release_after_fork

__all__ = ["lock", "rlock"]

#: Seconds for which a fork waits for the locks of ``rlock(before_fork=True)``.
FORK_TIMEOUT = 10.0

_locks: weakref.WeakSet[Any] = weakref.WeakSet()
#: The locks that are acquired before a fork.
_fork_locks: weakref.WeakSet[Any] = weakref.WeakSet()
#: The locks that the forking thread has acquired for the fork.
_forking = threading.local()


def lock() -> threading.Lock:
    """Make a ``threading.Lock`` that is free in a forked child."""
    new = threading.Lock()
    _locks.add(new)
    return new


def rlock(*, before_fork: bool = False) -> threading.RLock:
    """Make a ``threading.RLock`` that is free in a forked child, unless the forking thread itself holds it.

    Args:
        before_fork: whether a fork acquires the lock first, so that the child finds the guarded data in a consistent
            state. The fork gives up waiting after ``FORK_TIMEOUT`` seconds.
    """
    new = threading.RLock()
    _locks.add(new)
    if before_fork:
        _fork_locks.add(new)
    return new


def _before() -> None:
    acquired = _forking.acquired = []
    deadline = time.monotonic() + FORK_TIMEOUT
    for each in list(_fork_locks):
        if each.acquire(timeout=max(0.0, deadline - time.monotonic())):
            acquired.append(each)


def _after_in_parent() -> None:
    for each in _forking.__dict__.pop("acquired", ()):
        each.release()


def _after_in_child() -> None:
    # As in a worker of a DataLoader: OpenMP would wait for threads of the parent, which the child does not have.
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    _after_in_parent()  # the child's only thread is a copy of the forking thread, and holds the same locks
    for each in list(_locks):
        if not is_owned(each):  # a plain lock is never held across a fork
            release_after_fork(each)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
