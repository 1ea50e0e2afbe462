"""Ground truth: locations of objects, and the share of a map in them."""

from __future__ import annotations

import math
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from prompt_models import SIDE, squares

import camwidget as cw
from camwidget import zoo
from camwidget.errors import PictureError
from camwidget.images.ground_truth import (
    GroundTruth,
    fit_mask,
    locate_objects,
    objects_of,
    outline,
    share_inside,
)
from camwidget.masking.rank_rule import saliency_of
from camwidget.masking.user_mask import as_paint


def test_a_sample_knows_where_the_evidence_is() -> None:
    sample = squares("red", "blue")
    assert isinstance(sample, GroundTruth)
    np.testing.assert_array_equal(sample.evidence("Blue "), sample.masks[1])
    absent = sample.evidence("green")
    assert absent is not None and absent.shape == (SIDE, SIDE) and not absent.any()
    assert sample.evidence("yes", "is there a red square") is None
    assert isinstance(zoo.samples("zoo/textures")[0], GroundTruth)


def test_objects_are_the_masks_as_far_as_there_is_evidence() -> None:
    """What evidence lies in no mask is an object of its own."""
    first, second, evidence = np.zeros((3, 4, 4), bool)
    first[0], second[3], evidence[:2, 1:3] = True, True, True
    rest = evidence.copy()
    rest[0] = False

    def objects(masks: list[np.ndarray], evidence: np.ndarray | None) -> np.ndarray | None:
        truth = SimpleNamespace(masks=masks, evidence=lambda target, text: evidence)
        return objects_of(truth, "target", None)

    np.testing.assert_array_equal(objects([first, second], evidence), [first & evidence, rest])
    np.testing.assert_array_equal(objects([], evidence), [evidence])
    none = objects([first], np.zeros((4, 4), bool))
    assert none is not None and none.shape == (0, 4, 4) and none.dtype == bool
    assert objects([first], None) is None


def test_share_inside() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    assert share_inside(np.ones((4, 4), np.float32), mask) == 0.5
    assert share_inside(np.eye(4, dtype=np.float32) * mask, mask) == 1
    assert math.isnan(share_inside(np.zeros((4, 4), np.float32), mask))
    with pytest.raises(PictureError, match="fit_mask"):
        share_inside(np.ones((2, 2), np.float32), mask)


def test_a_mask_goes_the_way_of_its_picture() -> None:
    mask = np.zeros((60, 100), bool)
    mask[10:40, 30:60] = True
    picture = np.where(mask, 255, 0).astype(np.uint8)[..., None].repeat(3, 2)
    for preprocess in (cw.Preprocess(48), cw.Preprocess(24, resize=40), cw.Preprocess((40, 64))):
        fitted = fit_mask(mask, preprocess)
        expected = preprocess.pixels(Image.fromarray(picture))[0].numpy() >= 0.5
        np.testing.assert_array_equal(fitted, expected)
        assert fitted.shape == preprocess.size and fitted.any()
    same = np.random.default_rng(0).random((48, 48)) < 0.5
    np.testing.assert_array_equal(fit_mask(same, cw.Preprocess(48)), same)
    gray = cw.Preprocess(48, mean=(0.5,), std=(0.5,))
    np.testing.assert_array_equal(fit_mask(same, gray), same)
    left = np.arange(8) < 3  # of the second of four columns it covers a half, by the antialiasing
    fitted = fit_mask(np.tile(left, (8, 1)), cw.Preprocess(4))
    assert fitted.tolist() == [[True, True, False, False]] * 4, "half covered is covered"
    four = cw.Preprocess(48, mean=(0.5,) * 4, std=(0.5,) * 4)
    np.testing.assert_array_equal(fit_mask(same, four), same)
    nothing = locate_objects(np.zeros((0, 60, 100), bool), cw.Preprocess(48))
    assert nothing.mask.shape == (48, 48) and not nothing.mask.any()
    assert nothing.boxes.shape == (0, 4)


def filled(path: str, side: int) -> np.ndarray:
    """The even-odd rule, at the middle of each pixel."""
    inside = np.zeros((side, side), bool)
    for ring in re.findall(r"M([^Z]*)Z", path):
        corners = [tuple(map(int, c.split())) for c in ring.split("L")]
        for (x, y), (u, v) in zip(corners, corners[1:] + corners[:1], strict=True):
            assert (x == u) != (y == v), "a step goes along one axis"
            if x == u:  # a vertical side turns all pixels to its right
                inside[min(y, v) : max(y, v), x:] ^= True
    return inside


def test_an_outline_is_the_mask_again() -> None:
    rng = np.random.default_rng(1)
    ring = np.zeros((12, 12), bool)
    ring[2:10, 2:10] = True
    ring[4:8, 4:8] = False
    diagonal = np.eye(12, dtype=bool)
    noise = [rng.random((12, 12)) < share for share in (0.1, 0.5, 0.9)]
    for mask in (ring, diagonal, np.ones((12, 12), bool), *noise):
        np.testing.assert_array_equal(filled(outline(mask), 12), mask)
    assert outline(np.zeros((5, 5), bool)) == ""
    square = np.zeros((5, 5), bool)
    square[1:3, 2:4] = True
    assert outline(square) == "M2 1L4 1L4 3L2 3Z"


def test_no_more_than_all_of_the_saliency_is_inside() -> None:
    """Sums of the same values in another order differ in their last bits."""
    random = np.random.default_rng(0)
    for _ in range(300):
        mask = random.random(random.integers(8, 200, 2)) < 0.5
        assert share_inside((random.random(mask.shape) ** 3 * mask).astype(np.float32), mask) <= 1


def test_masked_arrays_are_refused_wherever_a_mask_or_a_map_is_taken(
    textures: cw.VisionModel,
) -> None:
    """What lies under their mask would count without a word."""
    sample = zoo.samples("zoo/textures")[0]
    explanation = cw.explain(textures, sample.image)
    size = explanation.saliency.shape
    hidden = np.ma.masked_array(np.ones(size, bool), mask=np.eye(*size, dtype=bool))
    for take in (
        lambda: fit_mask(hidden, textures.preprocess),
        lambda: share_inside(explanation.saliency, hidden),
        lambda: share_inside(hidden.astype(float), hidden.data),
        lambda: as_paint(hidden),
        lambda: saliency_of(hidden),
        lambda: cw.localize(hidden.astype(float)),
        lambda: cw.measure(textures, sample.image, explanation, "energy", mask=hidden),
        lambda: cw.mask_curve(textures, sample.image, explanation, paint=hidden),
    ):
        with pytest.raises(PictureError, match=r"are masked.*filled\("):
            take()
    filled = np.ma.masked_array(hidden.data, mask=False)
    assert share_inside(explanation.saliency, filled) == pytest.approx(1)
