"""The explorer of models that say where in the picture their classes are: boxes and areas; without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import finding_models
import numpy as np
import pytest
import torch
from explorer_internals import parts_of, view_of
from finding_models import AREAS, NAMES, SIDE, lamps
from saved_page import SavedPage

import camwidget as cw
from camwidget.errors import StateError, TargetError
from camwidget.models.detection_model import DetectionModel
from camwidget.widget.state import page_export
from camwidget.widget.state.history import History
from camwidget.widget.view.findings import FollowedCurve

pytestmark = pytest.mark.usefixtures("one_thread")

TWO = lamps(red=[(1, 4, 0.9), (4, 1, 0.8)], green=[(4, 4, 0.7)])
ONE = lamps(green=[(0, 0, 0.6)])
DARK = lamps()


@pytest.fixture
def boxes() -> Iterator[cw.Explorer]:
    model = cw.wrap(finding_models.Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    explorer = cw.Explorer(
        model, {"two": TWO, "dark": DARK, "one": ONE}, method="layercam", layer="cells.2"
    ).wait(30)
    yield explorer
    explorer.close()


@pytest.fixture
def areas() -> Iterator[cw.Explorer]:
    model = cw.wrap(finding_models.Colors(), cw.Preprocess(SIDE), AREAS, kind="segments")
    explorer = cw.Explorer(
        model, {"two": TWO, "one": ONE}, method="layercam", layer="cells.2"
    ).wait(30)
    yield explorer
    explorer.close()


def listed(explorer: cw.Explorer) -> dict[str, float]:
    return {row["name"]: row["unmasked"] for row in view_of(explorer).rows}


def drawn(explorer: cw.Explorer) -> dict[str, Any]:
    return {one["name"]: one for one in view_of(explorer).found["boxes"]}


def same_map(code: str, values: dict[str, Any]) -> cw.Explanation:
    """The map of the lines of ``ex.code`` after those that show the widget."""
    plain = code[code.index("# The same without the widget") :]
    scope = {"cw": cw, **values}
    exec(plain, scope)
    found = scope["exp"]
    assert isinstance(found, cw.Explanation)
    return found


def test_each_detection_is_a_class(boxes: cw.Explorer) -> None:
    assert listed(boxes) == pytest.approx({"red #0": 0.9, "red #1": 0.8, "green": 0.7}, abs=1e-5)
    assert boxes.target == "red #0" and view_of(boxes).error == ""
    assert {name: one["box"] for name, one in drawn(boxes).items()} == {
        "red #0": [32, 8, 40, 16],
        "red #1": [8, 32, 16, 40],
        "green": [32, 32, 40, 40],
    }
    assert [one["where"] for one in drawn(boxes).values()] == [
        "upper right",
        "lower left",
        "lower right",
    ]
    for name, place in (("red #0", (1, 4)), ("red #1", (4, 1)), ("green", (4, 4))):
        boxes.target = name
        raw = boxes.wait(30).explanation.raw
        assert np.unravel_index(raw.argmax(), raw.shape) == place, name
    plain = same_map(boxes.code, {"model": boxes.models[0], "images": {"two": TWO}})
    assert np.array_equal(plain.raw, boxes.explanation.raw)


def test_a_detection_is_followed_until_it_is_lost(boxes: cw.Explorer) -> None:
    boxes.baseline = "black"
    boxes.fraction = 0.01
    boxes.wait(30)
    view = view_of(boxes)
    assert view.sentence.count("first lost at") == 1
    boxes.fraction = 0.2
    boxes.wait(30)
    curve = boxes.curve
    assert curve is not None
    lost = int(np.flatnonzero(curve.probability < 0.25)[0])
    found, first = (
        f"{share:.0f}" if share >= 1 else f"{share:.1g}"
        for share in 100 * curve.fraction[lost - 1 : lost + 1]
    )
    said = f"It is lost. On the curve: found at {found} %, first lost at {first} %."
    assert view.sentence.endswith(said)
    kept = {one["name"] for one in view.found_masked["boxes"] if not one["lost"]}
    assert "red #0" not in kept and view.masked[0] < 0.25


def test_a_picture_without_detections_is_a_sentence(
    boxes: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History, "PAUSE", 0.0)  # each picture is a step, however quick
    boxes.picture = 1
    boxes.wait(30)
    view = view_of(boxes)
    assert "detects nothing in this picture" in view.sentence and view.error == ""
    assert view.rows == [] and boxes.target is None and view.scene["id"] == boxes.pictures[1].id
    assert view.found.get("boxes", []) == [] and "given" not in boxes.code
    boxes.picture = 2
    assert boxes.wait(30).target == "green"
    assert "detects nothing" not in view.sentence
    boxes.undo()
    assert "detects nothing" in view_of(boxes.wait(30)).sentence
    boxes.undo()
    assert boxes.wait(30).target == "red #0"
    boxes.state = {"picture": 2, "target": "green"}
    assert boxes.wait(30).target == "green"
    with pytest.raises(StateError, match="red #0"):
        boxes.state = {"picture": 2, "target": "red #0"}


def test_only_dark_pictures() -> None:
    model = cw.wrap(finding_models.Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    explorer = cw.Explorer(model, [DARK]).wait(30)
    assert "detects nothing" in explorer.sentence and view_of(explorer).error == ""
    explorer.add(ONE, "one")
    assert explorer.wait(30).target == "green"
    explorer.close()


def test_detections_that_the_model_was_given() -> None:
    model = cw.wrap(finding_models.Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    chosen = model.given(detections=model.detections(TWO)[1])  # type: ignore[attr-defined]
    explorer = cw.Explorer(chosen, [TWO], layer="cells.2").wait(30)
    assert listed(explorer) == pytest.approx({"red": 0.8}, abs=1e-5)
    assert "followed" not in explorer.code
    explorer.close()


def asked(explorer: cw.Explorer) -> tuple[str, float, Any, list[str]]:
    """What is asked, of which detection, and the detections that are listed."""
    explorer.wait(30)
    return explorer.about, explorer.least_score, explorer.target, [*listed(explorer)]


def test_the_curve_of_a_question_says_how_well_its_detection_is_matched(boxes: cw.Explorer) -> None:
    """By score × overlap, which is the score where nothing is masked; the score itself needs no such thing."""
    assert type(boxes.curve) is cw.MaskCurve
    view_of(boxes).about = "class"  # as the browser sets it
    boxes.wait(30)
    assert isinstance(boxes.curve, FollowedCurve)
    assert boxes.curve.matches[0] == pytest.approx(0.9, abs=1e-5)


def test_another_question_and_another_least_score(
    boxes: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(History, "PAUSE", 0.0)  # each change is a step, however quick
    view, three = view_of(boxes), ["red #0", "red #1", "green"]
    assert (view.found["questions"][0], view.found["finds_for_itself"]) == ("score", True)
    boxes.target = "red #1"
    boxes.wait(30)
    lost = view.sentence[view.sentence.index("On the curve") :]
    view.about = "class"  # as the browser sets it
    assert asked(boxes) == ("class", 0.5, "red #1", three)
    assert view.sentence.endswith(lost), "the same map, by another number"
    assert listed(boxes)["red #1"] == pytest.approx(1, abs=1e-5) and view.error == ""
    view.least_score = 0.75
    assert asked(boxes) == ("class", 0.75, "red #1", three[:2])
    boxes.least_score = 0.85  # the one explained is not among them
    assert asked(boxes) == ("class", 0.85, "red", ["red"])
    plain = same_map(boxes.code, {"model": boxes.models[0], "images": {"two": TWO}})
    assert np.array_equal(plain.raw, boxes.explanation.raw)
    kept = boxes.state
    boxes.least_score = 0.95
    assert asked(boxes) == ("class", 0.95, None, [])
    assert "score of 0.95 or more. Lower the least score" in view.sentence
    for expected in (
        ("class", 0.85, "red", ["red"]),
        ("class", 0.75, "red #1", three[:2]),
        ("class", 0.5, "red #1", three),
        ("score", 0.5, "red #1", three),
        ("score", 0.5, "red #0", three),
    ):
        boxes.undo()
        assert asked(boxes) == expected
    boxes.state = kept
    assert asked(boxes) == ("class", 0.85, "red", ["red"])
    boxes.state = {"least_score": 0.5}
    assert asked(boxes) == ("class", 0.5, "red #0", three)
    boxes.picture = 2
    assert asked(boxes) == ("class", 0.5, "green", ["green"])
    boxes.compare = {"picture": 0, "target": "red #1"}
    assert boxes.wait(30).other is not None and boxes.other.target.label == "red #1"
    prediction = view.compared_prediction["target"]["unmasked"]
    assert prediction == pytest.approx(1, abs=1e-5), "B is asked the same"
    # An edge does not depend on the layer: the map before comes back, with its question.
    view.about = "left"
    assert asked(boxes) == ("class", 0.5, "green", ["green"])
    assert "does not depend on layer" in view.error and view.about == "class"
    for name, value in (("about", "middle"), ("least_score", 1.5)):
        with pytest.raises(TargetError):
            setattr(boxes, name, value)
        with pytest.raises(StateError, match=name):
            boxes.state = {name: value}


def test_a_weak_detection_is_not_lost_from_the_beginning() -> None:
    class Dim(finding_models.Lamps):
        """Scores are a fifth of the brightness."""

        def forward(self, x: torch.Tensor) -> list[dict[str, torch.Tensor]]:
            return [{**one, "scores": one["scores"] / 5} for one in super().forward(x)]

    model = cw.wrap(Dim(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    explorer = cw.Explorer(
        model, [TWO], method="layercam", layer="cells.2", least_score=0.1, baseline="black"
    ).wait(30)
    try:
        assert listed(explorer)["red #0"] == pytest.approx(0.18, abs=1e-5)
        assert not any(one["lost"] for one in drawn(explorer).values())
        # Its number is 0.11 where 1 % is removed, more than half of 0.18.
        assert "first lost at 2 %" in view_of(explorer).sentence
        explorer.fraction = 0.2
        explorer.wait(30)
        assert "It is lost." in view_of(explorer).sentence
    finally:
        explorer.close()


def test_a_compared_detection_stays_in_the_history_of_its_picture(
    boxes: cw.Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """B is of a detection that the next picture does not have: undo, state and code must not stumble over it."""
    monkeypatch.setattr(History, "PAUSE", 0.0)
    boxes.compare = {"target": "red #1"}
    assert boxes.wait(30).other is not None and boxes.other.target.label == "red #1"
    boxes.picture = 2
    assert boxes.wait(30).other is not None and boxes.other.target.label == "green"
    boxes.fraction = 0.1
    kept = boxes.wait(30).state
    for picture, other in ((2, "green"), (0, "red #1")):
        boxes.undo()
        assert boxes.wait(30).picture == picture and view_of(boxes).error == ""
        assert boxes.other is not None and boxes.other.target.label == other
    boxes.state = kept
    assert boxes.wait(30).picture == 2 and boxes.state == kept
    with pytest.raises(TargetError, match="no class named 'blue'"):
        boxes.compare = {"target": "blue"}
    with pytest.raises(StateError, match="compare"):
        boxes.state = {"compare": {"nothing": 1}}


def test_an_edge_until_its_box_is_lost(boxes: cw.Explorer, tmp_path: Path) -> None:
    view = view_of(boxes)
    boxes.state = {"method": "center", "about": "left", "baseline": "black"}
    boxes.wait(30)
    assert listed(boxes) == {"green": 32, "red #0": 32, "red #1": 8}
    assert view.quantity == {"unit": "px at the left edge"} and not view.most_probable
    boxes.fraction = 0.9
    boxes.wait(30)
    assert view.error == "" and view.masked[[*listed(boxes)].index("red #0")] is None
    assert "leaves no box that red #0 could be. It is lost. On the curve: " in view.sentence
    curve = boxes.curve
    assert curve is not None and curve.probability[0] == 32 and np.isnan(curve.probability[-1])
    assert boxes.figure().axes
    scope = {"cw": cw, "model": boxes.models[0], "images": {"two": TWO}}
    exec(boxes.code[boxes.code.index("# The same") :], scope)
    assert np.isnan(scope["prediction"].probabilities).any()
    assert np.array_equal(scope["curve"].probability, curve.probability, equal_nan=True)
    data = SavedPage(boxes.save(tmp_path / "page.html", methods=["center"], steps=2)).data
    assert (data["first"]["about"], data["quantity"]) == ("left", {"unit": "px at the left edge"})
    assert data["found"]["questions"] == ["left"]
    boxes.about = "score"
    assert boxes.wait(30).curve.probability[0] == pytest.approx(0.9) and view.quantity == {}


def test_questions_of_models_without_boxes_of_their_own(areas: cw.Explorer) -> None:
    assert "questions" not in view_of(areas).found
    for name, value in (("about", "left"), ("least_score", 0.3)):
        with pytest.raises(TargetError, match="finds no boxes: leave"):
            setattr(areas, name, value)
    model = cw.wrap(finding_models.Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    chosen = model.given(detections=model.detections(TWO)[:2])  # type: ignore[attr-defined]
    explorer = cw.Explorer(chosen, [TWO], layer="cells.2", about="class").wait(30)
    try:
        assert view_of(explorer).found["finds_for_itself"] is False
        assert asked(explorer) == ("class", 0.5, "red #0", ["red #0", "red #1"])
        assert 'asked = model.given(about="class")' in explorer.code
        with pytest.raises(TargetError, match="follows the detections that it was given"):
            explorer.least_score = 0.3
    finally:
        explorer.close()
    strict = cw.Explorer(model, [TWO], layer="cells.2", least_score=0.75).wait(30)
    assert asked(strict) == ("score", 0.75, "red #0", ["red #0", "red #1"])
    strict.close()


def test_segments_are_a_choice_where_there_are_some(areas: cw.Explorer, boxes: cw.Explorer) -> None:
    for explorer, words in ((areas, ["segments"]), (boxes, [])):
        settings = {m["name"]: m["settings"] for m in view_of(explorer).methods}
        for name in ("part-occlusion", "kernelshap"):
            assert settings[name][0]["words"] == words and settings["rise"][0]["words"] == []
    areas.state = {
        "method": "part-occlusion",
        "settings": {"part-occlusion": {"parts": "segments"}},
    }
    assert areas.wait(30).explanation.parts.parts.count == 3 and view_of(areas).error == ""
    assert 'cw.get_method("part-occlusion", parts="segments")' in areas.code


def region(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((SIDE, SIDE), bool)
    mask[rows, columns] = True
    return mask


def test_areas_and_a_region(areas: cw.Explorer) -> None:
    view = view_of(areas)
    found = view.found
    assert found["takes_region"] and found["areas"]["width"] == SIDE
    classes = np.frombuffer(found["areas"]["classes"], "<u2").reshape(SIDE, SIDE)
    assert np.array_equal(classes, areas.models[0].segments(TWO))  # type: ignore[attr-defined]
    assert [one["name"] for one in found["areas"]["labels"]] == list(AREAS)
    assert {one["index"] for one in found["areas"]["labels"]} == {
        int(classes[one["y"], one["x"]]) for one in found["areas"]["labels"]
    }

    asked = region(slice(32, 40), slice(8, 16))
    areas.target = "red"
    before = areas.wait(30).explanation.raw
    areas.region = asked
    after = areas.wait(30).explanation.raw
    assert areas.target == "red" and listed(areas)["red"] > 0.9
    assert np.array_equal(areas.region, asked) and (before > 0).sum() > (after > 0).sum()
    model = areas.models[0].given(region=asked)
    assert np.array_equal(cw.explain(model, TWO, "red", "layercam", layer="cells.2").raw, after)
    plain = same_map(areas.code, {"model": areas.models[0], "images": {"two": TWO}})
    assert np.array_equal(plain.raw, after)

    areas.fraction = 0.1
    areas.baseline = "black"
    areas.wait(30)
    assert "Its area in the region: 100 % →" in view.sentence
    kept = areas.state
    areas.undo()
    areas.undo()
    areas.undo()
    assert areas.wait(30).region is None and np.array_equal(areas.explanation.raw, before)
    areas.state = kept
    assert np.array_equal(areas.wait(30).region, asked)
    assert np.array_equal(areas.explanation.raw, after)


def test_a_region_belongs_to_its_picture(areas: cw.Explorer) -> None:
    asked = region(slice(0, 8), slice(0, 8))
    areas.region = asked
    areas.wait(30)
    areas.picture = 1
    assert areas.wait(30).region is None
    areas.picture = 0
    assert np.array_equal(areas.wait(30).region, asked)


def test_a_region_from_the_browser(areas: cw.Explorer) -> None:
    view = view_of(areas)
    scene = areas.pictures[0].id
    runs = [0, 4 * SIDE, 1, 2 * SIDE]
    view.region = {"scene": scene, "runs": runs, "stroke": 1, "painting": True}
    assert areas.wait(30).region is None, "not before the stroke ends"
    view.region = {"scene": scene, "runs": runs, "stroke": 1, "painting": False}
    assert np.array_equal(areas.wait(30).region, region(slice(4, 6), slice(0, SIDE)))
    assert areas.can_undo
    view.region = {"scene": scene, "runs": [1, 2], "stroke": 2, "painting": False}
    areas.wait(30)
    view.region = {"scene": scene, "runs": [7, 2], "stroke": 3, "painting": False}
    assert "Paint has the values" in view.error or "Encoded" in view.error
    view.region = {"scene": scene, "runs": [], "stroke": 4, "painting": False}
    assert areas.wait(30).region is None, "all is erased: the whole picture"


def test_regions_that_cannot_be(areas: cw.Explorer, boxes: cw.Explorer) -> None:
    with pytest.raises(TargetError, match="no pixel"):
        areas.region = np.zeros((SIDE, SIDE), bool)
    with pytest.raises(TargetError, match="has 8×8 pixels"):
        areas.region = np.ones((8, 8), bool)
    with pytest.raises(TargetError, match="no region"):
        boxes.region = np.ones((SIDE, SIDE), bool)
    with pytest.raises(StateError, match="region"):
        boxes.state = {"region": {"shape": [SIDE, SIDE], "runs": [1, 4]}}
    assert parts_of(areas).context.values.region is None


def test_what_is_found_is_in_page_and_figure(
    boxes: cw.Explorer, areas: cw.Explorer, tmp_path: Path
) -> None:
    for explorer in (boxes, areas):
        page = explorer.save(
            tmp_path / f"{explorer.model.name}.html", methods=["layercam"], steps=2
        )
        found = SavedPage(page).data["found"]
        if explorer is boxes:
            assert [one["name"] for one in found["boxes"]] == ["red #0", "red #1", "green"]
        else:
            assert len(found["areas"]["classes"]) == 2 and not found["boxes"]
        figure = explorer.figure(panels=("map",))
        texts = [text.get_text() for text in figure.axes[0].texts]
        assert ("red #1 0.80" in texts) == (explorer is boxes)


def test_a_page_has_each_pictures_own_detections_unless_some_were_chosen(
    boxes: cw.Explorer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: list[Any] = []

    def save(model: Any, *_: Any, **__: Any) -> Any:
        given.append(model)
        return SimpleNamespace(path=tmp_path)

    monkeypatch.setattr(page_export, "save_page", save)
    boxes.save(tmp_path / "page.html", live=True)
    wrapped = cw.wrap(finding_models.Lamps(), cw.Preprocess(SIDE), NAMES, kind="boxes")
    assert isinstance(wrapped, DetectionModel)
    model = wrapped.given(detections=wrapped.detections(TWO))
    chosen = cw.Explorer(model, TWO, method="layercam", layer="cells.2").wait(30)
    chosen.save(tmp_path / "page.html", live=True)
    chosen.close()
    assert [len(one.detected) for one in given] == [0, 3]
