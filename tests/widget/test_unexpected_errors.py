"""What nobody expected: its traceback is in the log, a text in the widget names it, and the widget goes on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import (
    display_of,
    panels_of,
    parts_of,
    receive,
    send_from_page,
    view_of,
    worker_of,
)
from torch import nn

import camwidget as cw
from camwidget.masking.user_mask import encode
from camwidget.widget.control import compared_map_role, map_controller
from camwidget.widget.control.cache import ModelCache
from camwidget.widget.control.worker import Worker
from camwidget.widget.host.interrupts import Interrupts
from camwidget.widget.panels import accordion, evaluate, scoring
from camwidget.widget.panels.deepvis import DeepVisPanel

PICTURES = [np.random.default_rng(n).integers(0, 256, (16, 16, 3), np.uint8) for n in range(3)]

NOW = datetime(2027, 1, 1, tzinfo=UTC)

#: How each text says where the traceback is; what stands before it names the error.
SAID = "(Boom: <b>nobody</b> expects this); its traceback is "


class Boom(Exception):  # noqa: N818
    """What no code of ours raises, or looks for."""


Boom.__module__ = "builtins"  # named without the place of this test


def boom(*_: Any, **__: Any) -> Any:
    raise Boom("<b>nobody</b> expects this")


def growing_boom(*_: Any, **__: Any) -> Iterator[Any]:
    boom()
    yield


def net() -> cw.VisionModel:
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 4)
    )  # fmt: skip
    return cw.wrap(module.eval(), cw.Preprocess(16), ["cat", "dog", "emu", "fox"])


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    made = cw.Explorer(net(), PICTURES).wait(60)
    yield made
    made.close()


def boomed(caplog: pytest.LogCaptureFixture) -> int:
    """How often the error is in the log with its traceback."""
    found = [r for r in caplog.records if r.exc_info and r.exc_info[0] is Boom]
    assert all(r.name == "camwidget" and r.levelno == logging.ERROR for r in found)
    assert all(r.exc_info is not None and r.exc_info[2] is not None for r in found)
    return len(found)


def goes_on(ex: cw.Explorer) -> None:
    """The next requests are answered as ever."""
    ex.picture = (ex.picture + 1) % 3
    ex.method = "layercam" if ex.method != "layercam" else "gradcam"
    ex.wait(60)
    assert view_of(ex).error == ""
    assert (
        ex.explanation.method == ex.method and view_of(ex).scene["id"] == ex.pictures[ex.picture].id
    )
    ex.fraction = 0.25 if ex.fraction != 0.25 else 0.5
    ex.wait(60)
    assert (
        view_of(ex).masked
        and ex.curve is not None
        and not view_of(ex).busy
        and not view_of(ex).pending
    )


# -- what a page sends -----------------------------------------------------------------------


def main(ex: cw.Explorer) -> Any:
    return parts_of(ex).requests.main


def says(ex: cw.Explorer, content: Any) -> None:
    receive(
        view_of(ex), {"content": {"data": {"method": "custom", "content": content}}, "buffers": []}
    )


def sets(ex: cw.Explorer, **state: Any) -> None:
    receive(view_of(ex), {"content": {"data": {"method": "update", "state": state}}})


def mouse(canvas: Any) -> None:
    canvas._handle_frontend_event(canvas, {"event": "mouse_down", "x": 130.0, "y": 5.0}, [])


def click_a_row(ex: cw.Explorer) -> None:
    index = display_of(ex).row_classes.index(view_of(ex).target)
    mark = next(m for m in display_of(ex).bars.figure.marks if m._element_click_handlers.callbacks)
    mark._element_click_handlers(mark, {"data": {"index": 1 - min(index, 1)}})


PAGES: dict[str, tuple[Callable[[cw.Explorer], tuple[Any, str]], Callable[[cw.Explorer], None]]] = {
    "undo": (lambda ex: (parts_of(ex).history, "undo"), lambda ex: says(ex, {"type": "undo"})),
    "redo": (lambda ex: (parts_of(ex).history, "redo"), lambda ex: says(ex, {"type": "redo"})),
    "cancel": (lambda ex: (main(ex), "cancel"), lambda ex: says(ex, {"type": "cancel"})),
    "text": (lambda ex: (parts_of(ex).requests, "write"), lambda ex: says(ex, {"type": "text", "text": "x"})),
    "pick": (
        lambda ex: (worker_of(ex), "submit"),
        lambda ex: says(ex, {"type": "pick", "x": 1, "y": 1}),
    ),
    "a trait": (lambda ex: (main(ex), "change"), lambda ex: sets(ex, method="layercam")),
    "a class": (lambda ex: (main(ex), "change"), lambda ex: sets(ex, target=3)),
    "a comparison": (
        lambda ex: (parts_of(ex).requests, "request_compared"),
        lambda ex: sets(ex, compare={"method": "layercam"}),
    ),
    "the slider": (lambda ex: (main(ex), "request_prediction"), lambda ex: sets(ex, fraction=0.75)),
    "the brush": (
        lambda ex: (parts_of(ex).paint, "show_present"),
        lambda ex: sets(
            ex,
            paint={"scene": view_of(ex).scene["id"], "runs": encode(np.eye(16, dtype=np.int8)), "painting": False},
        ),
    ),
    "a row": (lambda ex: (main(ex), "change"), click_a_row),
    "a thumbnail": (lambda ex: (main(ex), "change"), lambda ex: mouse(display_of(ex).thumbnails.canvas.canvas)),
    "the strip": (
        lambda ex: (display_of(ex).thumbnails.canvas, "_on_click"),
        lambda ex: mouse(display_of(ex).thumbnails.canvas.canvas),
    ),
    "a new page": (
        lambda ex: (display_of(ex).thumbnails.canvas, "_draw"),
        lambda ex: display_of(ex).thumbnails.canvas.canvas._handle_frontend_event(
            display_of(ex).thumbnails.canvas.canvas, {"event": "client_ready"}, []
        ),
    ),
    "an upload": (
        lambda ex: (ex, "add"),
        lambda ex: setattr(
            display_of(ex).thumbnails.upload, "value", ({"name": "a.png", "content": b"x", "type": "",
            "size": 1, "last_modified": NOW},)
        ),
    ),
    "a panel": (
        lambda ex: (accordion, "EvaluatePanel"),
        lambda ex: setattr(panels_of(ex).box, "selected_index", 1),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_what_a_page_sends(
    ex: cw.Explorer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    find, send = PAGES[name]
    holder, attribute = find(ex)
    with monkeypatch.context() as patch:
        patch.setattr(holder, attribute, boom)
        send(ex)
    assert boomed(caplog) == 1
    assert SAID in view_of(ex).error
    ex.compare = None
    ex.wait(60)
    goes_on(ex)


def test_an_observer_of_somebodys(ex: cw.Explorer, caplog: pytest.LogCaptureFixture) -> None:
    for name, state in (
        ("fraction", {"fraction": 0.5}),
        ("mask", {}),
        ("explanation", {"method": "layercam"}),
    ):
        caplog.clear()
        ex.observe(boom, name)
        if state:
            sets(ex, **state)
        else:
            parts_of(ex).context.traits.publish("mask", np.ones((16, 16), bool))
        ex.wait(60)
        ex.unobserve(boom, name)
        assert boomed(caplog) == 1, name
        assert "Boom: <b>nobody</b> expects this" in view_of(ex).error
        assert "its traceback is" in view_of(ex).error
    ex.mask = None
    goes_on(ex)


def test_a_slider_that_fails_a_thousand_times_is_logged_once(
    ex: cw.Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    ex.observe(boom, "fraction")
    for number in range(1000):
        view_of(ex).error = ""
        sets(ex, fraction=(number + 1) / 1000)
        assert SAID in view_of(ex).error
    assert boomed(caplog) == 1
    ex.unobserve(boom, "fraction")
    goes_on(ex)


# -- on the worker ---------------------------------------------------------------------------


JOBS: dict[str, tuple[Callable[[cw.Explorer], tuple[Any, str, Any]], dict[str, Any]]] = {
    "map": (lambda ex: (ModelCache, "growing", growing_boom), {"method": "layercam"}),
    "grow": (lambda ex: (ModelCache, "growing", growing_boom), {"method": "occlusion"}),
    "mask": (lambda ex: (map_controller, "mask_shown_picture", boom), {"fraction": 0.5}),
    "curve": (lambda ex: (map_controller, "refine_curve", boom), {"mode": "keep"}),
    "code": (lambda ex: (parts_of(ex).writer, "code", boom), {"baseline": "mean"}),
    "layer maps": (lambda ex: (ModelCache, "layer_maps", growing_boom), {"method": "layercam"}),
    "idle": (lambda ex: (worker_of(ex), "_on_idle", boom), {"fraction": 0.5}),
}


@pytest.mark.parametrize("name", JOBS)
def test_what_the_worker_does(
    ex: cw.Explorer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    find, traits = JOBS[name]
    with monkeypatch.context() as patch:
        patch.setattr(*find(ex))
        for trait, value in traits.items():
            setattr(ex, trait, value)
        ex.wait(60)
    assert boomed(caplog) == 1
    assert SAID in view_of(ex).error
    ex.mode = "remove"
    ex.wait(60)
    goes_on(ex)


@pytest.mark.parametrize("name", ["resolve", "mask_shown_picture", "refine_curve"])
def test_what_is_compared(
    ex: cw.Explorer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    ex.fraction = 0.5
    ex.wait(60)
    holder = compared_map_role if name == "resolve" else map_controller
    with monkeypatch.context() as patch:
        patch.setattr(holder, name, boom)
        ex.compare = {"method": "layercam"}
        ex.wait(60)
    assert boomed(caplog) == 1
    assert SAID in view_of(ex).compared_status["error"] and view_of(ex).error == ""
    ex.compare = {"method": "gradcam++"}
    ex.wait(60)
    assert ex.other.method == "gradcam++" and view_of(ex).compared_status == {}
    goes_on(ex)


def test_that_an_error_cannot_be_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Such as of a display that is gone: both are logged, and the worker goes on."""

    def job() -> None:
        raise RuntimeError("first")

    worker = Worker(("one",), boom)
    worker.submit("one", job)
    assert worker.wait(60)
    kinds = [r.exc_info[0] for r in caplog.records if r.exc_info]
    assert kinds == [RuntimeError, Boom]
    done: list[int] = []
    worker.submit("one", lambda: done.append(1))
    assert worker.wait(60) and done == [1]
    worker.close()


# -- the panels ------------------------------------------------------------------------------


def test_the_contact_sheet(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    explanation = ModelCache.explanation

    def partly(
        self: ModelCache, picture: Any, target: Any, method: Any, *where: Any, **options: Any
    ) -> Any:
        made = boom if method.name == "layercam" else explanation
        return made(self, picture, target, method, *where, **options)

    with monkeypatch.context() as patch:
        patch.setattr(ModelCache, "explanation", partly)
        panels_of(ex).box.selected_index = 2
        ex.wait(60)
    sheet = panels_of(ex).sheet
    assert sheet is not None and boomed(caplog) == 1, "once, of all its classes"
    assert "There is no map by LayerCAM for " in sheet.message.value
    assert "&lt;b&gt;nobody" in sheet.message.value and "<b>" not in sheet.message.value
    with monkeypatch.context() as patch:
        patch.setattr(sheet.canvas, "_on_click", boom)
        mouse(sheet.canvas.canvas)
    assert boomed(caplog) == 2 and "An unexpected error (Boom" in sheet.message.value
    goes_on(ex)
    assert sheet.message.value == ""
    assert not [cell for cell, tile in sheet.tiles.items() if tile is None]


def test_the_scores(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    panels_of(ex).box.selected_index = 1
    panel = panels_of(ex).evaluate
    assert panel is not None
    panel.table.chosen_methods, panel.table.chosen_metrics = ["gradcam"], ["complexity"]
    for holder, name, said in (
        (evaluate, "score_methods", lambda: panel.table.message),
        (scoring, "case_of", lambda: panel.table.rows[0]["cells"][0]["note"]),
        (panel, "start", lambda: panel.table.message),
    ):
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(holder, name, boom)
            send_from_page(panel.table, {"type": "start"}, [])
            ex.wait(60)
        assert boomed(caplog) == 1, name
        assert SAID in said(), name
    send_from_page(panel.table, {"type": "start"}, [])
    ex.wait(60)
    assert len(panel.scores) == 1 and not panel.table.wrong
    goes_on(ex)


def test_the_picture_that_is_drawn(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    panel = DeepVisPanel(net(), steps=4)
    for name in ("_objective", "_steps"):
        caplog.clear()
        with monkeypatch.context() as patch:
            patch.setattr(panel, name, growing_boom if name == "_steps" else boom)
            panel.button.click()
            panel.wait(60)
        assert boomed(caplog) == 1, name
        assert "nobody&lt;/b&gt; expects this); its traceback is " in panel.message.value
        assert panel.button.description == "Start"
    panel.button.click()
    assert panel.wait(60).visualization is not None
    panel.close()


def test_a_quiz(caplog: pytest.LogCaptureFixture) -> None:
    def fine() -> cw.Question:
        return cw.Question("?", [(PICTURES[0], "")], ["a", "b"])

    quiz = cw.Quiz([boom, fine]).wait(60)
    assert boomed(caplog) == 1
    assert SAID in quiz.cards[0]["error"] and quiz.cards[1]["error"] == ""
    quiz.observe(boom, "number")
    receive(quiz, {"content": {"data": {"method": "update", "state": {"number": 1}}}})
    assert boomed(caplog) == 2
    assert quiz.answer(0) is None
    quiz.close()

    def interrupted() -> cw.Question:
        raise KeyboardInterrupt

    quiz = cw.Quiz([fine, interrupted, fine]).wait(60)
    assert [bool(card["error"]) for card in quiz.cards] == [False, True, True]
    assert caplog.records[-1].exc_info[0] is KeyboardInterrupt
    quiz.close()


def test_an_interrupt_reaches_the_others(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[str] = []
    interrupts = Interrupts(lambda: None)
    works = [
        interrupts.canceling(cancel, iter("ab"))
        for cancel in (boom, lambda: heard.append("second"))
    ]
    for work in works:
        next(work)
    interrupts._cancel()
    assert heard == ["second"] and boomed(caplog) == 1


def test_a_model_that_fails_is_known_and_its_traceback_is_a_detail(
    ex: cw.Explorer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "camwidget")
    hook = ex.model.module.register_forward_pre_hook(boom)
    ex.picture = 1
    ex.wait(60)
    hook.remove()
    assert (
        "fails on inputs of shape" in view_of(ex).error and "its traceback" not in view_of(ex).error
    )
    details = [r for r in caplog.records if r.levelno == logging.DEBUG and r.exc_info]
    assert any(isinstance(r.exc_info[1].__cause__, Boom) for r in details)
    ex.picture = 2
    ex.wait(60)
    goes_on(ex)
