"""Every state of an explorer as a dict that restores it, and every one before by undo and redo; without a browser."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from explorer_internals import display_of, parts_of, send_from_page, view_of, worker_of
from prompt_models import caption_model, question_model, squares
from waiting import until

import camwidget as cw
from camwidget import zoo
from camwidget.errors import ModelError, StateError
from camwidget.widget.state import history
from camwidget.widget.state.explorer_state import STATE_KEYS

pytestmark = pytest.mark.usefixtures("one_thread")

SAMPLES = zoo.samples("zoo/textures")[:4]


@pytest.fixture
def ex(textures: cw.VisionModel) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, SAMPLES).wait(60)
    yield explorer
    explorer.close()


#: Traits of the view that tell what is on the screen, beside the map's own.
SHOWN = (
    *("target", "rows", "masked", "method", "layer", "mode", "baseline", "fraction", "picture"),
    *("opacity", "overlay", "cells", "colormap", "outlines", "boxes", "class_names", "prompt"),
    *("sentence", "busy", "pending", "partial", "error", "class_probe", "code"),
)


def shown(explorer: cw.Explorer) -> dict[str, Any]:
    """All that is on the screen but how long it took, and the pictures' own numbers."""
    view = view_of(explorer)
    kept = {name: getattr(view, name) for name in SHOWN}
    wire = {k: v for k, v in view.explanation.items() if k != "scene"}
    chart = display_of(explorer).chart
    curve = None if explorer.curve is None else explorer.curve.probability.round(3).tolist()
    status = view.status.rpartition(" · ")[2]
    box = {k: v for k, v in view.box.items() if k != "scene"}
    mark = chart.position_line
    drawn = (
        chart.target_line.visible,
        mark.visible and float(mark.x[0]),
        chart.position_dot.y.tolist(),
    )
    more = {
        "pixels": view.scene["picture"],
        "curve": curve,
        "status": status,
        "box": box,
        "chart": drawn,
    }
    return {**kept, **wire, **more}


def say(explorer: cw.Explorer, kind: str) -> None:
    send_from_page(view_of(explorer), {"type": kind}, [])
    explorer.wait(30)


# -- back and forth -------------------------------------------------------------------------


def walk(ex: cw.Explorer) -> list[dict[str, Any]]:
    """A way through the explorer, from the browser and from Python; what was on the screen after each step."""
    view = view_of(ex)
    seen = [shown(ex)]
    steps: list[Callable[[], Any]] = [
        lambda: setattr(view, "picture", 2),
        lambda: setattr(ex, "method", "cam"),
        lambda: setattr(view, "method", "gradcam++"),
        lambda: setattr(view, "layer", "stage3"),
        lambda: setattr(view, "target", 3),
        lambda: setattr(view, "fraction", 0.25),
        lambda: setattr(view, "mode", "keep"),
        lambda: setattr(ex, "baseline", "mean"),
        lambda: setattr(view, "opacity", 0.3),
        lambda: setattr(view, "boxes", True),
        lambda: setattr(ex, "mode", "multiply"),
        lambda: setattr(ex, "picture", 1),
    ]
    for step in steps:
        step()
        ex.wait(30)
        seen.append(shown(ex))
    return seen


@pytest.mark.full
def test_every_state_is_reached_again(ex: cw.Explorer) -> None:
    assert not ex.can_undo and not ex.can_redo and not view_of(ex).can_undo
    seen = walk(ex)
    assert ex.can_undo and view_of(ex).can_undo and not view_of(ex).can_redo
    back = [shown(ex)]
    while ex.can_undo:
        say(ex, "undo")
        back.append(shown(ex))
    assert back == seen[::-1], "each step is one, and brings all of its screen back"
    ex.undo()
    ex.wait(30)
    assert shown(ex) == seen[0] and ex.can_redo and view_of(ex).can_redo, (
        "beyond it there is nothing"
    )
    forth = [shown(ex)]
    while ex.can_redo:
        say(ex, "redo")
        forth.append(shown(ex))
    assert forth == seen
    ex.redo()
    ex.wait(30)
    assert shown(ex) == seen[-1]


def test_a_change_takes_what_was_undone_away(ex: cw.Explorer) -> None:
    first = ex.state
    ex.method = "cam"
    ex.wait(30)
    ex.undo()
    ex.wait(30)
    assert ex.state == first and ex.can_redo
    ex.fraction = 0.5
    assert not ex.can_redo and not view_of(ex).can_redo
    ex.undo()
    assert ex.state == first


def test_what_a_picture_brings_belongs_to_its_step(ex: cw.Explorer) -> None:
    own = ex.target
    ex.target = "lined"
    ex.wait(30)
    ex.picture = 2
    ex.wait(30)
    other = ex.target
    assert other != "lined"
    ex.undo()
    ex.wait(30)
    assert (ex.picture, ex.target) == (0, "lined")
    ex.undo()
    ex.wait(30)
    assert (ex.picture, ex.target) == (0, own) and not ex.can_undo
    ex.redo()
    ex.redo()
    ex.wait(30)
    assert (ex.picture, ex.target) == (2, other) and not ex.can_redo


def test_a_drag_is_one_step_and_nothing_is_none(ex: cw.Explorer) -> None:
    for i in range(30):
        view_of(ex).fraction = i / 100
        view_of(ex).opacity = 0.65  # is what it was
    ex.wait(30)
    ex.undo()
    assert ex.fraction == 0 and not ex.can_undo
    for value in (0.2, 0.4, 0.0):
        ex.fraction = value
    assert not ex.can_undo, "there and back"
    ex.fraction, view_of(ex).opacity, ex.fraction = 0.2, 0.5, 0.4
    ex.undo()
    assert (ex.fraction, view_of(ex).opacity) == (0.2, 0.5), "another trait between: another step"
    parts_of(ex).history.PAUSE = 0.0
    ex.fraction = 0.7
    ex.fraction = 0.8
    ex.undo()
    assert ex.fraction == 0.7, "after a pause it is another step"


def test_steps_are_bounded(ex: cw.Explorer) -> None:
    parts_of(ex).history.PAUSE, parts_of(ex).history.LENGTH = 0.0, 5
    for i in range(1, 10):
        ex.fraction = i / 10
    while ex.can_undo:
        ex.undo()
    assert ex.fraction == 0.4


def test_a_map_of_the_contact_sheet_is_one_step(ex: cw.Explorer) -> None:
    before = ex.state
    parts_of(ex).events.pick_map("gradcam++", 4)
    ex.wait(30)
    assert (ex.method, ex.explanation.target.index) == ("gradcam++", 4)
    ex.undo()
    ex.wait(30)
    assert ex.state == before and not ex.can_undo


def test_a_class_found_by_a_click_is_a_step(ex: cw.Explorer) -> None:
    before = ex.state
    ys, xs = np.nonzero(SAMPLES[0].masks[1])
    pixel = {"type": "pick", "x": int(np.median(xs)), "y": int(np.median(ys))}
    send_from_page(view_of(ex), pixel, [])
    ex.wait(30)
    assert ex.target != before["target"] and ex.can_undo
    ex.undo()
    ex.wait(30)
    assert ex.state == before


def test_an_added_picture_can_be_left(ex: cw.Explorer) -> None:
    before = ex.state
    ex.add(SAMPLES[1].image, "mine")
    ex.wait(30)
    ex.undo()
    ex.wait(30)
    assert ex.state == before and len(ex.pictures) == 5
    ex.redo()
    ex.wait(30)
    assert ex.picture == 4


# -- maps that come to nothing --------------------------------------------------------------


@pytest.fixture
def slow() -> Iterator[tuple[cw.Explorer, dict[str, Any]]]:
    model = cw.load(device="cpu")
    gate: dict[str, Any] = {"pause": 0.0, "fail": None}

    def hold(*_: object) -> None:
        time.sleep(gate["pause"])
        if gate["fail"] is not None:
            raise gate["fail"]

    model.module.register_forward_pre_hook(hold)
    explorer = cw.Explorer(model, SAMPLES).wait(60)
    yield explorer, gate
    gate.update(pause=0.0, fail=None)
    explorer.close()


def test_a_map_that_fails_is_no_step(slow: tuple[cw.Explorer, dict[str, Any]]) -> None:
    ex, gate = slow
    ex.method = "cam"
    ex.wait(30)
    ex.undo()
    ex.wait(30)
    before = ex.state
    gate["fail"] = ModelError("not now")
    ex.picture = 1
    ex.wait(30)
    assert "not now" in view_of(ex).error and ex.state == before
    assert not ex.can_undo and ex.can_redo, "what had been undone is still there"
    gate["fail"] = None
    ex.redo()
    ex.wait(30)
    assert ex.method == "cam" and ex.picture == 0


def test_a_canceled_map_is_no_step_but_what_was_done_meanwhile_is(
    slow: tuple[cw.Explorer, dict[str, Any]],
) -> None:
    ex, gate = slow
    before = ex.state
    gate["pause"] = 0.02
    ex.method = "rise"
    until(lambda: view_of(ex).progress > 0)
    view_of(ex).opacity = 0.2
    ex.cancel()
    gate["pause"] = 0.0
    ex.wait(30)
    assert ex.state == {**before, "opacity": 0.2}
    ex.undo()
    ex.wait(30)
    assert ex.state == before and not ex.can_undo


def test_undo_gives_a_slow_map_up(slow: tuple[cw.Explorer, dict[str, Any]]) -> None:
    ex, gate = slow
    before, screen = ex.state, shown(ex)
    gate["pause"] = 0.02
    ex.method = "rise"
    until(lambda: view_of(ex).progress > 0)
    ex.undo()
    gate["pause"] = 0.0
    ex.wait(30)
    assert ex.state == before and shown(ex) == screen
    assert ex.explanation.method == "gradcam" and not view_of(ex).can_cancel
    assert ex.can_redo, "it can be asked for again"


def test_a_failing_way_back_leaves_all_as_it_is(slow: tuple[cw.Explorer, dict[str, Any]]) -> None:
    ex, gate = slow
    ex.layer = "stage2"  # of another pass
    ex.wait(30)
    for number in (1, 2, 3):  # so that the first picture's passes are forgotten
        ex.picture = number
        ex.wait(30)
    before, steps = ex.state, len(parts_of(ex).history.past)
    parts_of(ex).context.prompt.base._traces._values.clear()
    parts_of(ex).context.prompt.base._explanations._values.clear()
    gate["fail"] = ModelError("not now")
    ex.undo()
    ex.wait(30)
    assert "not now" in view_of(ex).error and ex.state == before
    assert len(parts_of(ex).history.past) == steps and not ex.can_redo


# -- the state as a dict --------------------------------------------------------------------


def test_the_state_is_json_and_restores_in_another_explorer(
    ex: cw.Explorer, textures: cw.VisionModel
) -> None:
    ex.picture, ex.target, ex.method, ex.layer = 2, 3, "gradcam++", "stage3"
    ex.mode, ex.baseline, ex.fraction, ex.boxes = "keep", "mean", 0.25, True
    view_of(ex).opacity, view_of(ex).colormap, view_of(ex).cells = 0.3, "viridis", True
    ex.wait(30)
    text = json.dumps(ex.state)
    assert len(text) < 500
    other = cw.Explorer(textures, SAMPLES).wait(60)
    other.state = json.loads(text)
    other.wait(30)
    assert other.state == ex.state and shown(other) == shown(ex)
    other.undo()
    other.wait(30)
    assert other.picture == 0 and not other.can_undo, "one step"
    other.close()


def test_it_says_what_is_asked_for_before_it_is_there(ex: cw.Explorer) -> None:
    with parts_of(ex).requests.main.lock:  # nothing is finished meanwhile
        ex.picture = 2
        assert ex.state["picture"] == 2 and ex.state["target"] is None
    ex.wait(30)
    assert ex.state["target"] == ex.target


def test_one_map_is_asked_for_also_through_an_invalid_pair(ex: cw.Explorer) -> None:
    ex.method = "cam"
    ex.wait(30)
    heard: list[str] = []
    ex.observe(lambda change: heard.append(change["new"].title), "explanation")
    messages: list[str] = []
    view_of(ex).observe(lambda change: messages.append(change["new"]), "status")
    # CAM is only at the last layer: neither of the two can change alone first.
    deep = {
        "picture": 1,
        "target": "lined",
        "method": "gradcam",
        "layer": "stage2",
        "fraction": 0.5,
    }
    ex.state = deep
    ex.wait(30)
    assert heard == ["Grad-CAM · stage2 · lined"] and len(messages) == 1
    assert {k: ex.state[k] for k in deep} == deep and len(view_of(ex).masked) == 6
    ex.state = {"layer": "stage4", "method": "cam"}
    ex.wait(30)
    assert heard[1:] == ["CAM · stage4 · lined"] and ex.picture == 1 and ex.fraction == 0.5
    ex.state = {"mode": "keep", "opacity": 0.1}
    ex.wait(30)
    assert len(heard) == 2 and ex.curve.mode == "keep" and view_of(ex).opacity == 0.1
    ex.state = {}
    ex.state = ex.state
    assert len(parts_of(ex).history.past) == 4, "nothing else is a step"


WRONG = [
    ({"piture": 1}, "piture"),
    ([("picture", 1)], "dict"),
    ({"picture": 4}, r"state\['picture'\].*no picture 4"),
    ({"picture": "1"}, r"state\['picture'\]"),
    ({"picture": True}, r"state\['picture'\]"),
    ({"target": "corduroy"}, r"state\['target'\].*corduroy"),
    ({"target": [1]}, r"state\['target'\]"),
    ({"method": "magic"}, r"state\['method'\].*magic"),
    ({"method": None}, r"state\['method'\]"),
    ({"layer": "stage9"}, r"state\['layer'\].*stage9"),
    ({"layer": 3}, r"state\['layer'\]"),
    ({"method": "cam", "layer": "stage2"}, r"state\['method'\].*does not apply"),
    ({"method": "gradcam", "layer": ""}, r"state\['layer'\]"),
    ({"fraction": 1.5}, r"state\['fraction'\].*between 0 and 1"),
    ({"fraction": float("nan")}, r"state\['fraction'\]"),
    ({"mode": "hide"}, r"state\['mode'\]"),
    ({"baseline": "noise"}, r"state\['baseline'\]"),
    ({"text": "what?"}, r"state\['text'\].*takes no text"),
    ({"outlines": "yes"}, r"state\['outlines'\]"),
    ({"opacity": 2}, r"state\['opacity'\]"),
    ({"opacity": "0.5"}, r"state\['opacity'\]"),
    ({"colormap": "jet"}, r"state\['colormap'\].*inferno"),
    ({"overlay": 1}, r"state\['overlay'\]"),
    ({"text": None}, r"state\['text'\].*takes no text"),
    ({"mask": {"shape": 5, "runs": []}}, r"state\['mask'\]"),
    ({"mask": [[1, 0], [1]]}, r"state\['mask'\].*\(H, W\)"),
]  # fmt: skip


def test_a_wrong_state_is_named_and_changes_nothing(ex: cw.Explorer) -> None:
    before, screen = ex.state, shown(ex)
    for wrong, message in WRONG:
        with pytest.raises(StateError, match=message):
            ex.state = {"fraction": 0.3, **wrong} if isinstance(wrong, dict) else wrong
        ex.wait(30)
        assert ex.state == before and shown(ex) == screen, wrong
    assert not ex.can_undo
    ex.layer = "stage2"
    ex.wait(30)
    with pytest.raises(StateError, match=r"state\['method'\].*CAM does not apply"):
        ex.state = {"method": "cam"}


def test_a_part_can_have_another_form_in_json(
    textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a mask of many pixels has."""
    kept: dict[str, Any] = {"grid": None}

    def apply(explorer: cw.Explorer, name: str, value: Any) -> None:
        kept["grid"] = value

    part = type(STATE_KEYS["mode"])(
        "grid",
        read=lambda explorer, name: kept["grid"],
        apply=apply,
        check=lambda explorer, name, value: value,
        default=lambda explorer, name: None,
        to_json=lambda value: None if value is None else value.tolist(),
        from_json=lambda value: None if value is None else np.array(value, np.int8),
    )
    monkeypatch.setitem(STATE_KEYS, "grid", part)
    ex = cw.Explorer(textures, SAMPLES).wait(60)
    ex.state = {"grid": [[1, 0], [0, -1]]}
    assert kept["grid"].dtype == np.int8 and ex.state["grid"] == [[1, 0], [0, -1]]
    assert 'ex.state = {"grid": [[1, 0], [0, -1]]}' in ex.code
    ex.undo()
    assert kept["grid"] is None
    with pytest.raises(StateError, match=r"state\['grid'\]"):
        ex.state = {"grid": [["x"]]}
    ex.close()


def test_without_pictures_there_is_a_state_too(textures: cw.VisionModel) -> None:
    ex = cw.Explorer(textures, []).wait(30)
    ex.state = {"fraction": 0.4, "layer": "stage3"}
    with pytest.raises(StateError, match="picture"):
        ex.state = {"picture": 1}
    with pytest.raises(StateError, match=r"state\['mask'\].*no picture to paint on"):
        ex.state = {"fraction": 0.5, "mask": {"shape": [192, 192], "runs": [1, 9]}}
    assert json.loads(json.dumps(ex.state))["fraction"] == 0.4
    ex.undo()
    assert ex.layer == "stage4" and not ex.can_undo
    ex.close()


# -- texts ----------------------------------------------------------------------------------


def test_questions_and_answers_come_back() -> None:
    ex = cw.Explorer(question_model(), [squares("red", "blue"), squares("green")]).wait(30)
    first = shown(ex)
    ex.text = "anything green"
    ex.wait(30)
    second, kept = shown(ex), ex.state
    assert kept["text"] == "anything green" and ex.model.text == "anything green"
    ex.undo()
    ex.wait(30)
    assert shown(ex) == first and not ex.can_undo
    ex.state = kept
    ex.wait(30)
    assert shown(ex) == second
    with pytest.raises(StateError, match=r"state\['text'\].*purple"):
        ex.state = {"text": "anything purple", "picture": 1}
    assert ex.state == kept
    ex.close()


def test_captions_come_back_with_their_words() -> None:
    pictures = [squares("red", "blue"), squares("green")]
    ex = cw.Explorer(caption_model(), pictures).wait(30)
    own = shown(ex)
    parts_of(ex).events.receive(None, {"type": "text", "text": "a green and a red"}, None)
    ex.wait(30)
    ex.target = "red"
    ex.wait(30)
    word, kept = shown(ex), ex.state
    parts_of(ex).events.receive(None, {"type": "propose"}, None)
    ex.wait(30)
    assert ex.text == "a red and a blue"
    ex.picture = 1
    ex.wait(30)
    assert ex.text == "a green"
    for _ in range(2):
        ex.undo()
        ex.wait(30)
    assert shown(ex) == word and ex.state == kept
    for _ in range(2):
        ex.undo()
        ex.wait(30)
    assert shown(ex) == own and not ex.can_undo
    other = cw.Explorer(caption_model(), pictures).wait(30)
    other.state = kept
    other.wait(30)
    assert other.state == kept and other.explanation.target.label == "red"
    np.testing.assert_array_equal(other.explanation.saliency, ex_saliency(ex, kept))
    other.state = {"picture": 1}
    other.wait(30)
    assert other.text == "a green", "a caption is its picture's own"
    for explorer in (ex, other):
        explorer.close()


def ex_saliency(ex: cw.Explorer, kept: dict[str, Any]) -> np.ndarray:
    ex.state = kept
    return ex.wait(30).explanation.saliency


# -- many hands -----------------------------------------------------------------------------


def test_many_hands_end_in_one_state(ex: cw.Explorer) -> None:
    """Threads that set, undo, redo and restore at once: it neither locks nor ends with parts of two states."""
    errors: list[BaseException] = []
    kept = ex.state

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        try:
            for _ in range(40):
                match rng.integers(7):
                    case 0:
                        ex.undo()
                    case 1:
                        ex.redo()
                    case 2:
                        view_of(ex).target = int(rng.integers(10))
                    case 3:
                        view_of(ex).method = ["cam", "gradcam", "gradcam++"][rng.integers(3)]
                    case 4:
                        ex.picture = int(rng.integers(4))
                    case 5:
                        view_of(ex).fraction = float(rng.random())
                    case 6:
                        ex.state = {**kept, "picture": int(rng.integers(4))}
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "locked"
    ex.wait(60)
    assert errors == []
    exp, state = ex.explanation, ex.state
    assert (exp.method, exp.target.label) == (state["method"], state["target"])
    np.testing.assert_array_equal(exp.pixels, SAMPLES[state["picture"]].image)
    assert view_of(ex).picture == state["picture"] and view_of(ex).method == state["method"]
    assert len(parts_of(ex).history.past) <= parts_of(ex).history.LENGTH
    while ex.can_undo:
        ex.undo()
    ex.wait(60)
    assert ex.state == kept


def set_unseen(ex: cw.Explorer, name: str, value: Any) -> None:
    """Set a trait as another thread does whose own request, or step, comes later."""
    with parts_of(ex).context.traits.restoring():
        ex.set_trait(name, value)


def test_what_another_thread_sets_while_undo_restores_is_a_step_of_its_own(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = ex.state
    view_of(ex).opacity = 0.3
    restore = history.restore_state

    def interfered(*args: Any) -> None:
        restore(*args)
        set_unseen(ex, "fraction", 0.3)

    monkeypatch.setattr(history, "restore_state", interfered)
    ex.undo()
    monkeypatch.undo()
    assert ex.fraction == 0.3 and ex.can_undo
    ex.undo()
    assert ex.state == kept and not ex.can_undo


def test_the_map_requested_last_is_the_one_that_the_traits_name(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller = parts_of(ex).requests.main
    request, others = controller.request, [("method", "layercam"), ("picture", 2)]

    def interfered(wanted: Any) -> None:
        if others:
            set_unseen(ex, *others.pop(0))
        request(wanted)

    monkeypatch.setattr(controller, "request", interfered)
    ex.method = "cam"
    ex.wait(60)
    assert not others and (ex.method, ex.picture) == ("layercam", 2)
    assert ex.explanation.method == "layercam"
    np.testing.assert_array_equal(ex.explanation.pixels, SAMPLES[2].image)


def test_an_observer_may_undo(ex: cw.Explorer) -> None:
    """In the worker, while a map is shown."""
    before = ex.state

    def refuse(change: dict[str, Any]) -> None:
        if change["new"].method == "cam":
            ex.undo()

    ex.observe(refuse, "explanation")
    ex.method = "cam"
    until(lambda: ex.explanation.method == "gradcam" and worker_of(ex).idle)
    assert ex.state == before
