"""Work off the main thread: the newest request of each kind wins, the most urgent kind goes first."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

__all__ = ["Job", "Session"]

#: Long work yields where it may be interrupted by something more urgent, or dropped for something newer.
Job: TypeAlias = Callable[[], "Iterator[object] | None"]


class Session:
    """One worker thread for the jobs of one widget.

    A job submitted while another of its kind is waiting, or has yielded, takes that one's place: a slider
    that is dragged faster than the model runs leaves no backlog. Kinds are listed from the most to the
    least urgent.

    Args:
        kinds: names of the kinds, most urgent first.
        on_error: called in the worker with the kind of a job and what it raised. The worker goes on.
        on_idle: called in the worker when nothing is left to do.
    """

    #: Seconds without work after which the thread ends; the next request starts another.
    LINGER = 2.0
    #: Seconds that the end of the process waits for a thread to reach the end of its step.
    PATIENCE = 30.0

    def __init__(
        self,
        kinds: Sequence[str],
        on_error: Callable[[str, BaseException], None],
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._kinds = tuple(kinds)
        self._on_error = on_error
        self._on_idle = on_idle
        self._condition = threading.Condition()
        self._waiting: dict[str, Job] = {}
        self._suspended: dict[str, Iterator[object]] = {}
        self._running: str | None = None
        self._drops = dict.fromkeys(self._kinds, 0)
        self._drops_at_start = 0
        self._closed = False
        self._thread: threading.Thread | None = None
        _sessions.add(self)

    def submit(self, kind: str, job: Job) -> None:
        """Ask for a job, in place of any of its kind that has not finished."""
        assert kind in self._kinds
        with self._condition:
            if self._closed:
                return
            self._suspended.pop(kind, None)
            self._waiting[kind] = job
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="camwidget session", daemon=True
                )
                self._thread.start()
            self._condition.notify_all()

    def drop(self, *kinds: str) -> None:
        """Forget what is waiting or suspended of these kinds; what is running can ask ``dropped``."""
        with self._condition:
            for kind in kinds:
                self._drops[kind] += 1
                self._waiting.pop(kind, None)
                self._suspended.pop(kind, None)
            self._condition.notify_all()

    def superseded(self, kind: str) -> bool:
        """Whether a newer request of this kind is waiting."""
        with self._condition:
            return kind in self._waiting

    def dropped(self) -> bool:
        """In a job: whether its kind was dropped since it started, or came back to it."""
        with self._condition:
            kind = self._running
            return kind is not None and self._drops.get(kind) != self._drops_at_start

    def close(self) -> None:
        """Drop everything, and take no more; the thread ends after its present step."""
        with self._condition:
            self._closed = True
        self.drop(*self._kinds)

    def join(self, timeout: float) -> bool:
        """Wait for the thread of a closed session, for ``timeout`` seconds; whether it has ended then."""
        thread = self._thread
        if thread is None or self.in_worker:
            return thread is None
        thread.join(timeout)
        return not thread.is_alive()

    @property
    def in_worker(self) -> bool:
        """Whether the caller is the worker itself, which cannot wait for itself."""
        return threading.current_thread() is self._thread

    @property
    def idle(self) -> bool:
        """Whether nothing is running or waiting."""
        with self._condition:
            return self._is_idle()

    def wait(self, timeout: float | None = None) -> bool:
        """Block until idle, or for ``timeout`` seconds; whether it is idle then.

        In the worker itself this returns at once: it would wait for itself.
        """
        if self.in_worker:
            return False
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._condition:
            while not self._is_idle():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                # In slices, so that Ctrl-C is heard.
                self._condition.wait(0.2 if left is None else min(0.2, left))
            return True

    def _is_idle(self) -> bool:
        return not (self._waiting or self._suspended or self._running)

    def _next(self) -> tuple[str, Job | Iterator[object]] | None:
        for kind in self._kinds:
            if kind in self._waiting:
                return kind, self._waiting.pop(kind)
            if kind in self._suspended:
                return kind, self._suspended.pop(kind)
        return None

    def _work(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    self._thread = None
                    return
                found = self._next()
                if found is None:
                    self._condition.notify_all()
                    if not self._condition.wait(self.LINGER) and not self._waiting:
                        self._thread = None
                        return
                    continue
                kind, job = found
                self._running = kind
                self._drops_at_start = self._drops[kind]
            left: Iterator[object] | None = None
            try:
                left = self._step(job)
            except BaseException as error:
                self._report(kind, error)
            del found, job  # whoever waits for the next one holds nothing
            with self._condition:
                self._running = None
                kept = (
                    not self._closed
                    and kind not in self._waiting
                    and self._drops[kind] == self._drops_at_start
                )
                if left is not None and kept:
                    self._suspended[kind] = left
                del left
                idle = self._is_idle()
                if idle:
                    # Still counted as running while it says so, or a waiter would miss it.
                    self._running = "idle"
            if idle:
                try:
                    self._on_idle()
                except Exception as error:
                    self._report("idle", error)
                with self._condition:
                    self._running = None
                    self._condition.notify_all()

    @staticmethod
    def _step(job: Job | Iterator[object]) -> Iterator[object] | None:
        """Run a job, or a suspended one's next piece; what is left of it, or None at its end."""
        pieces = job() if callable(job) else job
        if pieces is None:
            return None
        try:
            next(pieces)
        except StopIteration:
            return None
        return pieces

    def _report(self, kind: str, error: BaseException) -> None:
        # The display may be gone; the worker must not die of it.
        with contextlib.suppress(Exception):
            self._on_error(kind, error)


_sessions: weakref.WeakSet[Session] = weakref.WeakSet()


def _end_all() -> None:
    """Let every worker reach the end of its step before the interpreter is taken down.

    A thread that asks for the GIL afterwards is ended by Python in the middle of whatever called it: below PyTorch's
    C++ frames that aborts the process ("terminate called without an active exception", CPython issue 87135).
    """
    open_ones = list(_sessions)
    for session in open_ones:
        session.close()
    for session in open_ones:
        session.join(session.PATIENCE)


# At exit, not when the main thread ends: an explorer at work does not keep a script alive.
atexit.register(_end_all)
