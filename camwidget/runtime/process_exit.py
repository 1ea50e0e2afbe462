"""Stop threads that are inside a model when the process ends.

A thread that asks for the GIL while the interpreter is taken down is ended by Python in the middle of whatever called
it: below PyTorch's C++ frames that aborts the process ("terminate called without an active exception", CPython issue
87135; before Python 3.14). So threads that work with models leave them first.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook

from . import fork_safety
from .error_reports import log_error

__all__ = ["ProcessExit", "at_work", "has_begun"]

#: Seconds that the end of the process waits for all threads to leave at the next module of their forward pass, and
#: after that once more, for them to leave wherever they are.
PATIENCE = 30.0

_changed = threading.Condition(fork_safety.rlock())
#: Of each thread at work its identifier.
_at_work: set[int] = set()
_begun = False


class ProcessExit(BaseException):
    """Raised in a thread that works with a model, to leave it: the process is about to end."""


@contextmanager
def at_work() -> Iterator[None]:
    """Within it, the end of the process waits for the calling thread, and has it leave with ``ProcessExit``."""
    thread = threading.get_ident()
    if thread in _at_work:
        yield
        return
    with _changed:
        if _begun:
            raise ProcessExit
        _at_work.add(thread)
    try:
        yield
    finally:
        with _changed:
            _at_work.discard(thread)
            _changed.notify_all()


def has_begun() -> bool:
    """Whether the process is about to end: nothing is to be begun on another thread."""
    return _begun


def _end() -> None:
    """Have all threads at work leave, and wait for them."""
    global _begun
    with _changed:
        _begun = True
        if not _at_work:
            return
    register_module_forward_pre_hook(_leave)
    try:
        if _all_left():
            return
    except BaseException as error:
        # Ctrl-C, or a handler of signals that raises: do not wait any longer, but do not abort either.
        message = "The wait for the threads at work was cut short."
        log_error(error, message, level=logging.DEBUG)
    for thread in list(_at_work):
        # At its next instruction in Python. It may hold a lock then, which is why this comes last.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(ProcessExit)
        )
    _all_left()


def _leave(module: Any, inputs: Any) -> None:
    if threading.get_ident() in _at_work:
        raise ProcessExit


def _all_left() -> bool:
    """Wait for the threads at work; whether they have all left in time."""
    with _changed:
        return _changed.wait_for(lambda: not _at_work, PATIENCE)


def _forget_others() -> None:
    """In a forked child, which has one thread."""
    _at_work.intersection_update({threading.get_ident()})


# At exit, not when the main thread ends: a widget at work does not keep a script alive.
atexit.register(_end)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_others)
