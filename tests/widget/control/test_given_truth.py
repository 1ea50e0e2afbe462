"""Pictures with their class, and with masks or boxes: what the box, the outlines and the panel make of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import panels_of, view_of

import camwidget as cw
from camwidget import zoo
from camwidget.errors import DataError
from camwidget.widget.control.given_truth import true_class

SAMPLE = zoo.samples("zoo/textures")[0]


def box_of(mask: np.ndarray) -> list[float]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return [float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)]


def scores_of(ex: cw.Explorer, *metrics: str) -> dict[str, Any]:
    panels_of(ex).box.selected_index = 1
    panel = panels_of(ex).evaluate
    assert panel is not None
    panel.table.chosen_methods, panel.table.chosen_metrics = ["gradcam"], list(metrics)
    panel.start()
    ex.wait(60)
    return {metric: panel.scores["gradcam", metric] for metric in metrics}


@pytest.mark.parametrize("label", [SAMPLE.label, SAMPLE.names[0], torch.tensor(SAMPLE.label)])
@pytest.mark.parametrize("as_boxes", [False, True])
def test_the_class_and_its_objects(textures: cw.VisionModel, label: Any, as_boxes: bool) -> None:
    """The panel's top-1 error, the map's box and the outlines are those of ``measure``, by class and place."""
    mask = SAMPLE.masks[0]
    given = np.array([box_of(mask)]) if as_boxes else mask
    ex = cw.Explorer(textures, [(SAMPLE.image, label, given)], boxes=True, outlines=True).wait()
    assert ex.target == SAMPLE.names[0]
    assert view_of(ex).has_ground_truth and len(view_of(ex).ground_truth["objects"]) == 1
    assert "The box overlaps the true one by" in view_of(ex).box["summary"]
    found = scores_of(ex, "top1-localization", "localization")
    where = mask if not as_boxes else np.zeros_like(mask)
    if as_boxes:
        left, top, right, bottom = map(int, box_of(mask))
        where[top:bottom, left:right] = True
    exp = cw.explain(textures, SAMPLE.image)
    wanted = cw.measure(
        textures,
        SAMPLE.image,
        exp,
        ["top1-localization", "localization"],
        mask=where,
        label=SAMPLE.label,
    )
    for name, score in found.items():
        assert score.value == pytest.approx(wanted[name].value), name
    # For another class nothing is known, and it is said whose map is whose.
    ex.target = textures.classes[(SAMPLE.label + 1) % 10]
    ex.wait()
    assert view_of(ex).box["summary"] == ""
    ex.close()


def test_a_sample_knows_its_class(textures: cw.VisionModel) -> None:
    ex = cw.Explorer(textures, [SAMPLE]).wait()
    score = scores_of(ex, "top1-localization")["top1-localization"]
    assert score.value in (0.0, 1.0)
    ex.target = next(name for name in SAMPLE.names if name != SAMPLE.names[0])
    ex.wait()
    score = scores_of(ex, "top1-localization")["top1-localization"]
    assert np.isnan(score.value) and SAMPLE.names[0] in score.note
    ex.close()


def test_a_class_alone(textures: cw.VisionModel) -> None:
    """Rows and pairs: the class is known, the place is not."""
    rows = [{"image": SAMPLE.image, "label": SAMPLE.names[0]}, (SAMPLE.image, "no such class")]
    ex = cw.Explorer(textures, rows).wait()
    first, second = ex.pictures
    assert true_class(first.label, first.truth, textures) == SAMPLE.label
    assert true_class(second.label, second.truth, textures) is None
    assert first.truth is None and not view_of(ex).has_ground_truth
    panels_of(ex).box.selected_index = 1
    panel = panels_of(ex).evaluate
    assert panel is not None
    reasons = {metric["name"]: metric["reason"] for metric in panel.table.metrics}
    assert "where the object is" in reasons["top1-localization"]
    ex.picture = 1
    ex.wait()
    reasons = {metric["name"]: metric["reason"] for metric in panel.table.metrics}
    assert "true class" in reasons["top1-localization"]
    ex.close()


def test_what_cannot_be_is_refused(textures: cw.VisionModel) -> None:
    with pytest.raises(DataError, match="mask > 0"):
        cw.Explorer(textures, [(SAMPLE.image, 0, np.full((192, 192), 7))])
    ex = cw.Explorer(textures, [(SAMPLE.image, 0, np.ones((5, 5), bool))]).wait()
    assert "masks have the height and width of their picture" in view_of(ex).error
    ex.close()
