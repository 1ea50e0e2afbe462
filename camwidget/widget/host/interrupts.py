"""Interrupts of the kernel, delivered to computations on other threads.

A signal reaches the main thread only, and ipykernel ignores it between two cells. While something slow runs, a handler
of ours is there instead. During a cell the interrupt is the cell's alone; ``wait`` passes it on.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from typing import Any

from ...runtime import fork_safety
from ...runtime.error_reports import log_error
from .. import _compat

__all__ = ["Interrupts", "interrupts"]


class Interrupts:
    """Listeners that an interrupt of the kernel cancels.

    Args:
        loop: gives the main thread's event loop, tornado's; None without ipykernel, where no interrupt arrives.
    """

    #: Seconds between two checks of the signal handler: while a cell runs, it is IPython's.
    PACE = 0.2

    def __init__(self, loop: Callable[[], Any]) -> None:
        self._loop = loop
        # Not held while listeners run, which take locks. Reentrant, since the garbage collector may close a generator
        # of ``canceling`` while this thread holds it.
        self._lock = fork_safety.rlock()
        self._listeners: dict[object, Callable[[], None]] = {}
        self._looking = False

    def canceling(self, cancel: Callable[[], None], work: Iterator[object]) -> Iterator[object]:
        """Run a generator, and call ``cancel`` if the kernel is interrupted between two cells meanwhile.

        Args:
            cancel: called on the main thread.
            work: the generator; its items are passed on.
        """
        key = object()
        loop = self._loop()
        with self._lock:
            self._listeners[key] = cancel
            begin = loop is not None and not self._looking
            self._looking = self._looking or begin
        if begin:
            loop.add_callback(self._look)
        try:
            yield from work
        finally:  # also when the generator is dropped
            with self._lock:
                self._listeners.pop(key, None)

    def _look(self) -> None:
        """Install our handler while ipykernel ignores the signal; remove it when there is nothing to cancel."""
        with self._lock:
            on = self._looking = bool(self._listeners)
        now = signal.getsignal(signal.SIGINT)
        if on:
            if now == signal.SIG_IGN:
                signal.signal(signal.SIGINT, self._interrupted)
            self._loop().call_later(self.PACE, self._look)
        elif now == self._interrupted:
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _interrupted(self, *_: object) -> None:
        # A signal handler must not take a lock: the event loop calls the listeners.
        self._loop().add_callback_from_signal(self._cancel)

    def _cancel(self) -> None:
        with self._lock:
            listeners = list(self._listeners.copy().values())
        for cancel in listeners:
            try:
                cancel()
            except Exception as error:  # the others are canceled all the same
                log_error(error, "An interrupt could not be passed on.", self)


#: Of this process: it has one main thread.
interrupts = Interrupts(_compat.kernel_loop)
