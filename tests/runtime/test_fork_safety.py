"""A process that forks while another thread works: the child finds all locks free."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from explorer_internals import worker_of

import camwidget as cw
from camwidget.runtime import fork_safety
from camwidget.widget.control.worker import Worker

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


def in_child(check: Callable[[], bool]) -> bool:
    """Whether a check holds in a forked child. A child that hangs is ended, and none of it gets back to pytest."""
    child = os.fork()
    if child == 0:
        signal.alarm(100)
        try:
            os._exit(0 if check() else 1)
        except BaseException:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextmanager
def held_elsewhere(lock: threading.RLock) -> Iterator[None]:
    """Another thread holds a lock, and goes on holding it."""
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    try:
        yield
    finally:
        release.set()
        thread.join()


@pytest.mark.parametrize("make", [fork_safety.lock, fork_safety.rlock])
def test_what_another_thread_held_is_free(make: Callable[[], threading.RLock]) -> None:
    lock = make()
    with held_elsewhere(lock):
        assert in_child(lambda: lock.acquire(timeout=0))
        assert not lock.acquire(timeout=0)


def test_what_the_forking_thread_holds_it_holds_on_to() -> None:
    lock = fork_safety.rlock()

    def released() -> bool:
        lock.release()  # raises if it is not held
        with held_elsewhere(lock):
            return True

    with lock:
        assert in_child(released)


def test_a_fork_waits_for_the_end_of_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The child has all that the lock guards as it is between two uses."""
    lock = fork_safety.rlock(before_fork=True)
    inside, forking = threading.Event(), threading.Event()
    flags = ["as found"]

    class Watched:
        def acquire(self, timeout: float) -> bool:
            forking.set()
            return lock.acquire(timeout=timeout)

        def release(self) -> None:
            lock.release()

    def work() -> None:
        with lock:
            flags[0] = "changed"
            inside.set()
            forking.wait(60)
            flags[0] = "as found"

    monkeypatch.setattr(fork_safety, "_fork_locks", [Watched()])
    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(60)
    assert in_child(lambda: flags == ["as found"] and lock.acquire(timeout=0))
    thread.join()
    assert lock.acquire(timeout=0)


def test_who_holds_it_for_ever_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fork_safety, "FORK_TIMEOUT", 0.01)
    lock = fork_safety.rlock(before_fork=True)
    with held_elsewhere(lock):
        assert in_child(lambda: lock.acquire(timeout=0))


def test_a_session_of_the_child_does_the_work_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was running is begun anew, what was waiting is done, and nothing of it in the parent's place."""
    monkeypatch.setattr(fork_safety, "FORK_TIMEOUT", 0.01)
    session = Worker(("first", "second"), lambda kind, error: done.append(repr(error)))
    reached, opened = threading.Event(), threading.Event()
    done: list[str | tuple[str, bool]] = []
    parent = os.getpid()

    def first() -> None:
        reached.set()
        opened.wait(60)
        done.append(("first", os.getpid() == parent))

    session.submit("first", first)
    session.submit("second", lambda: done.append(("second", os.getpid() == parent)))
    assert reached.wait(60)

    def finishes() -> bool:
        opened.set()
        return session.wait(60) and done == [("first", False), ("second", False)]

    assert in_child(finishes)
    opened.set()
    assert session.wait(60)
    assert done == [("first", True), ("second", True)]


@pytest.mark.parametrize("dropped", [(), ("first",), ("second",), ("third",)])
def test_a_child_does_not_take_up_what_was_dropped(
    monkeypatch: pytest.MonkeyPatch, dropped: tuple[str, ...]
) -> None:
    """Whether it was running, had yielded, or was waiting."""
    monkeypatch.setattr(fork_safety, "FORK_TIMEOUT", 0.01)
    worker = Worker(("first", "second", "third"), lambda kind, error: None)
    reached, opened = threading.Event(), threading.Event()
    done: list[str] = []

    def runs() -> None:
        reached.set()
        opened.wait(60)
        done.append("first")

    def yields() -> Iterator[None]:
        worker.submit("first", runs)
        yield
        done.append("second")

    worker.submit("second", yields)
    assert reached.wait(60)
    worker.submit("third", lambda: done.append("third"))
    worker.drop(*dropped)

    def finishes() -> bool:
        opened.set()
        expected = [kind for kind in ("first", "second", "third") if kind not in dropped]
        return worker.wait(60) and done == expected

    assert in_child(finishes)
    opened.set()
    assert worker.wait(60)


def test_a_child_does_not_wait_for_the_threads_of_openmp() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        x = torch.rand(4, 16, 128, 128)
        weight = torch.rand(16, 16, 3, 3)
        alone = torch.conv2d(x, weight).exp()
        assert in_child(lambda: torch.allclose(torch.conv2d(x, weight).exp(), alone))
    finally:
        torch.set_num_threads(before)


def test_an_explorer_of_the_child(
    textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forked in the middle of a pass of the explorer's, the child explains, asks the explorer, and is answered."""
    monkeypatch.setattr(fork_safety, "FORK_TIMEOUT", 0.01)
    reached, opened = threading.Event(), threading.Event()

    def hold(*_: object) -> None:
        reached.set()
        opened.wait(60)

    picture = torch.rand(3, 64, 64).numpy().transpose(1, 2, 0)
    explorer = cw.Explorer(textures, picture).wait(60)
    hook = textures.module.register_forward_pre_hook(hold)
    try:
        explorer.method = "scorecam"
        assert reached.wait(60)

        def works() -> bool:
            opened.set()
            alone = cw.explain(textures, picture, method="layercam")
            explorer.method = "layercam"
            explorer.wait(60)
            return bool((explorer.explanation.saliency == alone.saliency).all())

        assert in_child(works)
    finally:
        opened.set()
        explorer.close()
        worker_of(explorer).wait(60)
        hook.remove()
