"""Adversarial attacks within their bounds, at 8 bits, and the maps of the true classes after them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch
from module_fingerprint import fingerprint
from PIL import Image
from scipy import stats
from torch import nn

import camwidget as cw
from camwidget.errors import MethodError, PictureError, TargetError
from camwidget.zoo import Sample
from camwidget.zoo import textures as drawn

REACH = 4
"""The default bound, in 255ths."""


@pytest.fixture(autouse=True)
def _quick(one_thread: None) -> None:
    """On a busy machine one thread is faster for such small pictures."""


def quiet(done: int, total: int) -> None:
    """Progress that shows nothing."""


def attack(model: cw.VisionModel, image: Any, target: Any, **options: Any) -> cw.Attack:
    return cw.attack(model, image, target, **{"progress": quiet, **options})


def wrong_class(model: cw.VisionModel, sample: Sample) -> int:
    """The most probable class that is not in the picture, nor what the model says."""
    predicted = model.predict(sample.image, len(model.classes)).indices[1:]
    return next(i for i in predicted if i not in sample.labels)


@pytest.fixture(scope="module")
def attacks(textures: cw.VisionModel) -> list[tuple[Sample, cw.Attack]]:
    torch.set_num_threads(1)
    samples = [drawn.draw(60_000 + n) for n in range(12)]
    return [(s, attack(textures, s.image, wrong_class(textures, s))) for s in samples]


class Small(nn.Module):
    """A net for pictures of 16 pixels, in training, a part of it frozen."""

    def __init__(self, classes: int = 4, channels: int = 3) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.body = nn.Sequential(
            nn.Conv2d(channels, 8, 3), nn.BatchNorm2d(8), nn.ReLU(inplace=True)
        )
        self.head = nn.Linear(8, classes)
        self.body[0].weight.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.body(x).mean((2, 3)))


def small(**options: int) -> cw.VisionModel:
    channels = options.get("channels", 3)
    scale = {"mean": [0.4] * channels, "std": [0.2] * channels}
    scores = "sigmoid" if options.get("classes") == 1 else None
    return cw.wrap(Small(**options).train(), cw.Preprocess(16, **scale), scores=scores)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)


def other_class(model: cw.VisionModel, picture: Any) -> int:
    return model.predict(picture).indices[1]


# -- attacks -------------------------------------------------------------------------------


def test_most_pictures_fool_the_net(attacks: list[tuple[Sample, cw.Attack]]) -> None:
    assert np.mean([a.succeeded for _, a in attacks]) >= 0.6
    assert all(a.after.indices[0] == a.target.index for _, a in attacks)
    for _, a in attacks:
        if a.succeeded:
            assert a.after.indices[0] == a.target.index and a.probability >= a.confidence
            assert a.before.indices[0] != a.target.index


def test_the_change_is_bounded_exactly_and_of_8_bits(
    attacks: list[tuple[Sample, cw.Attack]],
) -> None:
    for sample, a in attacks:
        pixels = np.asarray(a.image).astype(int)
        assert np.abs(pixels - sample.image.astype(int)).max() == a.distance == REACH
        levels = a.pixels * 255
        torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-4)
        assert float(a.pixels.min()) >= 0 and float(a.pixels.max()) <= 1


def test_it_survives_being_saved(
    textures: cw.VisionModel, attacks: list[tuple[Sample, cw.Attack]]
) -> None:
    _, a = attacks[0]
    file = io.BytesIO()
    a.image.save(file, "png")
    predicted = textures.predict(Image.open(file))
    assert predicted.indices == a.after.indices
    assert predicted.probabilities == pytest.approx(a.after.probabilities, abs=1e-5)


def test_a_part_of_a_255th_does_not_count(picture: np.ndarray) -> None:
    model = small()
    a = attack(model, picture, other_class(model, picture), epsilon=2.9 / 255, confidence=0.9999)
    assert a.distance == 2
    # Values at the ends of the range stay in it.
    ends = np.where(picture > 127, 255, 0).astype(np.uint8)
    b = attack(model, ends, other_class(model, ends), epsilon=8 / 255, confidence=0.9999)
    assert float(b.pixels.min()) >= 0 and float(b.pixels.max()) <= 1


def test_pixels_between_two_levels_are_rounded_first() -> None:
    model = small()
    pixels = torch.rand((3, 16, 16), generator=torch.Generator().manual_seed(0))
    a = attack(model, pixels, other_class(model, pixels), epsilon=1 / 255, confidence=0.9999)
    assert a.distance == 1
    torch.testing.assert_close(a.original, (pixels * 255).round() / 255)


def test_the_gradient_is_that_of_the_pixels(picture: np.ndarray) -> None:
    """One step from the same start as a transcription of eq. 1 of Madry et al. 2018."""
    model = small()
    target = other_class(model, picture)
    a = attack(model, picture, target, steps=1, seed=5, confidence=0.9999)
    levels = torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float()
    noise = torch.rand(levels.shape, generator=torch.Generator().manual_seed(5)) * 2 - 1
    low, high = (levels - REACH).clamp(min=0), (levels + REACH).clamp(max=255)
    start = torch.minimum(torch.maximum(levels + REACH * noise, low), high)
    pixels = (start.round() / 255).requires_grad_()
    module = Small().eval()
    loss = -module((pixels - 0.4) / 0.2).log_softmax(1)[0, target]
    (gradient,) = torch.autograd.grad(loss, pixels)
    end = torch.minimum(torch.maximum(start - REACH / 4 * gradient.sign(), low), high)
    torch.testing.assert_close(a.pixels[None] * 255, end.round(), rtol=0, atol=1e-3)


def test_a_seed_gives_the_same_picture_again(picture: np.ndarray) -> None:
    model = small()
    target = other_class(model, picture)
    first, again = (attack(model, picture, target, seed=7, steps=5) for _ in range(2))
    other = attack(model, picture, target, seed=8, steps=5)
    assert torch.equal(first.pixels, again.pixels)
    assert not torch.equal(first.pixels, other.pixels)


def test_a_gray_picture() -> None:
    model = small(channels=1)
    gray = np.random.default_rng(0).integers(0, 256, (16, 16), np.uint8)
    a = attack(model, gray, other_class(model, gray), steps=4, confidence=0.9999)
    assert a.pixels.shape == (1, 16, 16) and a.distance <= REACH
    assert len(a.plot().axes) == 3


@pytest.mark.parametrize("inference", [False, True])
def test_the_model_is_left_as_it_was(picture: np.ndarray, inference: bool) -> None:
    model = small()
    before = fingerprint(model.module)
    target = other_class(model, picture)
    with torch.inference_mode(inference):
        attack(model, picture, target, steps=3, confidence=0.9999)
    assert fingerprint(model.module) == before

    def cancel(done: int, total: int) -> None:
        assert total == 40
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.attack(model, picture, target, confidence=0.9999, progress=cancel)
    assert fingerprint(model.module) == before


def test_what_makes_no_sense_is_refused(picture: np.ndarray) -> None:
    model = small()
    predicted = model.predict(picture).indices
    with pytest.raises(TargetError, match="already"):
        attack(model, picture, predicted[0])
    with pytest.raises(TargetError, match="no class"):
        attack(model, picture, 17)
    with pytest.raises(TargetError, match="not NoneType"):
        attack(model, picture, None)
    with pytest.raises(TargetError, match="single class"):
        attack(small(classes=1), picture, 0)
    for wrong in ({"epsilon": 0.5 / 255}, {"epsilon": float("nan")}, {"confidence": 1.0}):
        with pytest.raises(MethodError, match=next(iter(wrong))):
            attack(model, picture, predicted[1], **wrong)
    with pytest.raises(MethodError, match="steps"):
        attack(model, picture, predicted[1], steps=0)


# -- maps ----------------------------------------------------------------------------------


def test_the_maps_of_true_classes_survive(
    textures: cw.VisionModel, attacks: list[tuple[Sample, cw.Attack]]
) -> None:
    left = [
        cw.map_survival(textures, a, label, mask=s.mask_of(label))
        for s, a in attacks
        for label in set(s.labels)
    ]
    assert np.mean([m.pearson for m in left]) > 0.6
    before, after = (
        np.mean([getattr(m, n) for m in left]) for n in ("inside_before", "inside_after")
    )
    area = np.mean([s.mask_of(label).mean() for s, _ in attacks for label in set(s.labels)])
    assert after > 0.7 * before
    assert after > 3 * area


def test_the_figures_of_survival(
    textures: cw.VisionModel, attacks: list[tuple[Sample, cw.Attack]]
) -> None:
    sample, a = attacks[0]
    mask = sample.mask_of(sample.label)
    left = cw.map_survival(textures, a, sample.label, "layercam", "stage3", mask=mask)
    first, second = left.before.saliency.ravel(), left.after.saliency.ravel()
    assert left.before.method == "layercam" and left.before.layer == "stage3"
    assert left.pearson == pytest.approx(stats.pearsonr(first, second).statistic, abs=1e-5)
    assert left.spearman == pytest.approx(stats.spearmanr(first, second).statistic, abs=1e-6)
    assert left.inside_after == pytest.approx(second[mask.ravel()].sum() / second.sum(), abs=1e-5)
    plain = cw.map_survival(textures, a)
    assert plain.inside_before is None
    assert plain.before.target.index == a.before.indices[0]
    with pytest.raises(PictureError, match="mask"):
        cw.map_survival(textures, a, mask=mask[1:])
    with pytest.raises(MethodError, match="one target"):
        cw.map_survival(textures, a, method=["gradcam"])  # type: ignore[arg-type]
