"""Bounding boxes and segmentation seeds from maps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import camwidget as cw
from camwidget import zoo
from camwidget.analysis.localizing import BACKGROUND, UNKNOWN, best_overlap, overlap, points_at
from camwidget.attribution.targets import ClassTarget
from camwidget.errors import CamwidgetError, PictureError


def parts_of(high: np.ndarray) -> list[set[tuple[int, int]]]:
    """Connected parts, by walking from each pixel to its eight neighbors."""
    left = {(int(y), int(x)) for y, x in np.argwhere(high)}
    parts = []
    while left:
        part, ends = set(), [min(left)]
        while ends:
            y, x = ends.pop()
            if (y, x) not in left:
                continue
            left.discard((y, x))
            part.add((y, x))
            ends += [(y + i, x + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        parts.append(part)
    return parts


@settings(deadline=None)
@given(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9),
        elements=st.sampled_from([0.0, 0.125, 0.25, 0.5, 1.0]),
    ),
    st.sampled_from([0.15, 0.25, 0.5, 1.0]),
)
def test_the_box_of_the_largest_part(values: np.ndarray, threshold: float) -> None:
    found = cw.localize(values, threshold)
    if not values.any():
        assert found is None
        return
    assert found is not None
    parts = parts_of(values >= threshold * values.max())
    largest = max(parts, key=len)  # the first of equal ones, and parts come in reading order
    assert {(int(y), int(x)) for y, x in np.argwhere(found.mask)} == largest
    ys, xs = zip(*largest, strict=True)
    assert found.box == (min(xs), min(ys), max(xs) + 1, max(ys) + 1)
    assert values[found.peak] == values.max()
    assert found.peak == min(map(tuple, np.argwhere(values == values.max()).tolist()))


def test_pixels_that_touch_at_a_corner_are_connected() -> None:
    stairs = np.eye(5, dtype=np.float32)
    stairs[0, 4] = 1
    found = cw.localize(stairs)
    assert found is not None and found.mask.sum() == 5 and found.box == (0, 0, 5, 5)


def test_the_thresholds_are_those_of_the_papers() -> None:
    """15 % of the maximum for a box (Grad-CAM, section 4.1); whatever the maximum is."""
    for top in (1.0, 0.01, 50.0):
        values = np.array([[1, 0.1501, 0.1499, 0.16]], np.float32) * top
        found = cw.localize(values)
        assert found is not None and found.box == (0, 0, 2, 1)
        assert found.mask.tolist() == [[True, True, False, False]] and found.peak == (0, 0)
        assert repr(found) == "Localization(box=(0, 0, 2, 1), peak=(0, 0))", "no array"


def test_a_peak_may_be_15_of_500_pixels_off() -> None:
    """As in the pointing game (Zhang et al. 2016); the same share of the longer side of other pictures."""
    mask = np.zeros((3, 500), bool)
    mask[1, 100] = True
    for peak, hit in (((1, 115), True), ((1, 85), True), ((1, 116), False), ((2, 115), False)):
        assert points_at(peak, mask) is hit
        assert points_at((peak[1], peak[0]), mask.T) is hit
    assert points_at((1, 102), mask, 2) and not points_at((1, 102), mask, 1.9)
    assert points_at((2, 101), mask, 1.5) and points_at((1, 100), mask, 0)
    mask[1, 110] = True
    assert points_at((1, 125), mask), "the nearest counts"


def test_what_cannot_be_localized_is_refused() -> None:
    good = np.random.default_rng(0).random((5, 5)).astype(np.float32)
    for bad in (good[0], -good, good * np.nan, good[:0]):
        with pytest.raises(PictureError):
            cw.localize(bad)
    for threshold in (0, 1.1, float("nan"), -0.2, "half"):
        with pytest.raises(CamwidgetError, match="threshold"):
            cw.localize(good, threshold)  # type: ignore[arg-type]
    assert cw.localize(torch.from_numpy(good)).box == cw.localize(good).box  # type: ignore[union-attr]


BOXES = st.tuples(*[st.integers(0, 8)] * 2, *[st.integers(1, 8)] * 2).map(
    lambda b: (b[0], b[1], b[0] + b[2], b[1] + b[3])
)


@settings(deadline=None)
@given(BOXES, st.lists(BOXES, max_size=4))
def test_overlaps_are_counted_in_pixels(box: tuple[int, ...], boxes: list[tuple[int, ...]]) -> None:
    def drawn(box: tuple[int, ...]) -> np.ndarray:
        mask = np.zeros((17, 17), bool)
        mask[box[1] : box[3], box[0] : box[2]] = True
        return mask

    each = [overlap(drawn(box), drawn(other)) for other in boxes]
    best = best_overlap(box, np.array(boxes, dtype=np.int64).reshape(-1, 4))
    assert best == pytest.approx(max(each, default=0), abs=1e-12)
    for other, value in zip(boxes, each, strict=True):
        both = (drawn(box) & drawn(other)).sum() / (drawn(box) | drawn(other)).sum()
        assert value == pytest.approx(both)
    assert overlap(np.zeros((2, 2), bool), np.zeros((2, 2), bool)) == 0


@pytest.fixture(scope="module")
def scenes() -> cw.VisionModel:
    return cw.load("zoo/scenes", device="cpu")


def test_a_net_finds_what_it_was_not_shown_boxes_of(scenes: cw.VisionModel) -> None:
    """Grad-CAM's boxes fit the drawn things better than boxes of random maps do."""
    fits = {"gradcam": [], "random": []}
    for sample in zoo.samples("zoo/scenes"):
        for method, values in fits.items():
            e = cw.explain(scenes, sample.image, sample.label, method)
            found = cw.localize(e)
            boxes = np.array(
                [b for b, n in zip(sample.boxes, sample.labels, strict=True) if n == sample.label]
            )
            values.append(0 if found is None else best_overlap(found.box, boxes))
    assert np.mean(fits["gradcam"]) > 0.4 > 2 * np.mean(fits["random"])


def made(saliency: list[list[float]], index: int, like: cw.Explanation) -> cw.Explanation:
    values = np.array(saliency, np.float32)
    target = ClassTarget(index, f"class {index}")
    return replace(like, saliency=values, raw=values, target=target)


def test_seeds(scenes: cw.VisionModel) -> None:
    sample = zoo.samples("zoo/scenes")[0]
    like = cw.explain(scenes, sample.image, 0)
    assert isinstance(like, cw.Explanation)
    large = made([[1, 0.5, 0.2, 0.1], [0, 0, 0, 0.01]], 7, like)
    small = made([[0, 0.9, 1, 0], [0, 0.04, 0, 0]], 3, like)
    nothing = made([[0] * 4] * 2, 5, like)
    seeds = cw.segmentation_seeds([small, nothing, large])
    # Both claim the second and third pixel; the class with two pixels has them, not the one with three.
    assert seeds.tolist() == [[7, 3, 3, -1], [-2] * 4] and seeds.dtype == np.int64
    assert (UNKNOWN, BACKGROUND) == (-1, -2)
    np.testing.assert_array_equal(cw.segmentation_seeds([large, small, nothing]), seeds)
    assert BACKGROUND not in cw.segmentation_seeds([large, small], background=0)
    assert (cw.segmentation_seeds([nothing]) == BACKGROUND).all()
    at_once = cw.segmentation_seeds([large, small], threshold=0.3, background=0.3)
    assert UNKNOWN not in at_once, "nothing lies between the two"
    with pytest.raises(CamwidgetError, match="at least one explanation"):
        cw.segmentation_seeds([])
    with pytest.raises(CamwidgetError, match="same class"):
        cw.segmentation_seeds([small, small])
    with pytest.raises(CamwidgetError, match="background"):
        cw.segmentation_seeds([small], threshold=0.2, background=0.3)
    with pytest.raises(CamwidgetError, match="threshold"):
        cw.segmentation_seeds([small], threshold=0)
    with pytest.raises(CamwidgetError, match="different pictures"):
        cw.segmentation_seeds([small, replace(large, pixels=255 - large.pixels)])
    contrast = cw.explain(scenes, sample.image, cw.Contrast(0, 1))
    assert isinstance(contrast, cw.Explanation)
    with pytest.raises(CamwidgetError, match="not a class"):
        cw.segmentation_seeds([contrast])


def test_seeds_of_a_scene_lie_on_its_things(scenes: cw.VisionModel) -> None:
    right = all_ = 0
    for sample in zoo.samples("zoo/scenes")[:4]:
        present = sorted(set(sample.labels))
        maps = cw.explain(scenes, sample.image, present)
        assert isinstance(maps, cw.Explanations)
        seeds = cw.segmentation_seeds(maps, threshold=0.5)
        assert seeds.shape == (128, 128) and set(np.unique(seeds)) <= {
            *present,
            UNKNOWN,
            BACKGROUND,
        }
        for label in present:
            right += int((seeds[sample.mask_of(label)] == label).sum())
            all_ += int((seeds == label).sum())
    assert right / all_ > 0.5


def test_seeds_are_made_of_explanations() -> None:
    for bad in (None, [1], np.eye(5)):
        with pytest.raises(CamwidgetError, match="takes explanations"):
            cw.segmentation_seeds(bad)  # type: ignore[arg-type]
