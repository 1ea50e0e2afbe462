"""The box and the peak of the map shown, and what is said of them where the truth is known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from explorer_internals import view_of
from prompt_models import caption_model, squares

import camwidget as cw
from camwidget.analysis.localizing import best_overlap, localize
from camwidget.errors import CamwidgetError
from camwidget.widget.control.cache import ModelCache
from camwidget.widget.control.map_location import MapLocation

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def ex() -> Iterator[cw.Explorer]:
    model = cw.wrap(
        caption_model().module.eye,
        cw.Preprocess(48),
        ["red", "green", "blue"],
        scores="sigmoid",
        output=lambda out: out.mean((2, 3)),
    )
    sample = squares("red", "blue")
    made = cw.Explorer(model, [sample, sample.image], target="blue").wait(30)
    yield made
    made.close()


def test_it_is_off_at_first_and_both_sides_set_it(ex: cw.Explorer) -> None:
    assert not ex.boxes and not view_of(ex).boxes
    ex.boxes = True
    assert view_of(ex).boxes
    view_of(ex).boxes = False
    assert not ex.boxes


def test_the_box_is_that_of_localize_and_the_peak_hits(ex: cw.Explorer) -> None:
    box, found = view_of(ex).box, localize(ex.explanation)
    assert found is not None
    assert box["box"] == list(found.box) and box["peak"] == [found.peak[1], found.peak[0]]
    assert box["scene"] == ex.pictures[0].id and box["hit"] == "hit"
    overlap = best_overlap(found.box, np.array([[16, 28, 32, 44]]))
    assert overlap > 0.5
    assert box["summary"] == f"The box overlaps the true one by {overlap:.2f}; the peak hits."


def test_the_peak_hits_as_in_the_pointing_game(ex: cw.Explorer) -> None:
    """A cell of a map is coarse: 3 % of the picture beside the object are a hit, as in the table of scores."""
    picture, model = ex.pictures[0], ex.model
    truth = picture.truth
    assert truth is not None
    for off, wanted in ((1, "hit"), (2, "miss")):  # 1.44 pixels of 48
        saliency = np.zeros((48, 48), np.float32)
        saliency[30, 32 - 1 + off] = 1
        moved = replace(ex.explanation, saliency=saliency)
        box = MapLocation().payload(picture, model, model.class_index("blue"), moved)
        score = cw.measure(model, truth, moved, "pointing")["pointing"].value
        assert box["hit"] == wanted and (score == 1) == (wanted == "hit")


def test_its_threshold_is_a_setting(ex: cw.Explorer) -> None:
    first = view_of(ex).box
    ex.boxes, ex.box_threshold = True, 0.9
    found = localize(ex.explanation, 0.9)
    assert found is not None and view_of(ex).box["box"] == list(found.box) != first["box"]
    assert ex.state["box_threshold"] == 0.9
    assert "box_threshold=0.9" in ex.code and "cw.localize(exp, threshold=0.9)" in ex.code
    ex.wait(30)
    ex.target = "red"
    ex.wait(30)
    assert view_of(ex).box["box"] == list(localize(ex.explanation, 0.9).box)  # type: ignore[union-attr]
    ex.target = "blue"
    ex.wait(30)
    view_of(ex).set_state({"box_threshold": 0.15})  # as the page does
    assert ex.box_threshold == 0.15 and view_of(ex).box == first
    ex.wait(30)
    ex.undo()
    ex.wait(30)
    assert ex.box_threshold == 0.9 and view_of(ex).box["box"] == list(found.box)
    for wrong in (0.0, 1.5, float("nan")):
        with pytest.raises(CamwidgetError, match="box_threshold is a number above 0"):
            ex.box_threshold = wrong
        view_of(ex).set_state({"box_threshold": wrong})
        assert view_of(ex).box_threshold == ex.box_threshold == 0.9


def test_a_threshold_set_while_a_map_is_encoded_is_not_lost(
    ex: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    findings = ModelCache.findings

    def set_meanwhile(*args: Any) -> Any:
        ex.box_threshold = 0.9  # the box is encoded by then
        return findings(*args)

    monkeypatch.setattr(ModelCache, "findings", set_meanwhile)
    ex.target = "red"
    ex.wait(30)
    assert view_of(ex).box["box"] == list(localize(ex.explanation, 0.9).box)  # type: ignore[union-attr]


def test_it_follows_the_map(ex: cw.Explorer) -> None:
    first = view_of(ex).box
    told: list[dict] = []
    view_of(ex).observe(lambda change: told.append(change["new"]), "box")
    ex.target = "red"
    ex.wait(30)
    assert len(told) == 1 and told[0]["box"] != first["box"], "from one to the other, with no gap"
    ex.picture = 1
    ex.wait(30)
    assert view_of(ex).box["scene"] == ex.pictures[1].id
    assert (view_of(ex).box["hit"], view_of(ex).box["summary"]) == ("", "")


def test_no_map_no_box(ex: cw.Explorer) -> None:
    ex.target = "green"
    ex.wait(30)
    assert ex.explanation.is_empty and view_of(ex).box == {}


def test_where_the_class_is_not_there_nothing_is_hit(ex: cw.Explorer) -> None:
    ex.method, ex.target = "random", "green"
    ex.wait(30)
    box = view_of(ex).box
    assert len(box["box"]) == 4 and (box["hit"], box["summary"]) == ("", "")
