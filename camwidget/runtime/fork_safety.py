"""Locks that a forked child can use, and PyTorch's threads in a forked child."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from typing import Any

from .._compat.locks import is_owned, release_after_fork

__all__ = ["lock", "rlock"]

#: Seconds that a fork waits for the locks of ``rlock(before_fork=True)``.
PATIENCE = 10.0

_all: weakref.WeakSet[Any] = weakref.WeakSet()
_taken_before: weakref.WeakSet[Any] = weakref.WeakSet()
#: Of the thread that forks, the locks that it has taken to do so.
_forking = threading.local()


def lock() -> threading.Lock:
    """Make a ``threading.Lock`` that is free in a forked child."""
    made = threading.Lock()
    _all.add(made)
    return made


def rlock(*, before_fork: bool = False) -> threading.RLock:
    """Make a ``threading.RLock`` that is free in a forked child, unless the forking thread itself holds it.

    Args:
        before_fork: whether a fork waits until it has the lock, so that the child finds whatever it guards as it is
            between two uses. After ``PATIENCE`` seconds it waits no longer.
    """
    made = threading.RLock()
    _all.add(made)
    if before_fork:
        _taken_before.add(made)
    return made


def _before() -> None:
    taken = _forking.taken = []
    deadline = time.monotonic() + PATIENCE
    for each in list(_taken_before):
        if each.acquire(timeout=max(0.0, deadline - time.monotonic())):
            taken.append(each)


def _after_in_parent() -> None:
    for each in _forking.__dict__.pop("taken", ()):
        each.release()


def _after_in_child() -> None:
    # As in a worker of a DataLoader: OpenMP would wait for threads of the parent that the child has not.
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)
    _after_in_parent()  # the forking thread is the one that goes on
    for each in list(_all):
        if not is_owned(each):  # a plain lock is never held across a fork
            release_after_fork(each)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
