"""Worker thread: the newest request of each kind replaces older ones, the most urgent kind runs first."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from ...runtime import fork_safety, process_exit
from ...runtime.error_reports import log_error
from ...runtime.process_exit import ProcessExit
from ..host import executed_notebooks

__all__ = ["Job", "Worker"]

#: Long work yields where it may be interrupted by something more urgent, or dropped for something newer.
Job: TypeAlias = Callable[[], "Iterator[object] | None"]


class Worker:
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

    def __init__(
        self,
        kinds: Sequence[str],
        on_error: Callable[[str, BaseException], None],
        on_idle: Callable[[], None] = lambda: None,
    ) -> None:
        self._kinds = tuple(kinds)
        self._on_error = on_error
        self._on_idle = on_idle
        self._condition = threading.Condition(fork_safety.rlock())
        #: Held during a step: a fork comes between two, where nothing is half done and PyTorch holds no lock.
        self._stepping = fork_safety.rlock(before_fork=True)
        self._waiting: dict[str, Job] = {}
        #: Of what is running or suspended, the job as it was submitted: a forked child begins it anew.
        self._begun: dict[str, Job] = {}
        self._suspended: dict[str, Iterator[object]] = {}
        self._running: str | None = None
        self._drops = dict.fromkeys(self._kinds, 0)
        self._drops_at_start = 0
        self._closed = process_exit.has_begun()
        #: None where there has been no work for a while.
        self.thread: threading.Thread | None = None
        _workers.add(self)
        executed_notebooks.finish_cells_with(wait_for_all)

    def submit(self, kind: str, job: Job) -> None:
        """Submit a job, in place of any of its kind that has not finished."""
        assert kind in self._kinds
        with self._condition:
            if self._closed:
                return
            self._suspended.pop(kind, None)
            self._waiting[kind] = job
            self._start()
            self._condition.notify_all()

    def drop(self, *kinds: str) -> None:
        """Forget what is waiting or suspended of these kinds; what is running can call ``dropped``."""
        with self._condition:
            for kind in kinds:
                self._drops[kind] += 1
                self._waiting.pop(kind, None)
                self._suspended.pop(kind, None)
                if kind != self._running:
                    self._begun.pop(kind, None)
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

    @property
    def in_worker(self) -> bool:
        """Whether the caller is the worker itself, which cannot wait for itself."""
        return threading.current_thread() is self.thread

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
            if not self._is_idle():
                self._start()  # in a forked child there is no thread yet
            while not self._is_idle():
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return False
                # In slices, so that Ctrl-C arrives.
                self._condition.wait(0.2 if left is None else min(0.2, left))
            return True

    def _is_idle(self) -> bool:
        return not (self._waiting or self._suspended or self._running)

    def _start(self) -> None:
        """Have a thread, under the lock."""
        if self.thread is None and not self._closed:
            self.thread = threading.Thread(target=self._work, name="camwidget worker", daemon=True)
            self.thread.start()

    def restart_after_fork(self) -> None:
        """Go on in a forked child, where the thread is gone, and with it the step that it was at."""
        running, self._running, self.thread = self._running, None, None
        for kind, job in self._begun.items():
            was_dropped = kind == running and self._drops[kind] != self._drops_at_start
            if kind not in self._suspended and not was_dropped:
                self._waiting.setdefault(kind, job)

    def _next(self) -> tuple[str, Job | Iterator[object]] | None:
        for kind in self._kinds:
            if kind in self._waiting:
                self._begun[kind] = self._waiting.pop(kind)
                return kind, self._begun[kind]
            if kind in self._suspended:
                return kind, self._suspended.pop(kind)
        return None

    def _work(self) -> None:
        try:
            with contextlib.suppress(ProcessExit), process_exit.at_work():
                self._work_on()
        finally:
            with self._condition:
                if self.in_worker:  # not left as usual, and no other has begun
                    self.thread = self._running = None
                    if self._waiting and not process_exit.has_begun():
                        self._start()  # whoever waits for what is left waits for a thread
                    self._condition.notify_all()

    def _work_on(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    self.thread = None
                    return
                found = self._next()
                if found is None:
                    self._condition.notify_all()
                    if not self._condition.wait(self.LINGER) and not self._waiting:
                        self.thread = None
                        return
                    continue
                kind, job = found
                self._running = kind
                self._drops_at_start = self._drops[kind]
            left: Iterator[object] | None = None
            try:
                with self._stepping:
                    left = self._step(job)
            except ProcessExit:
                pass  # closed by then
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
                else:
                    self._begun.pop(kind, None)
                del left
                idle = self._is_idle()
                if idle:
                    # Still counted as running while it says so, or a waiter would miss it.
                    self._running = "idle"
            if idle:
                try:
                    self._on_idle()
                except ProcessExit:
                    raise
                except BaseException as error:
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
        try:
            self._on_error(kind, error)
        except ProcessExit:
            raise
        except BaseException as second:
            # The display may be gone, or somebody's observer raise anything: the worker must not die of it.
            log_error(error, f"The job {kind!r} failed, which could not be shown.", self)
            log_error(second, f"That the job {kind!r} failed could not be shown.", self)


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def wait_for_all() -> None:
    """Block until nothing is left to do for any worker; what one does may give work to another."""
    while busy := [worker for worker in list(_workers) if not worker.idle]:
        for worker in busy:
            worker.wait()


def _close_all() -> None:
    for worker in list(_workers):
        worker.close()


def _restart_all() -> None:
    for worker in list(_workers):
        worker.restart_after_fork()


# Before ``process_exit``, imported earlier, has the threads leave.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_restart_all)
