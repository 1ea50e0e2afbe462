"""The worker: newest wins, urgent first, errors told, threads that end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from waiting import until

from camwidget.widget.session import Session


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def session(errors: list[BaseException]) -> Session:
    return Session(("urgent", "usual", "idle"), lambda kind, error: errors.append(error))


class Gate:
    """Holds a job until it is opened, and says when the job has come to it."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def hold(self) -> None:
        self.reached.set()
        assert self._opened.wait(60)

    def open(self) -> None:
        self._opened.set()


def test_the_newest_request_of_a_kind_wins(session: Session) -> None:
    gate, done = Gate(), []
    session.submit("usual", lambda: (gate.hold(), done.append(0))[0])
    assert gate.reached.wait(60)
    for number in range(1, 300):
        session.submit("usual", lambda n=number: done.append(n))
    gate.open()
    assert session.wait(60)
    assert done == [0, 299], "what was under way, and the newest; no backlog"


def test_urgent_kinds_overtake_and_long_work_goes_on(session: Session) -> None:
    order: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        for i in range(3):
            order.append(f"piece {i}")
            if i == 0:
                gate.hold()
            yield

    session.submit("idle", long)
    assert gate.reached.wait(60)
    session.submit("usual", lambda: order.append("usual"))
    session.submit("urgent", lambda: order.append("urgent"))
    gate.open()
    assert session.wait(60)
    assert order == ["piece 0", "urgent", "usual", "piece 1", "piece 2"]


def test_newer_work_replaces_what_has_yielded(session: Session) -> None:
    order: list[str] = []
    gate = Gate()

    def long(name: str) -> Iterator[None]:
        for i in range(2):
            order.append(f"{name}{i}")
            if order == ["a0"]:
                gate.hold()
            yield

    session.submit("idle", lambda: long("a"))
    assert gate.reached.wait(60)
    session.submit("idle", lambda: long("b"))
    gate.open()
    assert session.wait(60)
    assert order == ["a0", "b0", "b1"]


def test_dropped_work_does_not_run(session: Session) -> None:
    gate, done = Gate(), []
    session.submit("urgent", gate.hold)
    assert gate.reached.wait(60)
    session.submit("usual", lambda: done.append(1))
    session.drop("usual")
    gate.open()
    assert session.wait(60)
    assert done == []


@pytest.mark.parametrize("error", [ValueError("one"), KeyboardInterrupt(), SystemExit()])
def test_errors_are_told_and_the_worker_goes_on(
    session: Session, errors: list[BaseException], error: BaseException
) -> None:
    def fail() -> None:
        raise error

    done: list[int] = []
    session.submit("usual", fail)
    session.submit("idle", lambda: done.append(1))
    assert session.wait(60)
    assert errors == [error] and done == [1]


def test_waiting_in_the_worker_does_not_hang(session: Session) -> None:
    answers: list[bool] = []
    session.submit("usual", lambda: answers.append(session.wait(1)))
    assert session.wait(60)
    assert answers == [False]


def test_wait_gives_up(session: Session) -> None:
    gate = Gate()
    session.submit("usual", gate.hold)
    assert not session.wait(0.05)
    gate.open()
    assert session.wait(60)


def test_the_thread_ends_when_idle_and_comes_back(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Session, "LINGER", 0.05)
    workers = lambda: [t for t in threading.enumerate() if t is session._thread]  # noqa: E731
    done: list[int] = []
    session.submit("usual", lambda: done.append(1))
    assert session.wait(60)
    until(lambda: not workers())
    session.submit("usual", lambda: done.append(2))
    assert session.wait(60)
    assert done == [1, 2]


def test_submitting_from_many_threads_loses_nothing(session: Session) -> None:
    done: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: [session.submit("usual", lambda: done.append(1)) for _ in range(200)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    session.submit("usual", lambda: done.append(2))
    assert session.wait(60)
    assert done[-1] == 2
