"""Requests from several threads, observers that wait, and caches under threads: nothing hangs, the last one wins."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import panels_of, parts_of, view_of, worker_of
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetError
from camwidget.runtime.caches import BoundedCache
from camwidget.widget.control.cache import ModelCache

PICTURES = [np.random.default_rng(n).integers(0, 256, (16, 16, 3), np.uint8) for n in range(3)]


class Gated(nn.Module):
    """A small net whose passes wait at a gate, which is open at first."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 3)
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.passes = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.passes += 1
        self.entered.set()
        assert self.gate.wait(60)
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.fixture
def explorer() -> Iterator[cw.Explorer]:
    ex = cw.Explorer(cw.wrap(Gated().eval(), cw.Preprocess(size=16)), PICTURES)
    ex.wait(60)
    yield ex
    ex.model.module.gate.set()
    ex.close()


def joined(*threads: threading.Thread) -> None:
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "it hangs"


def hold(explorer: cw.Explorer) -> Gated:
    """Close the gate; the next pass waits there."""
    module: Gated = explorer.model.module
    module.entered.clear()
    module.gate.clear()
    return module


def test_an_observer_that_waits_does_not_deadlock_with_cancel(explorer: cw.Explorer) -> None:
    """It used to be called under the lock that the worker, for which it waits, was waiting for."""
    module = hold(explorer)
    waited: list[str] = []

    def observer(change: dict[str, Any]) -> None:
        if change["new"] == "gradcam":  # back again
            explorer.wait(60)
            waited.append(change["new"])

    explorer.observe(observer, "method")
    explorer.method = "occlusion"
    assert module.entered.wait(60)
    canceling = threading.Thread(target=explorer.cancel)
    canceling.start()
    module.gate.set()
    joined(canceling)
    assert waited == ["gradcam"]
    assert explorer.wait(60).explanation.method == "gradcam"


def test_cancel_computes_nothing(explorer: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where what was shown has left the cache, and another picture was asked for meanwhile."""
    shown = explorer.explanation
    module = hold(explorer)
    explorer.method = "occlusion"
    explorer.picture = 1
    assert module.entered.wait(60)
    monkeypatch.setattr(ModelCache, "growing", None)
    monkeypatch.setattr(ModelCache, "probabilities", None)
    explorer.cancel()
    monkeypatch.undo()
    assert (explorer.method, explorer.picture) == ("gradcam", 0)
    assert explorer.explanation is shown
    module.gate.set()
    explorer.wait(60)
    assert view_of(explorer).explanation["scene"] == view_of(explorer).scene["id"]


def test_of_two_requests_at_once_the_last_one_is_computed(
    explorer: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The request that is remembered is the one whose job runs, whatever thread is slower to submit it."""
    worker = worker_of(explorer)
    submit = worker.submit
    first_is_here, second_is_asked = threading.Event(), threading.Event()

    def slow_for_the_first(kind: str, job: Callable[[], Any]) -> None:
        if kind == "map" and threading.current_thread().name == "first":
            first_is_here.set()
            second_is_asked.wait(1)
        submit(kind, job)

    monkeypatch.setattr(worker, "submit", slow_for_the_first)
    main = parts_of(explorer).requests.main
    last = main.requested
    assert last is not None
    first = threading.Thread(
        target=lambda: main.request(last._replace(method="layercam")), name="first"
    )
    first.start()
    assert first_is_here.wait(60)

    def ask_second() -> None:
        main.request(last._replace(method="hirescam"))
        second_is_asked.set()

    second = threading.Thread(target=ask_second)
    second.start()
    joined(first, second)
    explorer.wait(60)
    assert main.is_settled
    assert explorer.explanation.method == "hirescam"


def test_a_failing_map_does_not_take_the_place_of_a_newer_request(explorer: cw.Explorer) -> None:
    """A quick map fails while a slow one, of another kind of work, is asked for."""
    module = hold(explorer)

    def fail_once(*_: Any) -> None:
        handle.remove()
        raise RuntimeError("this pass fails")

    handle = module.head.register_forward_pre_hook(fail_once)
    explorer.picture = 1
    assert module.entered.wait(60)
    explorer.method = "occlusion"
    module.gate.set()
    explorer.wait(120)
    assert explorer.explanation.method == explorer.method == "occlusion"


def test_requests_from_three_threads_end_at_the_last(explorer: cw.Explorer) -> None:
    methods = ["gradcam", "layercam", "gradcam++"]

    def click(number: int) -> None:
        for turn in range(20):
            explorer.method = methods[(number + turn) % 3]
            explorer.target = (number + turn) % 3
            explorer.picture = (number * turn) % 3

    clicking = [threading.Thread(target=click, args=(n,)) for n in range(3)]
    for thread in clicking:
        thread.start()
    joined(*clicking)
    explorer.wait(60)
    explorer.picture, explorer.method, explorer.target = 2, "hirescam", 1
    explorer.wait(60)
    shown = explorer.explanation
    assert (explorer.picture, shown.method, shown.target.index) == (2, "hirescam", 1)
    assert parts_of(explorer).requests.main.requested == parts_of(explorer).requests.main.shown


def test_a_value_being_made_does_not_keep_others_waiting() -> None:
    recent: BoundedCache[int] = BoundedCache(4)
    recent.put("there", 1)
    gate, entered, made = threading.Event(), threading.Event(), []

    def make() -> int:
        entered.set()
        assert gate.wait(60)
        made.append(2)
        return 2

    got: list[int] = []
    both = [threading.Thread(target=lambda: got.append(recent.get("slow", make))) for _ in range(2)]
    for thread in both:
        thread.start()
    assert entered.wait(60)
    assert recent.get("there", lambda: 0) == 1 and recent.get("other", lambda: 3) == 3
    gate.set()
    joined(*both)
    assert got == [2, 2] and made == [2], "made once"


def test_what_is_looked_at_is_not_the_first_to_go() -> None:
    recent: BoundedCache[int] = BoundedCache(2)
    recent.put("shown", 1)
    recent.put("other", 2)
    assert recent.peek("shown") == 1
    recent.put("new", 3)
    assert recent.peek("shown") == 1 and recent.peek("other") is None


def test_a_value_that_cannot_be_made_is_tried_again() -> None:
    recent: BoundedCache[int] = BoundedCache(2)
    with pytest.raises(ZeroDivisionError):
        recent.get("key", lambda: 1 // 0)
    assert recent.get("key", lambda: 4) == 4


def test_pictures_added_by_several_threads(
    explorer: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """None is lost, none shares its name with another, and each thread's was shown."""
    barrier = threading.Barrier(4)
    base = parts_of(explorer).context.prompt.base
    pixels = base.pixels

    def together(picture: Any) -> Any:
        if threading.current_thread().name == "adding":
            barrier.wait(60)
        return pixels(picture)

    shown: list[int] = []
    explorer.observe(lambda change: shown.append(change["new"]), "picture")
    monkeypatch.setattr(base, "pixels", together)
    threads = [
        threading.Thread(target=lambda p=PICTURES[n % 3]: explorer.add(p), name="adding")
        for n in range(4)
    ]
    for thread in threads:
        thread.start()
    joined(*threads)
    monkeypatch.undo()
    explorer.wait(60)
    assert [p.name for p in explorer.pictures] == [f"picture {n + 1}" for n in range(7)]
    assert view_of(explorer).pictures == [p.name for p in explorer.pictures]
    # A thread whose request was not the last sets the picture back to that of the last.
    assert set(shown) == {3, 4, 5, 6}
    # Observers are called outside the lock, in any order: what counts is that trait and view agree at the end.
    last = explorer.pictures[explorer.picture]
    assert view_of(explorer).scene["id"] == last.id


def test_what_is_drawn_is_waited_for(explorer: cw.Explorer) -> None:
    """DeepVis is the explorer's own worker's, and its least urgent: a map goes before it."""
    panels_of(explorer).box.selected_index = 0
    panel = panels_of(explorer).deepvis
    assert panel is not None
    panel.steps = 3
    module = hold(explorer)
    panel.start()
    assert module.entered.wait(60)
    with pytest.raises(TimeoutError):
        explorer.wait(0.01)
    explorer.method = "layercam"
    when: list[bool] = []
    explorer.observe(lambda change: when.append(panel.visualization is None), "explanation")
    module.gate.set()
    explorer.wait(60)
    assert panel.visualization is not None and when == [True]
    panel.steps = 10_000
    panel.start()
    panels_of(explorer).close()
    explorer.wait(60)
    explorer.fraction = 0.5
    assert view_of(explorer.wait(60)).masked, "closing the panel leaves the explorer its worker"


@pytest.mark.parametrize("whose", ["its own", "the other's"])
def test_the_answer_for_a_new_map_is_not_lost_to_one_for_the_old(
    explorer: cw.Explorer, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """A thread that still has the old map in its hands used to put its job in the place of the new map's."""
    if whose == "the other's":
        explorer.compare = {"method": "layercam"}
    explorer.fraction = 0.5
    explorer.wait(60)
    requests = parts_of(explorer).requests
    controller: Any = requests.main if whose == "its own" else requests.compared
    curve = controller.jobs.curve
    has_old, has_new = threading.Event(), threading.Event()

    class Late(contextlib.nullcontext[None]):
        """The controller's lock, for which the slider's thread comes late."""

        def __enter__(self) -> None:
            if threading.current_thread().name == "slider":
                has_old.set()
                assert has_new.wait(60)
            lock.acquire()

        def __exit__(self, *_: object) -> None:
            lock.release()

    lock = controller.lock
    worker = worker_of(explorer)
    submit = worker.submit

    def interrupted(kind: str, job: Callable[[], Any]) -> None:
        if kind == curve and worker.in_worker and not has_new.is_set():
            # The new map's job waits for the worker, which is here; the old one's is about to come.
            has_new.set()
            slider.join(0.5)
        submit(kind, job)

    monkeypatch.setattr(controller, "lock", Late())
    monkeypatch.setattr(worker, "submit", interrupted)
    slider = threading.Thread(target=controller.request_prediction, name="slider")
    slider.start()
    assert has_old.wait(60)
    if whose == "its own":
        explorer.method = "gradcam++"
    else:
        explorer.compare = {"method": "gradcam++"}
    explorer.wait(60)
    joined(slider)
    explorer.wait(60)
    assert not view_of(explorer).pending
    if whose == "its own":
        assert view_of(explorer).masked
    else:
        assert view_of(explorer).compared_prediction["target"]["masked"] is not None


@pytest.mark.parametrize("place", [0, 1], ids=["DeepVis", "Evaluate"])
def test_of_two_starts_at_once_the_last_one_is_done(
    explorer: cw.Explorer, monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """The job of the first used to take the place of the second's, of which nothing came."""
    panels_of(explorer).box.selected_index = place
    panels = panels_of(explorer)
    panel: Any = panels.deepvis if place == 0 else panels.evaluate
    if place == 0:
        panel.steps = 3
    else:
        panel.table.chosen_methods, panel.table.chosen_metrics = ["gradcam"], ["complexity"]
    submit = worker_of(explorer).submit
    first_is_here, second_is_asked = threading.Event(), threading.Event()

    def slow_for_the_first(kind: str, job: Callable[[], Any]) -> None:
        if threading.current_thread().name == "first":
            first_is_here.set()
            second_is_asked.wait(0.5)
        submit(kind, job)

    monkeypatch.setattr(worker_of(explorer), "submit", slow_for_the_first)
    first = threading.Thread(target=panel.start, name="first")
    first.start()
    assert first_is_here.wait(60)
    panel.start()
    second_is_asked.set()
    joined(first)
    explorer.wait(60)
    if place == 0:
        assert panel.visualization is not None and panel.button.description == "Start"
    else:
        assert len(panel.scores) == 1 and not panel.table.running


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_an_observer_that_raises_anything_leaves_a_worker(
    explorer: cw.Explorer, kind: type[BaseException]
) -> None:
    """Also where what is shown of the failure is observed too, and raises again."""
    ex = explorer

    def fails(change: Any) -> None:
        raise kind("nobody expects this")

    ex.observe(fails, ["explanation", "curve"])
    ex.target = 1
    ex.wait(60)
    ex.unobserve(fails, ["explanation", "curve"])
    ex.target = 2
    ex.wait(60)
    assert ex.explanation.target.index == 2 and ex.curve is not None


def test_nothing_is_added_to_a_closed_explorer(explorer: cw.Explorer) -> None:
    explorer.close()
    with pytest.raises(CamwidgetError, match="closed"):
        explorer.add(PICTURES[0])
    assert len(explorer.pictures) == 3
