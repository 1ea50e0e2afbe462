"""The explorer of a model of clips: what the page gets, and what is masked, kept and refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from clip_models import FRAMES, SIDE, clip_model, clips
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetError
from camwidget.widget.state.static_view import explorer_static_view

MODEL = clip_model()
CLIP = clips(1)[0]


@pytest.fixture(scope="module")
def explorer() -> Iterator[cw.Explorer]:
    shown = cw.Explorer(MODEL, [CLIP, CLIP[::-1]], baseline="black")
    shown.wait(120)
    yield shown
    shown.close()


def test_the_page_gets_the_frames_one_below_the_other(explorer: cw.Explorer) -> None:
    view = explorer._parts.view
    scene, map_ = view.scene, view.explanation
    assert (scene["frames"], scene["width"], scene["height"]) == (FRAMES, SIDE, FRAMES * SIDE)
    assert scene["picture"] == CLIP.tobytes()
    expected = cw.explain(MODEL, CLIP)
    assert map_["saliency"] == np.round(expected.saliency * 255).astype(np.uint8).tobytes()
    # The layer's two frames of cells, each for two frames of the clip.
    assert map_["cells_shape"] == [FRAMES * 8, 8]
    cells = np.frombuffer(map_["cells"], np.uint8).reshape(FRAMES, 8, 8)
    raw = np.maximum(expected.raw, 0)
    raw = np.round(raw / raw.max() * 255)
    np.testing.assert_array_equal(cells, raw[[0, 0, 1, 1]])
    assert view.error == ""
    assert len(view.pictures) == 2 and not view.layer_maps and not view.class_maps and not view.box


def test_its_map_has_a_time_axis_for_the_user(explorer: cw.Explorer) -> None:
    assert explorer.explanation is not None
    assert explorer.explanation.saliency.shape == (FRAMES, SIDE, SIDE)
    assert explorer.explanation.raw.shape == (2, 8, 8)


def test_the_slider_masks_the_pixels_of_all_frames(explorer: cw.Explorer) -> None:
    explorer.fraction = 0.4
    explorer.wait(120)
    curve = cw.mask_curve(MODEL, CLIP, cw.explain(MODEL, CLIP), baseline="black", steps=6)
    assert curve.fraction[2] == pytest.approx(0.4)
    view = explorer._parts.view
    values = {row["index"]: masked for row, masked in zip(view.rows, view.masked, strict=True)}
    assert values[view.target] == pytest.approx(curve.probability[2], abs=1e-4)
    explorer.fraction = 0.0


def test_the_frame_is_part_of_state_code_and_history(explorer: cw.Explorer) -> None:
    explorer._parts.view.frame = 2
    state = explorer.state
    assert state["frame"] == 2
    assert "frame" in explorer.code
    explorer.undo()
    assert explorer.state["frame"] == 0
    explorer.state = {"frame": 3}
    assert explorer._parts.view.frame == 3


def test_a_clip_is_added(explorer: cw.Explorer) -> None:
    explorer.add(list(CLIP), "three")
    explorer.wait(120)
    assert explorer._parts.view.pictures[-1] == "three"
    assert explorer._parts.view.scene["frames"] == FRAMES
    explorer.picture = 0
    explorer.wait(120)


def test_the_compared_map_and_the_difference_have_a_time_axis(explorer: cw.Explorer) -> None:
    explorer.compare = {"method": "layercam"}
    explorer.wait(120)
    expected = cw.explain(MODEL, CLIP, explorer.target, "layercam")
    assert explorer.other is not None and explorer.explanation is not None
    assert explorer.other.raw.shape == (2, 8, 8)
    np.testing.assert_allclose(explorer.other.saliency, expected.saliency, atol=1e-6)
    difference = explorer.explanation.saliency - expected.saliency
    np.testing.assert_allclose(explorer.difference, difference, atol=1e-6)
    shown = explorer_static_view(explorer._parts.context, explorer._parts.requests)
    assert "compared: " in shown.html
    explorer.compare = None
    explorer.wait(120)


def test_a_clip_has_no_superpixels_and_says_why(explorer: cw.Explorer) -> None:
    view = explorer._parts.view
    view.parts = "on"
    explorer.wait(120)
    assert view.picture_parts == {} and view.parts != "on"
    assert "superpixels" in view.error and "clip" in view.error


def test_panels_of_pictures_are_left_out_and_a_live_page_is_refused(
    explorer: cw.Explorer, tmp_path: Path
) -> None:
    titles = explorer._parts.panels.box.titles
    assert [title.partition(":")[0] for title in titles] == ["Evaluate"]
    with pytest.raises(CamwidgetError, match="runs models of pictures"):
        explorer.save(tmp_path / "clip.html", live=True)


def test_of_stacked_frames_the_title_says_which_are_shown() -> None:
    module = nn.Sequential(nn.Conv2d(4, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 14 * 14, 2))
    model = cw.wrap(module, cw.Preprocess(16, mean=[0] * 4, std=[1] * 4), ["left", "right"])
    frames = np.random.default_rng(0).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    explorer = cw.Explorer(model, [frames])
    explorer.wait(120)
    view = explorer._parts.view
    assert view.explanation["title"].endswith("channels 1 to 3 of 4 shown")
    assert view.scene["picture"] == frames[..., :3].tobytes() and view.scene["frames"] == 1
    explorer.close()
