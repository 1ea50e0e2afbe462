"""Evidence against a class, and for one rather than another, wherever an explorer has its target."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from explorer_internals import panels_of, parts_of, view_of

import camwidget as cw
from camwidget import zoo
from camwidget.errors import MethodError, StateError, TargetError

pytestmark = pytest.mark.usefixtures("one_thread")

AGAINST = {"kind": "against", "other": -1}


@pytest.fixture
def ex(textures: cw.VisionModel) -> Iterator[cw.Explorer]:
    explorer = cw.Explorer(textures, zoo.samples("zoo/textures")[:2]).wait(60)
    yield explorer
    explorer.close()


def names(ex: cw.Explorer) -> tuple[str, str]:
    """The class explained at first, and one that is not listed."""
    listed = [row["name"] for row in view_of(ex).rows]
    return str(ex.target), next(c for c in ex.model.classes if c not in listed)


def test_target_is_a_class_a_counterfactual_or_a_contrast(ex: cw.Explorer) -> None:
    first, far = names(ex)
    index = ex.model.class_index(first)
    image = ex.pictures[0].source
    for target, label, stance in (
        (cw.Counterfactual(index), f"against {first}", AGAINST),
        (
            cw.Contrast(first, far),
            f"{first} rather than {far}",
            {"kind": "rather", "other": ex.model.class_index(far)},
        ),
    ):
        ex.target = target
        ex.wait(60)
        assert ex.explanation.target.label == label
        wanted = cw.explain(ex.model, image, target)
        assert ex.explanation.saliency.tobytes() == wanted.saliency.tobytes()
        assert view_of(ex).target == index and view_of(ex).stance == stance
    assert ex.target == cw.Contrast(first, far), "by names"
    assert far in [row["name"] for row in view_of(ex).rows], "the other class is listed"
    assert ex.model.class_index(far) in ex.curve.others, "and its curve is drawn"
    assert ex.curve.name == first
    ex.target = first
    ex.wait(60)
    assert view_of(ex).stance == {"kind": "for", "other": -1}
    assert ex.explanation.target.label == first


@pytest.mark.parametrize(
    "target",
    [
        lambda first: cw.Contrast(first, first),
        lambda first: cw.Counterfactual("no such class"),
        lambda first: cw.Contrast(first, cw.Counterfactual(first)),
        lambda first: cw.Counterfactual(cw.LogProbability(first)),
    ],
)
def test_target_that_cannot_be_is_refused_and_nothing_is_lost(ex: cw.Explorer, target: Any) -> None:
    first, _ = names(ex)
    shown = ex.explanation
    with pytest.raises(TargetError):
        ex.target = target(first)
    ex.wait(60)
    assert ex.target == first and ex.explanation is shown


def test_sentence_says_what_is_explained(ex: cw.Explorer) -> None:
    first, far = names(ex)
    ex.target = cw.Counterfactual(first)
    ex.fraction = 0.25
    ex.wait(60)
    assert ex.sentence.startswith(f"Removing the 25 % with the most evidence against {first} ")
    assert f" {first} by" not in ex.sentence, "it is named already"
    ex.target = cw.Contrast(first, far)
    ex.wait(60)
    assert f"the most evidence for {first} rather than {far} " in ex.sentence
    assert f" {first} by" in ex.sentence and f"{far} " in ex.sentence.partition(") and ")[2]
    ex.fraction = 0.0
    ex.wait(60)
    assert ex.sentence == (
        "Nothing is removed yet. Drag the slider to take the evidence for "
        f"{first} rather than {far} away."
    )


def test_state_is_json_and_comes_back(ex: cw.Explorer) -> None:
    first, far = names(ex)
    plain = ex.state
    assert plain["target"] == first
    states = []
    for target, wanted in (
        (cw.Counterfactual(first), {"against": first}),
        (cw.Contrast(first, far), {"for": first, "rather_than": far}),
    ):
        ex.target = target
        ex.wait(60)
        states.append(json.loads(json.dumps(ex.state)))
        assert states[-1]["target"] == wanted
    for state, label in zip(
        states, (f"against {first}", f"{first} rather than {far}"), strict=True
    ):
        ex.state = plain
        assert ex.wait(60).explanation.target.label == first
        ex.state = state
        assert ex.wait(60).explanation.target.label == label
        assert ex.state == state
    for wrong in ({"against": "nothing"}, {"for": first, "rather_than": first}, {"why": first}):
        with pytest.raises(StateError, match=r"state\['target'\]"):
            ex.state = {"target": wrong}
        assert ex.state == states[-1]


def test_undo_and_redo(ex: cw.Explorer) -> None:
    first, far = names(ex)
    for target in (cw.Counterfactual(first), cw.Contrast(first, far)):
        ex.target = target
        ex.wait(60)
    ex.undo()
    assert ex.wait(60).target == cw.Counterfactual(first)
    ex.undo()
    assert ex.wait(60).target == first and view_of(ex).stance["kind"] == "for"
    assert not ex.can_undo
    ex.redo()
    ex.redo()
    assert ex.wait(60).target == cw.Contrast(first, far)
    assert ex.explanation.target.label == f"{first} rather than {far}"


@pytest.mark.parametrize("mode", ["remove", "multiply"])
def test_code_computes_the_same(ex: cw.Explorer, mode: str) -> None:
    first, far = names(ex)
    for target in (cw.Counterfactual(first), cw.Contrast(first, far)):
        ex.target, ex.fraction, ex.mode = target, 0.25, mode
        ex.wait(60)
        scope: dict[str, Any] = {}
        exec(compile(ex.code, "<code>", "exec"), scope)
        again = scope["ex"].wait(60)
        try:
            assert again.state == ex.state and again.code == ex.code
            assert scope["exp"].saliency.tobytes() == ex.explanation.saliency.tobytes()
            assert scope["exp"].title == ex.explanation.title
        finally:
            again.close()


def test_figure_names_it(ex: cw.Explorer) -> None:
    first, far = names(ex)
    ex.target = cw.Contrast(first, far)
    figure = ex.figure()
    title = next(axes.get_title() for axes in figure.axes if "Grad-CAM" in axes.get_title())
    assert f"{first} rather than {far}" in " ".join(title.split())


def test_another_class_keeps_the_stance_and_another_picture_does_not(ex: cw.Explorer) -> None:
    first, far = names(ex)
    second = view_of(ex).rows[1]
    ex.target = cw.Counterfactual(first)
    ex.wait(60)
    view_of(ex).set_state({"target": second["index"]})
    assert ex.wait(60).target == cw.Counterfactual(second["name"])
    ex.target = cw.Contrast(second["name"], far)
    ex.wait(60)
    view_of(ex).set_state({"target": ex.model.class_index(far)})
    assert ex.wait(60).target == cw.Contrast(far, second["name"]), "they change places"
    view_of(ex).set_state({"target": ex.model.class_index(first)})
    assert ex.wait(60).target == cw.Contrast(first, second["name"])
    ex.picture = 1
    assert isinstance(ex.wait(60).target, str)
    assert view_of(ex).stance == {"kind": "for", "other": -1}


def test_page_sets_the_stance(ex: cw.Explorer) -> None:
    first, _ = names(ex)
    view_of(ex).set_state({"stance": AGAINST})
    assert ex.wait(60).target == cw.Counterfactual(first)
    second = view_of(ex).rows[1]
    view_of(ex).set_state({"stance": {"kind": "rather", "other": second["index"]}})
    assert ex.wait(60).target == cw.Contrast(first, second["name"])
    for wrong in ({"kind": "rather", "other": 99}, {"kind": 3}, {}, {"kind": "for" * 2}):
        view_of(ex).set_state({"stance": wrong})
        ex.wait(60)
        assert view_of(ex).error and ex.target == cw.Contrast(first, second["name"])
        assert view_of(ex).stance == {"kind": "rather", "other": second["index"]}
    view_of(ex).set_state({"stance": {"kind": "for", "other": -1}})
    assert ex.wait(60).target == first and view_of(ex).error == ""


def test_next_click_is_the_other_class(ex: cw.Explorer) -> None:
    first, _ = names(ex)
    rows = view_of(ex).rows
    at = [row["name"] for row in rows].index(first)
    view_of(ex).set_state({"awaits_rival": True})
    # The same class: words in place, and it goes on waiting.
    parts_of(ex).events.pick_row(at)
    assert "rather than itself" in view_of(ex.wait(60)).error
    assert ex.target == first and view_of(ex).awaits_rival
    parts_of(ex).events.pick_row(1)
    assert ex.wait(60).target == cw.Contrast(first, rows[1]["name"])
    assert not view_of(ex).awaits_rival and view_of(ex).error == ""
    parts_of(ex).events.pick_row(2)
    assert ex.wait(60).target == cw.Contrast(rows[2]["name"], rows[1]["name"]), "it waits no more"
    view_of(ex).set_state({"awaits_rival": True})
    ex.picture = 1
    assert not view_of(ex.wait(60)).awaits_rival


def test_methods_that_say_nothing_of_it_say_why(ex: cw.Explorer) -> None:
    first, far = names(ex)
    methods = {m["name"]: m for m in view_of(ex).methods}
    assert methods["gradcam"]["against"] is methods["gradcam"]["rather"] is None
    assert methods["saliency"]["rather"] is None
    assert "magnitude" in methods["saliency"]["against"]
    for name in ("cam", "finercam", "eigencam", "random", "c-mwp", "excitation-backprop"):
        assert methods[name]["against"] and methods[name]["rather"]
    ex.method = "cam"
    ex.wait(60)
    with pytest.raises(MethodError, match="weights of one class"):
        ex.target = cw.Contrast(first, far)
    with pytest.raises(StateError, match=r"state\['target'\].*weights of one class"):
        ex.state = {"target": {"against": first}}
    view_of(ex).set_state({"stance": AGAINST})
    ex.wait(60)
    assert "weights of one class" in view_of(ex).error
    assert view_of(ex).stance["kind"] == "for" and ex.target == first
    ex.state = {"target": {"against": first}, "method": "gradcam"}
    ex.wait(60)
    with pytest.raises(MethodError, match="same for every class"):
        ex.method = "eigencam"
    assert ex.wait(60).method == "gradcam"


def test_reasons_are_true(textures: cw.VisionModel) -> None:
    """Maps of methods with a reason are equal for and against a class, or refused; the others differ."""
    image = zoo.samples("zoo/textures")[0].image
    name = textures.predict(image).names[0]
    against = cw.Counterfactual(name)
    for method in cw.list_methods():
        if method.slow or method.reason(textures, textures.default_layer) is not None:
            continue
        reason = method.target_reason(against.resolved(textures))
        try:
            maps = [cw.explain(textures, image, t, method).saliency for t in (name, against)]
        except MethodError:
            assert reason is not None, method.name
            continue
        assert (maps[0].tobytes() == maps[1].tobytes()) == (reason is not None), method.name


def test_map_b_is_rather_than_the_class_of_a(ex: cw.Explorer) -> None:
    first, far = names(ex)
    second = view_of(ex).rows[1]["name"]
    ex.compare = {"target": cw.Counterfactual(second)}
    assert ex.compare == {"target": {"against": second}}
    assert ex.wait(60).other.target.label == f"against {second}"
    ex.compare = {"target": {"for": second, "rather_than": None}}
    assert ex.wait(60).other.target.label == f"{second} rather than {first}"
    assert ex.state["compare"] == {"target": {"for": second, "rather_than": None}}
    ex.target = far
    assert ex.wait(60).other.target.label == f"{second} rather than {far}"
    ex.target = second
    ex.wait(60)
    assert ex.other is None and "the same" in view_of(ex).compared_status["error"]
    ex.target = first
    assert ex.wait(60).other.target.label == f"{second} rather than {first}"
    ex.compare = {"target": {"against": None}}
    assert ex.wait(60).other.target.label == f"against {first}"
    assert 0 <= view_of(ex).compared_prediction["target"]["unmasked"] <= 1
    ex.compare = {"method": "layercam"}
    ex.target = cw.Contrast(first, second)
    assert ex.wait(60).other.target.label == f"{first} rather than {second}", "B follows A"
    ex.compare = {"method": "cam"}
    ex.wait(60)
    assert ex.other is None and "weights of one class" in view_of(ex).compared_status["error"]
    with pytest.raises(TargetError):
        ex.compare = {"target": cw.Contrast(second, second)}


def test_contact_sheet_has_the_stance(ex: cw.Explorer) -> None:
    first, _ = names(ex)
    second = view_of(ex).rows[1]
    panels_of(ex).box.selected_index = 2
    ex.wait(60)
    sheet = panels_of(ex).sheet
    assert sheet.plan.caption == "" and "cam" in sheet.plan.methods
    ex.target = cw.Contrast(first, second["name"])
    ex.wait(60)
    plan = sheet.plan
    assert "cam" not in plan.methods and "gradcam" in plan.methods
    assert sheet.caption.value == (
        f"Evidence for each class rather than {second['name']}, and for {second['name']} rather than {first}"
    )
    row, column = plan.methods.index("gradcam"), plan.classes.index(second["index"])
    wanted = cw.explain(ex.model, ex.pictures[0].source, cw.Contrast(second["index"], first))
    np.testing.assert_array_equal(sheet.tiles[row, column], sheet._tile(wanted))
    x, y = sheet.corner(row, column)
    sheet.click(x + 5, y + 5)
    assert ex.wait(60).target == cw.Contrast(second["name"], first)
    ex.target = cw.Counterfactual(first)
    ex.wait(60)
    assert sheet.caption.value == "Evidence against each class"


def test_saved_page_has_it(ex: cw.Explorer, tmp_path: Path) -> None:
    first, far = names(ex)
    ex.target = cw.Contrast(first, far)
    page = cw.save_page(
        ex.model,
        ex.pictures[0].source,
        tmp_path / "own",
        [cw.Contrast(first, far), cw.Counterfactual(first)],
        methods=["gradcam", "cam"],
        layers=["stage4"],
        steps=3,
    )
    assert page.explanation.target.label == f"{first} rather than {far}"
    text = page.path.read_text("utf-8")
    data = json.loads(text.split('id="camwidget-data">', 1)[1].split("</script>", 1)[0])
    rows = [c["index"] for c in data["classes"]]
    one, other = ex.model.class_index(first), ex.model.class_index(far)
    assert other in rows
    assert data["first"]["stance"] == {"kind": "rather", "other": other}
    assert data["contrasts"] == [
        {"target": one, "kind": "rather", "other": other},
        {"target": one, "kind": "against", "other": -1},
    ]
    by_row = {(row, method): grid for row, method, _, grid in data["maps"]}
    cam, gradcam = ([m["name"] for m in data["methods"]].index(name) for name in ("cam", "gradcam"))
    count = len(rows)
    assert (count, gradcam) in by_row and (count + 1, gradcam) in by_row
    assert (count, cam) not in by_row and data["methods"][cam]["rather"]
    assert ex.save(tmp_path / "widget.html", layers=["stage4"], steps=3).exists()
    with pytest.raises(MethodError, match="weights of one class"):
        cw.save_page(ex.model, ex.pictures[0].source, tmp_path / "no", cw.Contrast(0, 1), "cam")
    with pytest.raises(TargetError, match="against itself"):
        cw.save_page(ex.model, ex.pictures[0].source, tmp_path / "no", cw.Contrast(0, 0))
