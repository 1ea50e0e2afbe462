"""The worker: newest wins, urgent first, errors told, threads that end."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from waiting import until

from camwidget.widget.control.worker import Worker


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def session(errors: list[BaseException]) -> Worker:
    return Worker(("urgent", "usual", "idle"), lambda kind, error: errors.append(error))


class Gate:
    """Holds a job until it is opened, and says when the job has come to it."""

    def __init__(self) -> None:
        self.reached, self._opened = threading.Event(), threading.Event()

    def hold(self) -> None:
        self.reached.set()
        assert self._opened.wait(60)

    def open(self) -> None:
        self._opened.set()


def test_the_newest_request_of_a_kind_wins(session: Worker) -> None:
    gate, done = Gate(), []
    session.submit("usual", lambda: (gate.hold(), done.append(0))[0])
    assert gate.reached.wait(60)
    for number in range(1, 300):
        session.submit("usual", lambda n=number: done.append(n))
    gate.open()
    assert session.wait(60)
    assert done == [0, 299], "what was under way, and the newest; no backlog"


def test_urgent_kinds_overtake_and_long_work_goes_on(session: Worker) -> None:
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


def test_newer_work_replaces_what_has_yielded(session: Worker) -> None:
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


def test_work_that_waits_for_its_turn_is_replaced_too(session: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long(name: str) -> Iterator[None]:
        for i in range(3):
            order.append(f"{name}{i}")
            if order == ["a0"]:  # once it has yielded, this one goes first
                session.submit("urgent", gate.hold)
            yield

    session.submit("idle", lambda: long("a"))
    assert gate.reached.wait(60)
    session.submit("idle", lambda: long("b"))
    gate.open()
    assert session.wait(60)
    assert order == ["a0", "b0", "b1", "b2"], "nothing of the old one afterwards either"


def test_dropped_work_does_not_run(session: Worker) -> None:
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
    session: Worker, errors: list[BaseException], error: BaseException
) -> None:
    def fail() -> None:
        raise error

    done: list[int] = []
    session.submit("usual", fail)
    session.submit("idle", lambda: done.append(1))
    assert session.wait(60)
    assert errors == [error] and done == [1]


def test_waiting_in_the_worker_does_not_hang(session: Worker) -> None:
    answers: list[bool] = []
    session.submit("usual", lambda: answers.append(session.wait(1)))
    assert session.wait(60)
    assert answers == [False]


def test_wait_gives_up(session: Worker) -> None:
    gate = Gate()
    session.submit("usual", gate.hold)
    assert not session.wait(0.05)
    gate.open()
    assert session.wait(60)


def test_the_thread_ends_when_idle_and_comes_back(
    session: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "LINGER", 0.05)
    workers = lambda: [t for t in threading.enumerate() if t is session.thread]  # noqa: E731
    done: list[int] = []
    session.submit("usual", lambda: done.append(1))
    assert session.wait(60)
    until(lambda: not workers())
    session.submit("usual", lambda: done.append(2))
    assert session.wait(60)
    assert done == [1, 2]


def test_submitting_from_many_threads_loses_nothing(session: Worker) -> None:
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


def test_dropped_work_that_waits_for_its_turn_is_not_taken_up_again(session: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        for i in range(3):
            order.append(f"piece {i}")
            if i == 0:
                session.submit("urgent", gate.hold)
            yield

    session.submit("idle", long)
    assert gate.reached.wait(60)
    session.drop("usual", "idle")
    gate.open()
    assert session.wait(60)
    assert order == ["piece 0"]


def test_a_job_knows_whether_it_was_dropped(session: Worker) -> None:
    """Of its own kind only, and only since it came to its present piece."""
    seen: list[bool] = []

    def long() -> Iterator[None]:
        seen.append(session.dropped())
        session.drop("usual")
        seen.append(session.dropped())
        session.drop("idle")
        seen.append(session.dropped())
        yield
        seen.append(True)  # never: it was dropped

    session.submit("idle", long)
    assert session.wait(60)
    assert seen == [False, False, True]
    session.submit("idle", lambda: seen.append(session.dropped()))
    assert session.wait(60)
    assert seen == [False, False, True, False], "a drop is forgotten by the next job"
    assert not session.dropped(), "here is no job"


def test_a_job_knows_whether_a_newer_one_waits(session: Worker) -> None:
    seen: list[bool] = []

    def job() -> None:
        seen.append(session.superseded("usual"))
        session.submit("idle", lambda: None)
        seen.append(session.superseded("usual"))
        session.submit("usual", lambda: None)
        seen.append(session.superseded("usual"))

    session.submit("usual", job)
    assert session.wait(60)
    assert seen == [False, False, True]
    assert not session.superseded("usual")


@pytest.mark.parametrize("where", ["waiting", "suspended"])
def test_a_closed_session_finishes_nothing_and_takes_no_more(session: Worker, where: str) -> None:
    done: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        done.append("begun")
        if where == "suspended":
            session.submit("urgent", gate.hold)
        yield
        done.append("finished")

    if where == "waiting":
        session.submit("urgent", gate.hold)
    else:
        session.submit("idle", long)
    assert gate.reached.wait(60)
    if where == "waiting":
        session.submit("idle", long)
    session.close()
    session.submit("urgent", lambda: done.append("late"))
    gate.open()
    assert session.wait(60)
    assert done == (["begun"] if where == "suspended" else [])
    session.submit("urgent", lambda: done.append("later"))
    assert session.idle and "later" not in done


def test_a_piece_that_is_closed_under_way_is_its_last(session: Worker) -> None:
    done: list[int] = []

    def long() -> Iterator[None]:
        done.append(1)
        session.close()
        yield
        done.append(2)

    session.submit("idle", long)
    assert session.wait(60)
    thread = session.thread
    if thread is not None:
        thread.join(60)
    assert done == [1] and session.thread is None


def test_it_says_when_nothing_is_left_once_each_time(errors: list[BaseException]) -> None:
    order: list[str] = []
    session = Worker(
        ("urgent", "usual"), lambda kind, error: errors.append(error), lambda: order.append("idle")
    )
    gate = Gate()
    session.submit("usual", lambda: (gate.hold(), order.append("usual"))[0])
    assert gate.reached.wait(60)
    session.submit("urgent", lambda: order.append("urgent"))
    gate.open()
    assert session.wait(60)
    assert order == ["usual", "urgent", "idle"]
    session.submit("usual", lambda: order.append("again"))
    assert session.wait(60)
    assert order[3:] == ["again", "idle"] and not errors


def test_while_it_says_so_it_is_not_idle_and_an_error_there_is_told() -> None:
    found: list[tuple[str, BaseException]] = []
    seen: list[tuple[bool, bool]] = []
    gate = Gate()
    failure = ValueError("said too late")

    def say() -> None:
        gate.hold()
        seen.append((session.idle, session.in_worker))
        raise failure

    session = Worker(("usual",), lambda kind, error: found.append((kind, error)), say)
    session.submit("usual", lambda: None)
    assert gate.reached.wait(60)
    assert not session.idle and not session.wait(0.01) and not session.in_worker
    gate.open()
    assert session.wait(60) and session.idle
    assert found == [("idle", failure)] and seen == [(False, True)]


def test_an_error_is_told_with_its_kind_and_one_in_the_telling_ends_nothing() -> None:
    found: list[str] = []
    done: list[int] = []

    def tell(kind: str, error: BaseException) -> None:
        found.append(kind)
        raise RuntimeError("nobody is there to be told")

    session = Worker(("urgent", "usual"), tell)

    def fail() -> Iterator[None]:
        yield
        raise ValueError

    session.submit("usual", fail)
    assert session.wait(60)
    session.submit("urgent", lambda: done.append(1))
    assert session.wait(60)
    assert found == ["usual"] and done == [1]


def test_a_request_wakes_a_thread_that_lingers(
    session: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "LINGER", 600)
    done: list[int] = []
    for number in range(3):
        session.submit("usual", lambda n=number: done.append(n))
        assert session.wait(30), "it sleeps on"
    thread = session.thread
    assert thread is not None and thread.daemon and done == [0, 1, 2]
    session.close()
    thread.join(30)
    assert not thread.is_alive(), "closing wakes it too"


def test_a_kind_that_there_is_not_is_refused(session: Worker) -> None:
    with pytest.raises(AssertionError):
        session.submit("unusual", lambda: None)


def test_a_request_that_comes_as_the_thread_gives_up_is_not_lost(session: Worker) -> None:
    begun, done = threading.Event(), threading.Event()

    class Expired(threading.Condition):
        """Whose wait is over in the moment in which a request comes."""

        def wait(self, timeout: float | None = None) -> bool:
            if session.in_worker and not begun.is_set():
                begun.set()
                session.submit("usual", done.set)
                return False
            return super().wait(timeout)

    session._condition = Expired()
    session.submit("usual", lambda: None)
    assert begun.wait(60) and done.wait(10)
