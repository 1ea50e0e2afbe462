"""``Worker``: a thread that runs a widget's jobs by urgency, and keeps only the newest job of each kind."""

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
from ..host import executed_notebooks, log_output

__all__ = ["Job", "Worker"]

#: A function without arguments. A long job is a generator: where it yields, a more urgent job may run first, or a newer
#: one of its kind replace it.
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

    #: Seconds without work after which the thread ends; the next job starts another.
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
        #: Held while a job runs up to its next yield: a fork waits for it, so that PyTorch holds no lock then.
        self._stepping = fork_safety.rlock(before_fork=True)
        self._waiting: dict[str, Job] = {}
        #: The running and suspended jobs but for those dropped, as they were submitted: a forked child begins them.
        self._begun: dict[str, Job] = {}
        self._suspended: dict[str, Iterator[object]] = {}
        self._running: str | None = None
        self._drops = dict.fromkeys(self._kinds, 0)
        self._drops_at_start = 0
        self._closed = process_exit.exit_has_begun()
        #: None after ``LINGER`` seconds without work.
        self.thread: threading.Thread | None = None
        _workers.add(self)
        executed_notebooks.finish_cells_with(wait_for_all)
        log_output.show_log_below_cells()

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
        """Remove the waiting and suspended jobs of these kinds; a running one can ask ``dropped``."""
        with self._condition:
            for kind in kinds:
                self._drops[kind] += 1
                self._waiting.pop(kind, None)
                self._suspended.pop(kind, None)
                self._begun.pop(kind, None)
            self._condition.notify_all()

    def superseded(self, kind: str) -> bool:
        """Whether a newer job of this kind is waiting."""
        with self._condition:
            return kind in self._waiting

    def dropped(self) -> bool:
        """Whether the running job's kind was dropped since it was started or resumed. To be called in the job."""
        with self._condition:
            kind = self._running
            return kind is not None and self._drops.get(kind) != self._drops_at_start

    def close(self) -> None:
        """Drop all jobs and accept no more; the thread ends when the running job yields or returns."""
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
        """Block until the worker is idle, or for ``timeout`` seconds; return whether it is idle.

        Called by the worker itself, which would wait for itself, it returns False at once.
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
        """Start the thread if there is none. The lock is held."""
        if self.thread is None and not self._closed:
            self.thread = threading.Thread(target=self._work, name="camwidget worker", daemon=True)
            self.thread.start()

    def restart_after_fork(self) -> None:
        """Put the interrupted jobs back into the queue of a forked child, which has no thread."""
        self._running = self.thread = None
        for kind, job in self._begun.items():
            if kind not in self._suspended:
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
            with contextlib.suppress(ProcessExit), process_exit.block_exit():
                self._work_on()
        finally:
            with self._condition:
                if self.in_worker:  # ended by an exception, and no other thread has begun
                    self.thread = self._running = None
                    if self._waiting and not process_exit.exit_has_begun():
                        self._start()  # the jobs left need a thread
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
            del found, job  # an idle worker keeps no explorer alive
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
                    # Counted as running until on_idle has returned: wait() includes it.
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
        """Run a job up to its next yield; return its generator, or None when it is finished."""
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
            # The display may be gone, or a user's observer may raise anything: the worker has to survive it.
            log_error(error, f"The job {kind!r} failed, which could not be shown.", self)
            log_error(second, f"That the job {kind!r} failed could not be shown.", self)


_workers: weakref.WeakSet[Worker] = weakref.WeakSet()


def wait_for_all() -> None:
    """Block until all workers are idle. A job of one may submit jobs to another."""
    while busy := [worker for worker in list(_workers) if not worker.idle]:
        for worker in busy:
            worker.wait()


def _close_all() -> None:
    for worker in list(_workers):
        worker.close()


def _restart_all() -> None:
    for worker in list(_workers):
        worker.restart_after_fork()


# Runs before the exit handler of ``process_exit``, which was registered earlier.
atexit.register(_close_all)
if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_restart_all)
