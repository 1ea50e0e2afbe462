"""The worker: newest wins, urgent first, errors told, threads that end."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator

import pytest
from waiting import until

from camwidget.widget.control.worker import Worker
from camwidget.widget.host import executed_notebooks


@pytest.fixture
def errors() -> list[BaseException]:
    return []


@pytest.fixture
def worker(errors: list[BaseException]) -> Worker:
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


def test_the_newest_request_of_a_kind_wins(worker: Worker) -> None:
    gate, done = Gate(), []
    worker.submit("usual", lambda: (gate.hold(), done.append(0))[0])
    assert gate.reached.wait(60)
    for number in range(1, 300):
        worker.submit("usual", lambda n=number: done.append(n))
    gate.open()
    assert worker.wait(60)
    assert done == [0, 299], "what was under way, and the newest; no backlog"


def test_urgent_kinds_overtake_and_long_work_goes_on(worker: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        for i in range(3):
            order.append(f"piece {i}")
            if i == 0:
                gate.hold()
            yield

    worker.submit("idle", long)
    assert gate.reached.wait(60)
    worker.submit("usual", lambda: order.append("usual"))
    worker.submit("urgent", lambda: order.append("urgent"))
    gate.open()
    assert worker.wait(60)
    assert order == ["piece 0", "urgent", "usual", "piece 1", "piece 2"]


def test_newer_work_replaces_what_has_yielded(worker: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long(name: str) -> Iterator[None]:
        for i in range(2):
            order.append(f"{name}{i}")
            if order == ["a0"]:
                gate.hold()
            yield

    worker.submit("idle", lambda: long("a"))
    assert gate.reached.wait(60)
    worker.submit("idle", lambda: long("b"))
    gate.open()
    assert worker.wait(60)
    assert order == ["a0", "b0", "b1"]


def test_work_that_waits_for_its_turn_is_replaced_too(worker: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long(name: str) -> Iterator[None]:
        for i in range(3):
            order.append(f"{name}{i}")
            if order == ["a0"]:  # once it has yielded, this one goes first
                worker.submit("urgent", gate.hold)
            yield

    worker.submit("idle", lambda: long("a"))
    assert gate.reached.wait(60)
    worker.submit("idle", lambda: long("b"))
    gate.open()
    assert worker.wait(60)
    assert order == ["a0", "b0", "b1", "b2"], "nothing of the old one afterwards either"


def test_replaced_work_is_not_taken_up_after_a_job_that_ends_at_once(worker: Worker) -> None:
    """That job leaves nothing behind that would take the place of what has yielded."""
    order: list[str] = []

    def replace() -> None:
        worker.submit("usual", lambda: order.append("new"))

    def long() -> Iterator[None]:
        order.append("begun")
        worker.submit("urgent", replace)  # runs once this one has yielded
        yield
        order.append("the old one, once more")

    worker.submit("usual", long)
    assert worker.wait(60)
    assert order == ["begun", "new"]


def test_dropped_work_does_not_run(worker: Worker) -> None:
    gate, done = Gate(), []
    worker.submit("urgent", gate.hold)
    assert gate.reached.wait(60)
    worker.submit("usual", lambda: done.append(1))
    worker.drop("usual")
    gate.open()
    assert worker.wait(60)
    assert done == []


@pytest.mark.parametrize("error", [ValueError("one"), KeyboardInterrupt(), SystemExit()])
def test_errors_are_told_and_the_worker_goes_on(
    worker: Worker, errors: list[BaseException], error: BaseException
) -> None:
    def fail() -> None:
        raise error

    done: list[int] = []
    worker.submit("usual", fail)
    worker.submit("idle", lambda: done.append(1))
    assert worker.wait(60)
    assert errors == [error] and done == [1]


def test_a_cell_that_nobody_attends_ends_after_all_jobs(worker: Worker) -> None:
    """Those too that a job submits to another explorer's worker."""
    other = Worker(("usual",), lambda kind, error: None)
    gate, done = Gate(), []
    other.submit("usual", lambda: None)
    assert other.wait(60)
    worker.submit("usual", lambda: (gate.hold(), other.submit("usual", lambda: done.append(1)))[0])
    cell = threading.Thread(target=executed_notebooks.finish)
    cell.start()
    assert gate.reached.wait(60)
    cell.join(0.05)
    assert cell.is_alive(), "it has not waited"
    gate.open()
    cell.join(60)
    assert done == [1] and not cell.is_alive()


def test_waiting_in_the_worker_does_not_hang(worker: Worker) -> None:
    answers: list[bool] = []
    worker.submit("usual", lambda: answers.append(worker.wait(1)))
    assert worker.wait(60)
    assert answers == [False]


def test_wait_gives_up(worker: Worker) -> None:
    gate = Gate()
    worker.submit("usual", gate.hold)
    assert worker.wait(0.05) is False
    gate.open()
    assert worker.wait(60)


def test_the_thread_ends_when_idle_and_comes_back(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "LINGER", 0.05)
    workers = lambda: [t for t in threading.enumerate() if t is worker.thread]  # noqa: E731
    done: list[int] = []
    worker.submit("usual", lambda: done.append(1))
    assert worker.wait(60)
    until(lambda: not workers())
    worker.submit("usual", lambda: done.append(2))
    assert worker.wait(60)
    assert done == [1, 2]


def test_submitting_from_many_threads_loses_nothing(worker: Worker) -> None:
    done: list[int] = []
    threads = [
        threading.Thread(
            target=lambda: [worker.submit("usual", lambda: done.append(1)) for _ in range(200)]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    worker.submit("usual", lambda: done.append(2))
    assert worker.wait(60)
    assert done[-1] == 2


def test_dropped_work_that_waits_for_its_turn_is_not_taken_up_again(worker: Worker) -> None:
    order: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        for i in range(3):
            order.append(f"piece {i}")
            if i == 0:
                worker.submit("urgent", gate.hold)
            yield

    worker.submit("idle", long)
    assert gate.reached.wait(60)
    worker.drop("usual", "idle")
    gate.open()
    assert worker.wait(60)
    assert order == ["piece 0"]


def test_a_job_knows_whether_it_was_dropped(worker: Worker) -> None:
    """Of its own kind only, and only since it came to its present piece."""
    seen: list[bool] = []

    def long() -> Iterator[None]:
        seen.append(worker.dropped())
        worker.drop("usual")
        seen.append(worker.dropped())
        worker.drop("idle")
        seen.append(worker.dropped())
        yield
        seen.append(True)  # never: it was dropped

    worker.submit("idle", long)
    assert worker.wait(60)
    assert seen == [False, False, True]

    def next_job() -> None:
        seen.append(worker.dropped())
        worker.drop("idle")
        seen.append(worker.dropped())

    worker.submit("idle", next_job)
    assert worker.wait(60)
    assert seen == [False, False, True, False, True], "a drop is forgotten by the next job"
    assert not worker.dropped(), "here is no job"


def test_a_job_knows_whether_a_newer_one_waits(worker: Worker) -> None:
    seen: list[bool] = []

    def job() -> None:
        seen.append(worker.superseded("usual"))
        worker.submit("idle", lambda: None)
        seen.append(worker.superseded("usual"))
        worker.submit("usual", lambda: None)
        seen.append(worker.superseded("usual"))

    worker.submit("usual", job)
    assert worker.wait(60)
    assert seen == [False, False, True]
    assert not worker.superseded("usual")


@pytest.mark.parametrize("where", ["waiting", "suspended"])
def test_a_closed_worker_finishes_nothing_and_takes_no_more(worker: Worker, where: str) -> None:
    done: list[str] = []
    gate = Gate()

    def long() -> Iterator[None]:
        done.append("begun")
        if where == "suspended":
            worker.submit("urgent", gate.hold)
        yield
        done.append("finished")

    if where == "waiting":
        worker.submit("urgent", gate.hold)
    else:
        worker.submit("idle", long)
    assert gate.reached.wait(60)
    if where == "waiting":
        worker.submit("idle", long)
    worker.close()
    worker.submit("urgent", lambda: done.append("late"))
    gate.open()
    assert worker.wait(60)
    assert done == (["begun"] if where == "suspended" else [])
    worker.submit("urgent", lambda: done.append("later"))
    assert worker.idle and "later" not in done


def test_a_piece_that_is_closed_under_way_is_its_last(worker: Worker) -> None:
    done: list[int] = []

    def long() -> Iterator[None]:
        done.append(1)
        worker.close()
        yield
        done.append(2)

    worker.submit("idle", long)
    assert worker.wait(60)
    thread = worker.thread
    if thread is not None:
        thread.join(60)
    assert done == [1] and worker.thread is None


def test_it_says_when_nothing_is_left_once_each_time(errors: list[BaseException]) -> None:
    order: list[str] = []
    worker = Worker(
        ("urgent", "usual"), lambda kind, error: errors.append(error), lambda: order.append("idle")
    )
    gate = Gate()
    worker.submit("usual", lambda: (gate.hold(), order.append("usual"))[0])
    assert gate.reached.wait(60)
    worker.submit("urgent", lambda: order.append("urgent"))
    gate.open()
    assert worker.wait(60)
    assert order == ["usual", "urgent", "idle"]
    worker.submit("usual", lambda: order.append("again"))
    assert worker.wait(60)
    assert order[3:] == ["again", "idle"] and not errors


def test_while_it_says_so_it_is_not_idle_and_an_error_there_is_told() -> None:
    found: list[tuple[str, BaseException]] = []
    seen: list[tuple[bool, bool]] = []
    gate = Gate()
    failure = ValueError("said too late")

    def say() -> None:
        gate.hold()
        seen.append((worker.idle, worker.in_worker))
        raise failure

    worker = Worker(("usual",), lambda kind, error: found.append((kind, error)), say)
    worker.submit("usual", lambda: None)
    assert gate.reached.wait(60)
    assert not worker.idle and not worker.wait(0.01) and not worker.in_worker
    gate.open()
    assert worker.wait(60) and worker.idle
    assert found == [("idle", failure)] and seen == [(False, True)]


def test_an_error_is_told_with_its_kind_and_one_in_the_telling_ends_nothing() -> None:
    found: list[str] = []
    done: list[int] = []

    def tell(kind: str, error: BaseException) -> None:
        found.append(kind)
        raise RuntimeError("nobody is there to be told")

    worker = Worker(("urgent", "usual"), tell)

    def fail() -> Iterator[None]:
        yield
        raise ValueError

    worker.submit("usual", fail)
    assert worker.wait(60)
    worker.submit("urgent", lambda: done.append(1))
    assert worker.wait(60)
    assert found == ["usual"] and done == [1]


def test_a_request_wakes_a_thread_that_lingers(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Worker, "LINGER", 600)
    done: list[int] = []
    for number in range(3):
        worker.submit("usual", lambda n=number: done.append(n))
        assert worker.wait(30), "it sleeps on"
    thread = worker.thread
    assert thread is not None and thread.daemon and done == [0, 1, 2]
    worker.close()
    thread.join(30)
    assert not thread.is_alive(), "closing wakes it too"


@pytest.mark.parametrize("how", ["finished", "finished in pieces", "dropped between them"])
def test_a_thread_that_lingers_keeps_nothing_of_a_job_alive(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A job refers to its explorer, which would be kept with all its maps."""
    monkeypatch.setattr(Worker, "LINGER", 600)

    class Explorer:
        def job(self) -> None:
            pass

        def pieces(self) -> Iterator[None]:
            if how == "dropped between them":
                worker.drop("usual")
            yield

    explorer = Explorer()
    known = weakref.ref(explorer)
    worker.submit("usual", explorer.job if how == "finished" else explorer.pieces)
    del explorer
    assert worker.wait(60) and worker.thread is not None
    until(lambda: known() is None, 20)
    worker.close()


def test_a_kind_that_there_is_not_is_refused(worker: Worker) -> None:
    with pytest.raises(AssertionError):
        worker.submit("unusual", lambda: None)


def test_a_request_that_comes_as_the_thread_gives_up_is_not_lost(worker: Worker) -> None:
    begun, done = threading.Event(), threading.Event()

    class Expired(threading.Condition):
        """Whose wait is over in the moment in which a request comes."""

        def wait(self, timeout: float | None = None) -> bool:
            if worker.in_worker and not begun.is_set():
                begun.set()
                worker.submit("usual", done.set)
                return False
            return super().wait(timeout)

    worker._condition = Expired()
    worker.submit("usual", lambda: None)
    assert begun.wait(60) and done.wait(10)
