"""Two threads change an explorer at once: the second does so at the worst moment of the first, and neither is lost.

Each test brings that moment about: it has the second thread do its part inside of a function that the first one calls.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, parts_of, send_from_page, view_of, worker_of
from torch import nn

import camwidget as cw
from camwidget.masking.user_mask import encode
from camwidget.widget.control import trait_requests
from camwidget.widget.control.endless_requests import RequestLoopGuard
from camwidget.widget.state.history import History

PICTURES = [np.random.default_rng(n).integers(0, 256, (16, 16, 3), np.uint8) for n in range(4)]
CLASSES = ("ant", "bee", "cat", "dog")


class Gated(nn.Module):
    """A small net whose passes wait at a gate, and fail if they are to."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, len(CLASSES))
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()
        self.fails = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.entered.set()
        assert self.gate.wait(60)
        if self.fails:
            raise cw.errors.ModelError("This pass fails.")
        return self.head(self.conv(x).relu().mean((2, 3)))


def made(**values: Any) -> cw.Explorer:
    model = cw.wrap(Gated().eval(), cw.Preprocess(size=16), CLASSES)
    return cw.Explorer(model, PICTURES, **values).wait(60)


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    explorer = made()
    yield explorer
    explorer.model.module.gate.set()
    explorer.close()


def hold(explorer: cw.Explorer) -> Gated:
    """Close the gate; the next pass waits there."""
    module: Gated = explorer.model.module
    module.entered.clear()
    module.gate.clear()
    return module


def meanwhile(work: Callable[[], Any], seconds: float = 60.0) -> threading.Thread:
    """Do something on another thread, and wait until it is done, or as long as that is let."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return thread


def interposed(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, work: Callable[[], Any], **when: Any
) -> list[threading.Thread]:
    """Have another thread do something when a function is called for the first time, before it is.

    Args:
        monkeypatch: pytest's.
        owner: of the function.
        name: of the function.
        work: what the other thread does.
        when: ``seconds`` to wait for it; ``first``, whether the arguments are those meant.
    """
    function, begun = getattr(owner, name), []
    meant = when.get("first", lambda *_, **__: True)

    def call(*args: Any, **kwargs: Any) -> Any:
        if not begun and meant(*args, **kwargs):
            begun.append(None)
            begun[0] = meanwhile(work, when.get("seconds", 60.0))
        return function(*args, **kwargs)

    monkeypatch.setattr(owner, name, call)
    return begun


def choose(explorer: cw.Explorer, **values: Any) -> Callable[[], None]:
    def work() -> None:
        for name, value in values.items():
            setattr(explorer, name, value)

    return work


def another_class(explorer: cw.Explorer) -> str:
    """A class that is not the one shown."""
    return next(name for name in CLASSES if name != explorer.target)


def main_role(explorer: cw.Explorer) -> Any:
    """The role of the main map: asked for the weights when a map is requested."""
    return parts_of(explorer).requests.main._role


def settled(explorer: cw.Explorer) -> dict[str, Any]:
    """The state, once all is computed; what is shown is what the traits name."""
    explorer.wait(60)
    shown, view = explorer.explanation, view_of(explorer)
    assert (shown.method, shown.target.label) == (explorer.method, explorer.target)
    np.testing.assert_array_equal(shown.pixels, PICTURES[explorer.picture])
    assert (view.method, view.picture) == (explorer.method, explorer.picture)
    state: dict[str, Any] = explorer.state
    assert (state["method"], state["target"]) == (explorer.method, explorer.target)
    return state


# -- the map ------------------------------------------------------------------------------------


def test_a_class_chosen_while_a_method_is_stays(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    interposed(monkeypatch, main_role(ex), "state", choose(ex, target="dog"))
    ex.method = "layercam"
    state = settled(ex)
    assert (state["method"], state["target"]) == ("layercam", "dog")


def test_of_two_methods_the_one_requested_last_is_the_trait(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = parts_of(ex).requests
    interposed(monkeypatch, requests, "_change_main", choose(ex, method="hirescam", picture=2))
    ex.method = "layercam"
    state = settled(ex)
    assert (state["method"], state["picture"]) == ("layercam", 2)


def test_what_is_chosen_while_the_map_before_comes_back_stays(ex: cw.Explorer) -> None:
    module = hold(ex)
    ex.picture, ex.method = 1, "occlusion"
    assert module.entered.wait(60)
    done: list[Any] = []

    def choose_method(change: Any) -> None:
        if change["new"] == 0 and not done:
            done.append(meanwhile(choose(ex, method="hirescam")))

    ex.observe(choose_method, "picture")
    canceling = threading.Thread(target=ex.cancel)
    canceling.start()
    canceling.join(60)
    module.gate.set()
    assert done and (settled(ex)["picture"], ex.method) == (0, "hirescam")


def test_a_class_chosen_while_a_state_is_restored(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = parts_of(ex).requests
    interposed(monkeypatch, requests, "publish_two_way", choose(ex, target="dog"))
    ex.state = {"method": "layercam", "picture": 2}
    state = settled(ex)
    assert (state["method"], state["picture"]) == ("layercam", 2)


def test_a_click_does_not_take_the_place_of_a_later_choice(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, view = ex.target, view_of(ex)
    for x in range(16):  # where another class is found
        send_from_page(view, {"type": "pick", "x": x, "y": 5})
        ex.wait(60)
        if ex.target != shown:
            break
    picked = ex.target
    assert picked != shown
    ex.target = shown
    ex.wait(60)
    later = next(name for name in CLASSES if name not in (shown, picked))
    interposed(monkeypatch, main_role(ex), "state", choose(ex, target=later))
    send_from_page(view, {"type": "pick", "x": x, "y": 5})
    assert settled(ex)["target"] == later


def test_a_click_is_a_step_to_undo(ex: cw.Explorer) -> None:
    before = ex.state
    for x in range(16):
        send_from_page(view_of(ex), {"type": "pick", "x": x, "y": 5})
        ex.wait(60)
        if ex.target != before["target"]:
            break
    assert ex.can_undo and settled(ex)["target"] != before["target"]
    ex.undo()
    ex.wait(60)
    assert ex.state == before


def test_the_class_of_the_picture_before_can_be_chosen_at_once(ex: cw.Explorer) -> None:
    """The trait has it still, while the predicted class of the new picture is not known yet."""
    other = another_class(ex)
    ex.target = other
    ex.wait(60)
    module = hold(ex)
    ex.picture = 1
    ex.target = other
    module.gate.set()
    assert (settled(ex)["picture"], ex.target) == (1, other)


@pytest.mark.parametrize("retry", [{"target": None}, {"method": "layercam"}, {"state": {}}])
def test_after_the_first_map_has_failed_a_retry_is_one(retry: dict[str, Any]) -> None:
    module = Gated().eval()
    model = cw.wrap(module, cw.Preprocess(size=16), CLASSES)
    module.fails = True
    explorer = cw.Explorer(model, PICTURES).wait(60)
    assert explorer.explanation is None and "fails" in view_of(explorer).error
    module.fails = False
    choose(explorer, **retry)()
    settled(explorer)
    explorer.close()


def test_the_view_has_the_value_set_last(ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch) -> None:
    interposed(
        monkeypatch,
        display_of(ex),
        "publish",
        choose(ex, fraction=0.75),
        first=lambda **values: "fraction" in values,
    )
    ex.fraction = 0.25
    ex.wait(60)
    assert view_of(ex).fraction == ex.fraction == 0.75


# -- masks and curves -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "second"),
    [({"fraction": 0.0}, {"fraction": 0.5}), ({"mode": "multiply"}, {"mode": "remove"})],
)
def test_of_two_masks_the_one_in_force_is_computed(
    monkeypatch: pytest.MonkeyPatch, first: dict[str, Any], second: dict[str, Any]
) -> None:
    ex = made(
        **{"fraction": 0.25, "mode": "keep", **({} if "mode" in first else {"mode": "remove"})}
    )
    controller = parts_of(ex).requests.main
    mask_of, other = controller._mask, []

    def late(picture: Any) -> Any:
        mask = mask_of(picture)
        if threading.current_thread().name == "first" and not other:
            other.append(meanwhile(choose(ex, **second), 0.5))
        return mask

    monkeypatch.setattr(controller, "_mask", late)
    thread = threading.Thread(target=choose(ex, **first), name="first")
    thread.start()
    thread.join(60)
    other[0].join(60)
    ex.wait(60)
    (name, value), *_ = second.items()
    assert getattr(ex, name) == value and view_of(ex).masked
    assert ex.curve is not None and ex.curve.mode == ex.mode == "remove"
    ex.close()


def test_a_curve_that_comes_late_is_not_published(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    role = main_role(ex)
    interposed(
        monkeypatch,
        role,
        "publish_curve",
        choose(ex, mode="multiply"),
        first=lambda curve: curve is not None,
    )
    ex.baseline = "mean"
    ex.wait(60)
    assert ex.mode == "multiply" and ex.curve is None


def test_of_two_masks_painted_at_once_the_one_stored_is_the_trait(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = np.zeros((16, 16), np.int8), np.zeros((16, 16), np.int8)
    one[:4], two[:8] = 1, 1
    paint = parts_of(ex).paint
    interposed(monkeypatch, paint, "_put", choose(ex, mask=two))
    ex.mask = one
    ex.wait(60)
    np.testing.assert_array_equal(paint.of(ex.pictures[0]), ex.mask)
    assert view_of(ex).paint["runs"] == encode(ex.mask)
    np.testing.assert_array_equal(ex.masked, ex.mask == 1)


# -- the compared map -----------------------------------------------------------------------------


def test_of_two_comparisons_the_one_in_force_is_computed(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = interposed(
        monkeypatch,
        trait_requests,
        "ComparedRequest",
        choose(ex, compare={"method": "hirescam"}),
        seconds=0.5,
    )
    ex.compare = {"method": "layercam"}
    other[0].join(60)
    ex.wait(60)
    assert ex.compare == {"method": ex.other.method} == view_of(ex).compare
    assert ex.compare == {"method": "hirescam"}


def test_a_comparison_begun_while_another_ends_is_published(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ex.compare = {"method": "layercam"}
    ex.wait(60)

    def again() -> None:
        ex.compare = {"method": "hirescam"}
        ex.wait(60)

    interposed(
        monkeypatch,
        parts_of(ex).context.traits,
        "publish",
        again,
        first=lambda name, value: name == "other" and value is None,
    )
    ex.compare = None
    ex.wait(60)
    assert ex.compare == {"method": "hirescam"} and ex.other.method == "hirescam"


# -- observers --------------------------------------------------------------------------------------


def test_observers_that_wait_for_each_other_end(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One, while a state is restored, waits for the worker; one on the worker undoes."""
    monkeypatch.setattr(History, "PATIENCE", 0.1)
    ex.fraction = 0.5
    ex.wait(60)
    module = hold(ex)
    undone: list[Any] = []

    def undo(change: Any) -> None:
        if not undone:
            undone.append(change)
            ex.undo()

    def wait(change: Any) -> None:
        if not worker_of(ex).in_worker:
            module.gate.set()
            ex.wait(60)

    ex.observe(undo, "explanation")
    ex.observe(wait, "method")
    ex.picture = 1
    restoring = meanwhile(choose(ex, state={"method": "layercam"}))
    assert not restoring.is_alive(), "it hangs"
    module.gate.set()
    ex.wait(60)
    assert undone


@pytest.mark.parametrize(
    ("watched", "name", "values"),
    [
        ("target", "target", [None]),
        ("explanation", "method", ["layercam", "hirescam"]),
        ("other", "compare", [{"method": "layercam"}, {"method": "hirescam"}]),
        ("curve", "mode", ["remove", "keep"]),
    ],
)
def test_an_observer_that_feeds_itself_comes_to_an_end(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch, watched: str, name: str, values: list[Any]
) -> None:
    monkeypatch.setattr(RequestLoopGuard, "LIMIT", 5)
    calls: list[Any] = []

    def observer(change: Any) -> None:
        if change["new"] is not None:
            calls.append(change["new"])
            setattr(ex, name, values[len(calls) % len(values)])

    ex.observe(observer, watched)
    ex.compare = {"layer": ex.layer}
    ex.target = another_class(ex)
    ex.wait(60)
    assert 5 <= len(calls) < 200
    assert "traits to the same values 5 times" in view_of(ex).error
    ex.unobserve(observer, watched)
    ex.compare = None
    ex.mode, ex.method, ex.target = "remove", "gradcam", (chosen := another_class(ex))
    assert settled(ex)["target"] == chosen and view_of(ex).error == ""


def test_an_observer_may_go_through_many_pictures(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RequestLoopGuard, "LIMIT", 1)

    def onward(change: Any) -> None:
        if ex.picture + 1 < len(PICTURES):
            ex.picture += 1

    ex.observe(onward, "explanation")
    ex.target = another_class(ex)
    assert settled(ex)["picture"] == len(PICTURES) - 1 and view_of(ex).error == ""
