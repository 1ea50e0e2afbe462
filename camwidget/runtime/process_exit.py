"""Process exit: stop threads that run a model before the interpreter shuts down.

Before Python 3.14, a thread that requests the GIL during interpreter shutdown is terminated in the middle of its C++
frames. With PyTorch's frames on its stack that aborts the process ("terminate called without an active exception",
CPython issue 87135). Threads that run models therefore leave the model first.
"""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch.nn.modules.module import register_module_forward_pre_hook

from . import fork_safety
from .error_reports import log_error

__all__ = ["ProcessExit", "block_exit", "exit_has_begun"]

#: Seconds for which the exit waits for threads to stop at the next module of their forward pass, and then again for
#: them to stop at any instruction.
LEAVE_TIMEOUT = 30.0
#: Seconds after which the exit says what it waits for.
SILENT_TIMEOUT = 2.0

_changed = threading.Condition(fork_safety.rlock())
#: Identifiers of the threads that are within ``block_exit``.
_blocking_threads: set[int] = set()
_exit_begun = False


class ProcessExit(BaseException):
    """Raised in a thread that runs a model when the process is about to end."""


@contextmanager
def block_exit() -> Iterator[None]:
    """Make the exit of the process wait for the calling thread, which it stops with ``ProcessExit``.

    Raises:
        ProcessExit: if the process is about to end.
    """
    thread = threading.get_ident()
    if thread in _blocking_threads:
        yield
        return
    with _changed:
        if _exit_begun:
            raise ProcessExit
        _blocking_threads.add(thread)
    try:
        yield
    finally:
        with _changed:
            _blocking_threads.discard(thread)
            _changed.notify_all()


def exit_has_begun() -> bool:
    """Return whether the process is about to end, so that no work may start on another thread."""
    return _exit_begun


def _end() -> None:
    """Stop all threads that block the exit, and wait for them."""
    global _exit_begun
    with _changed:
        _exit_begun = True
        if not _blocking_threads:
            return
    register_module_forward_pre_hook(_leave)
    try:
        if _all_left():
            return
    except BaseException as error:
        # Ctrl-C or a signal handler raised: stop waiting, but go on to interrupt the threads.
        message = "The wait for threads that run a model was interrupted."
        log_error(error, message, level=logging.DEBUG)
    for thread in list(_blocking_threads):
        # Raises at the thread's next Python instruction, where it may hold a lock: hence the last resort.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread), ctypes.py_object(ProcessExit)
        )
    _all_left()


def _leave(module: Any, inputs: Any) -> None:
    if threading.get_ident() in _blocking_threads:
        raise ProcessExit


def _all_left() -> bool:
    """Wait for the threads that block the exit; return whether all of them stopped in time."""
    deadline = time.monotonic() + LEAVE_TIMEOUT
    if _left_within(min(SILENT_TIMEOUT, LEAVE_TIMEOUT)):
        return True
    remaining = deadline - time.monotonic()
    _say_what_blocks(remaining)
    return _left_within(remaining)


def _left_within(seconds: float) -> bool:
    with _changed:
        return _changed.wait_for(lambda: not _blocking_threads, max(0.0, seconds))


def _say_what_blocks(seconds: float) -> None:
    """Say on stderr, where there is one, which threads the exit waits for."""
    names = [repr(t.name) for t in threading.enumerate() if t.ident in _blocking_threads]
    if names and sys.stderr is not None:
        print(
            f"camwidget: the process ends when the model that is running has been left (thread {', '.join(names)}): "
            f"waiting for {seconds:.0f} s at most, and then once more.",
            file=sys.stderr,
        )


def _forget_others() -> None:
    """Forget the threads of the parent in a forked child, which has one thread."""
    _blocking_threads.intersection_update({threading.get_ident()})


# At interpreter exit, not at the end of the main thread: a widget does not keep a script alive.
atexit.register(_end)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_forget_others)
