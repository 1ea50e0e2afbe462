"""The panel "Where did you look?": paint against maps and the truth, undo, state, other pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest
from explorer_internals import panels_of, view_of

import camwidget as cw
from camwidget.analysis.human_attention import TRUTH, compare_marks
from camwidget.images.ground_truth import fit_mask
from camwidget.masking.user_mask import encode
from camwidget.widget.panels.where_did_you_look import WherePanel
from camwidget.widget.state.history import History

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def opened(textures: cw.VisionModel) -> Iterator[tuple[cw.Explorer, WherePanel]]:
    explorer = cw.Explorer(textures, cw.zoo.samples("zoo/textures")[:2]).wait()
    panels = panels_of(explorer)
    titles = list(panels.box.titles)
    (at,) = (k for k, title in enumerate(titles) if title.startswith("Where did you look?"))
    panels.box.selected_index = at
    explorer.wait()
    panel = panels.where
    assert panel is not None
    yield explorer, panel
    explorer.close()


def test_paint_is_compared_with_every_map_and_the_truth(
    opened: tuple[cw.Explorer, WherePanel],
    textures: cw.VisionModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(History, "PAUSE", 0.0)  # each change of the mask is a step, however quick
    explorer, panel = opened
    assert panel.correlations.empty and "Mark it with the brush" in panel.message.value
    sample = cw.zoo.samples("zoo/textures")[0]
    target = explorer.target
    truth = fit_mask(sample.evidence(target), textures.preprocess)
    explorer.mask = np.where(truth, -1, 0)  # kept
    explorer.wait()
    found = panel.correlations["rank correlation"]
    assert found.index[0] == TRUTH and found[TRUTH] == pytest.approx(1)
    assert {"Grad-CAM", "LayerCAM", "Random"} <= set(found.index)
    explained = cw.explain(textures, sample.image, target)
    expected = compare_marks(truth, {"x": explained.saliency})["x"]
    assert found["Grad-CAM"] == pytest.approx(expected, abs=1e-6)
    assert "share the average" in panel.message.value and "Grad-CAM" in panel.table.value
    # Hidden counts like kept; undo and state are those of the paint.
    state = explorer.state
    explorer.mask = truth[::-1, ::-1].copy()
    explorer.wait()
    assert panel.correlations["rank correlation"][TRUTH] < 0.9
    explorer.undo()
    explorer.wait()
    assert panel.correlations["rank correlation"][TRUTH] == pytest.approx(1)
    explorer.mask = None
    explorer.wait()
    assert panel.correlations.empty
    explorer.state = state
    explorer.wait()
    assert panel.correlations["rank correlation"][TRUTH] == pytest.approx(1)
    assert "mask" in explorer.code


@pytest.mark.full
def test_other_pictures_classes_and_strokes(opened: tuple[cw.Explorer, WherePanel]) -> None:
    explorer, panel = opened
    view = view_of(explorer)
    shape = explorer.explanation.saliency.shape
    marks = np.zeros(shape, np.int8)
    marks[: shape[0] // 2] = 1
    view.paint = {"scene": view.scene["id"], "runs": encode(marks), "stroke": 1, "painting": False}
    explorer.wait()
    first = panel.correlations.copy()
    assert len(first) > 5
    explorer.target = "zigzagged"
    explorer.wait()
    assert not panel.correlations.loc["Grad-CAM"].equals(first.loc["Grad-CAM"])
    explorer.picture = 1
    explorer.wait()
    assert panel.correlations.empty, "each picture has its own paint"
    explorer.picture = 0
    explorer.mask = np.ones(shape, bool)
    explorer.wait()
    assert all(map(math.isnan, panel.correlations["rank correlation"])), "all marked says nothing"
    assert "nan" not in panel.table.value
    panel.close()
    explorer.mask = None
    explorer.wait()
