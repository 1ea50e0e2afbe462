"""Hiding part of a picture, and running the model on many pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget.errors import CamwidgetError, PictureError, PromptError


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return cw.zoo.samples("zoo/textures")[0].image


@pytest.fixture(scope="module")
def pixels(textures, picture) -> torch.Tensor:
    return textures.preprocess.pixels(picture)


@pytest.mark.parametrize("baseline", ["blur", "mean", "black", "inpaint"])
def test_only_hidden_pixels_change(textures, picture, pixels, baseline):
    hide = np.zeros(pixels.shape[-2:], bool)
    hide[30:60, 50:80] = True
    masked = cw.mask_picture(textures, picture, hide, baseline=baseline)
    changed = (masked != pixels).any(0).numpy()
    assert not changed[~hide].any() and changed[hide].mean() > 0.9
    assert masked.dtype == torch.float32 and masked.min() >= 0 and masked.max() <= 1


def test_a_box_is_the_mask_of_its_pixels(textures, picture, pixels):
    hide = np.zeros(pixels.shape[-2:], bool)
    hide[30:60, 50:80] = True
    by_box = cw.mask_picture(textures, picture, (50, 30, 80, 60), baseline="black")
    assert torch.equal(by_box, cw.mask_picture(textures, picture, hide, baseline="black"))
    assert (by_box[:, hide] == 0).all()


def test_the_masked_picture_is_a_picture(textures, picture):
    """What the model says of it is what it says of the pixels."""
    masked = cw.mask_picture(textures, picture, (0, 0, 192, 60), baseline="mean")
    (direct,) = cw.probabilities(textures, [masked])
    logits = textures.logits(masked[None])
    assert np.allclose(direct, textures.probabilities(logits)[0].numpy(), atol=1e-6)
    assert cw.explain(textures, masked).saliency.shape == masked.shape[-2:]


@pytest.mark.parametrize("mode", ["remove", "keep"])
def test_a_map_masks_as_the_curve_does(textures, picture, mode):
    exp = cw.explain(textures, picture)
    fractions = [0.0, 0.25, 0.5, 1.0]
    masked = [cw.mask_picture(textures, picture, by=exp, fraction=f, mode=mode) for f in fractions]
    curve = cw.mask_curve(textures, picture, exp, mode=mode, steps=5)
    found = cw.probabilities(textures, masked)[:, exp.target.index]
    assert np.allclose(found, curve.probability[[0, 1, 2, 4]], atol=1e-5)


def test_the_product_is_that_of_confidence_change(textures, picture):
    exp = cw.explain(textures, picture)
    masked = cw.mask_picture(textures, picture, by=exp, mode="multiply")
    change = cw.confidence_change(textures, picture, exp)
    assert cw.probabilities(textures, [masked])[0, exp.target.index] == pytest.approx(
        change.after, abs=1e-5
    )


def test_paint_keeps_what_a_map_would_remove(textures, picture, pixels):
    exp = cw.explain(textures, picture)
    paint = np.zeros(pixels.shape[-2:], np.int8)
    paint[:20] = -1
    masked = cw.mask_picture(textures, picture, paint, by=exp, fraction=1.0, baseline="black")
    assert torch.equal(masked[:, :20], pixels[:, :20]) and (masked[:, 20:] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, CamwidgetError, "nothing to hide"),
        ({"hide": np.zeros((3, 3), bool)}, PictureError, r"\(192, 192\)"),
        ({"hide": (0.1, 0.1, 0.9, 0.9)}, PictureError, "pixels"),
        ({"hide": (50, 0, 10, 20)}, PictureError, "left < right"),
        ({"hide": (500, 500, 600, 600)}, PictureError, "not in the model's picture"),
        ({"by": np.zeros((3, 3), np.float32)}, PictureError, "explain this picture"),
        ({"by": np.zeros((192, 192), np.float32), "mode": "erase"}, CamwidgetError, "multiply"),
        ({"hide": (0, 0, 9, 9), "baseline": "pink"}, CamwidgetError, "blur"),
    ],
)
def test_wrong_arguments_are_named(textures, picture, arguments, error, words):
    with pytest.raises(error, match=words):
        cw.mask_picture(textures, picture, **arguments)


def test_an_explanation_of_another_picture_is_refused(textures, picture):
    other = cw.explain(textures, cw.zoo.samples("zoo/textures")[1].image)
    with pytest.raises(PictureError, match="another picture"):
        cw.mask_picture(textures, picture, by=other)


def test_a_module_is_told_to_be_wrapped(picture):
    with pytest.raises(CamwidgetError, match="wrap"):
        cw.probabilities(nn.Identity(), picture)  # type: ignore[arg-type]


def test_pictures_of_a_folder_and_of_a_generator(textures, tmp_path: Path):
    samples = cw.zoo.samples("zoo/textures")[:3]
    for number, sample in enumerate(samples):
        Image.fromarray(sample.image).save(tmp_path / f"{number}.png")
    seen = []
    rows = cw.probabilities(
        textures, tmp_path, progress=lambda done, total: seen.append((done, total))
    )
    again = cw.probabilities(textures, (sample.image for sample in samples))
    assert (
        rows.shape == (3, 10) and rows.dtype == np.float64 and np.allclose(rows, again, atol=1e-6)
    )
    assert np.allclose(rows.sum(1), 1) and seen[-1] == (3, 3)


def test_one_picture_is_one_row(textures, picture):
    assert cw.probabilities(textures, picture).shape == (1, 10)


def test_a_model_without_its_text_is_refused():
    with pytest.raises(PromptError, match="given"):
        cw.probabilities(cw.load("zoo/vqa", device="cpu"), cw.zoo.samples("zoo/vqa")[0].image)
