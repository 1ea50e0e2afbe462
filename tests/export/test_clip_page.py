"""Saved pages of clips: a map for every frame, and curves of the whole clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from clip_models import FRAMES, SIDE, clip_model, clips
from saved_page import SavedPage
from torch.nn import functional as nnF

import camwidget as cw
from camwidget.errors import CamwidgetError
from camwidget.export import save_page

MODEL = clip_model()
CLIP = clips(1)[0]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> SavedPage:
    file = tmp_path_factory.mktemp("page") / "page.html"
    saved = save_page(
        MODEL,
        CLIP,
        file,
        "b",
        frame=2,
        methods=["gradcam", "saliency"],
        modes=["multiply"],
        steps=4,
    )
    assert saved.explanation.saliency.shape == (FRAMES, SIDE, SIDE)
    return SavedPage(file)


def test_the_frames_lie_one_below_the_other(page: SavedPage) -> None:
    scene = page.data["scene"]
    assert (scene["width"], scene["height"], scene["frames"]) == (SIDE, FRAMES * SIDE, FRAMES)
    assert page.data["layers"] == [{"name": "conv", "shape": [6, 16, 8], "frames": 2}]
    assert page.data["first"]["frame"] == 2
    assert len(page.data["name"]) > 0


def test_maps_are_interpolated_in_time_and_have_no_box(page: SavedPage) -> None:
    raw = torch.tensor(cw.explain(MODEL, CLIP, "b").raw).relu()
    expected = nnF.interpolate(raw[None, None], (FRAMES, 8, 8), mode="trilinear")[0, 0]
    assert not torch.equal(expected[0], expected[1])
    grid = page.grid(1, "gradcam", "conv")
    assert (grid["rows"], grid["columns"]) == (FRAMES * 8, 8)
    np.testing.assert_allclose(page.cells(grid).reshape(FRAMES, 8, 8), expected, rtol=1e-5)
    assert grid["box"] is None and grid["at"] is None


def test_curves_are_those_of_the_whole_clip(page: SavedPage) -> None:
    classes = [c["index"] for c in page.data["classes"]]
    for method in ("gradcam", "saliency"):
        found = cw.explain(MODEL, CLIP, "b", method)
        curve = cw.mask_curve(MODEL, CLIP, found, "b", steps=4, spacing="quadratic")
        grid = page.grid(1, method, "conv")
        saved = page.curve(grid, "remove blur")
        np.testing.assert_allclose(saved, curve.probabilities[:, classes], atol=2e-4)
        after = cw.confidence_change(MODEL, CLIP, found, "b").after
        assert page.curve(grid, "multiply")[0, classes.index(1)] == pytest.approx(after, abs=2e-4)


def test_several_clips_are_several_pictures(tmp_path: Path) -> None:
    frames = list(CLIP)
    file = save_page(MODEL, [frames, CLIP[::-1]], tmp_path / "two", steps=2).path
    data = SavedPage(file).data
    assert [data["name"], *(other["name"] for other in data["others"])] == [
        "picture 1",
        "picture 2",
    ]
    one = SavedPage(save_page(MODEL, frames, tmp_path / "one", steps=2).path).data
    assert not one["others"]


def test_what_a_page_of_clips_cannot_be_is_said(tmp_path: Path) -> None:
    with pytest.raises(CamwidgetError, match="takes clips of 4 frames: save the page without live"):
        save_page(MODEL, CLIP, tmp_path / "live", live=True)
    for frame in (-1, FRAMES, 0.5):
        with pytest.raises(CamwidgetError, match="from 0 to 3"):
            save_page(MODEL, CLIP, tmp_path / "frame", frame=frame)  # type: ignore[arg-type]
    with pytest.raises(CamwidgetError, match="from 0 to 0"):
        save_page(cw.load(device="cpu"), np.zeros((9, 9, 3), np.uint8), tmp_path / "x", frame=1)


def test_an_explorer_of_clips_saves_the_frame_that_it_shows(tmp_path: Path) -> None:
    explorer = cw.Explorer(MODEL, CLIP, target="b")
    explorer.wait(120)
    explorer.state = {**explorer.state, "frame": 1}
    explorer.wait(120)
    data = SavedPage(explorer.save(tmp_path / "explorer", steps=2)).data
    assert (data["first"]["frame"], data["scene"]["frames"]) == (1, FRAMES)
    explorer.close()
