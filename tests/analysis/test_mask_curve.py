"""Masks by rank, baselines, mask curves and confidence changes."""

from __future__ import annotations

import dataclasses
import sys
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import camwidget as cw
from camwidget.analysis.mask_curve import ConfidenceChange, MaskCurve
from camwidget.attribution import batched_inference
from camwidget.attribution.targets import ClassTarget
from camwidget.errors import CamwidgetError
from camwidget.export.curves import curves
from camwidget.export.quantized_maps import QuantizedMap
from camwidget.masking import baselines, inpainting
from camwidget.masking.baselines import BASELINES, baseline_names, baseline_pixels, fill_pixels
from camwidget.masking.masked_pixels import check_map_size, mask_pixels, multiply_pixels
from camwidget.masking.rank_rule import (
    hidden_by_rank,
    rank_levels,
    saliency_of,
    threshold,
    top_mask,
)


@pytest.fixture(scope="module")
def saliency() -> np.ndarray:
    return np.random.default_rng(1).random((224, 224), dtype=np.float32)


class RedMeter(nn.Module):
    """Logits that say how red, green and blue the picture is: masks act in a way that can be computed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 1, bias=False)
        self.conv.weight.data = torch.eye(3)[:, :, None, None]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 4 * self.conv(x).mean((2, 3))


@pytest.fixture(scope="module")
def meter() -> cw.VisionModel:
    return cw.wrap(RedMeter(), classes=["red", "green", "blue"])


# -- the rule -------------------------------------------------------------------------------


@given(
    height=st.integers(2, 300),
    width=st.integers(2, 300),
    fraction=st.floats(0, 1),
    kind=st.sampled_from(["random", "flat", "steps"]),
)
@settings(max_examples=60, deadline=None)
def test_top_mask_covers_the_fraction_with_the_highest(
    height: int, width: int, fraction: float, kind: str
) -> None:
    rng = np.random.default_rng(height * 1000 + width)
    values = {
        "random": rng.random((height, width), dtype=np.float32),
        "flat": np.zeros((height, width), np.float32),
        "steps": rng.integers(0, 4, (height, width)).astype(np.float32),
    }[kind]
    mask = top_mask(values, fraction)
    # A level covers at most this many pixels, and the threshold is rounded to a level.
    slack = height * width / 65536 + 1
    assert abs(mask.sum() - fraction * height * width) <= slack
    if mask.any() and not mask.all():
        assert values[mask].min() >= values[~mask].max()


def test_quarter_is_exact_at_224(saliency: np.ndarray) -> None:
    assert top_mask(saliency, 0.25).sum() == 224 * 224 // 4
    assert top_mask(saliency, 0).sum() == 0
    assert top_mask(saliency, 1).all()


def test_ties_go_in_reading_order() -> None:
    mask = top_mask(np.zeros((4, 4), np.float32), 0.5)
    np.testing.assert_array_equal(mask, np.repeat([[True], [True], [False], [False]], 4, axis=1))


def test_the_frames_of_a_clip_are_ranked_together() -> None:
    values = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    strip = rank_levels(values.reshape(12, 5))
    levels = rank_levels(values)
    np.testing.assert_array_equal(levels, strip.reshape(3, 4, 5))
    np.testing.assert_array_equal(check_map_size(levels, torch.zeros(3, 12, 5), 3), strip)


def test_large_pictures_keep_their_order() -> None:
    values = np.random.default_rng(0).random((600, 700), dtype=np.float32)
    levels = rank_levels(values)
    assert levels.dtype == np.uint16 and levels.max() == 65535
    order = np.argsort(-values.ravel(), kind="stable")
    assert (np.diff(levels.ravel()[order].astype(int)) >= 0).all()


def test_the_levels_are_those_of_whole_numbers() -> None:
    """Also of a picture so large that single precision would round."""
    count = 700 * 613
    values = np.arange(count, 0, -1, dtype=np.float32).reshape(700, 613)
    expected = np.arange(count, dtype=np.int64) * 65536 // count
    np.testing.assert_array_equal(rank_levels(values).ravel(), expected)


@pytest.mark.parametrize(
    ("fraction", "level"),
    [(0, 0), (1, 65536), (0.25, 16384), (1 / 3, 21845), (2 / 3, 43691), (0.5 / 65536, 1)],
)
def test_a_fraction_is_rounded_to_the_nearest_level(fraction: float, level: int) -> None:
    """``floor(q · 65536 + ½)``, as in the browser."""
    assert threshold(fraction) == level
    assert threshold(0.49 / 65536) == 0


@pytest.mark.parametrize("fraction", [-0.1, 1.1, float("nan")])
def test_fractions_are_checked(fraction: float) -> None:
    with pytest.raises(CamwidgetError, match="between 0 and 1"):
        threshold(fraction)


@pytest.mark.parametrize("bad", [np.zeros((1, 2, 3, 4)), np.full((9, 9), np.nan)])
def test_saliency_is_checked(bad: np.ndarray) -> None:
    with pytest.raises(CamwidgetError, match="Saliency"):
        rank_levels(bad)


def test_a_map_with_masked_values_is_refused() -> None:
    with pytest.raises(CamwidgetError, match="masked"):
        rank_levels(np.ma.masked_less(np.arange(16.0).reshape(4, 4), 3))


def test_the_top_fraction_is_hidden_unless_it_is_kept() -> None:
    levels = torch.tensor([[0, 9], [5, 4]])
    assert hidden_by_rank(levels, 5).tolist() == [[True, False], [False, True]]
    assert hidden_by_rank(levels, 5, keep=True).tolist() == [[False, True], [True, False]]


def test_a_map_is_taken_in_single_precision_from_whatever_has_one() -> None:
    """An explanation stands for its own; what single precision does not tell apart is a tie."""
    values = np.array([[0.25, 0.5], [0.75, 0.5 + 1e-12]])
    expected = [[3, 1], [0, 2]]
    explaining = SimpleNamespace(saliency=values)
    for one in (values, values.tolist(), explaining, torch.from_numpy(values)):
        assert saliency_of(one).dtype == torch.float32
        np.testing.assert_array_equal(rank_levels(one) // 16384, expected)
    assert not saliency_of(torch.ones(1, requires_grad=True)).requires_grad
    for bad in ("map", [[1.0], [2.0, 3.0]], object()):
        with pytest.raises(CamwidgetError, match="A map was expected"):
            saliency_of(bad)


# -- masking --------------------------------------------------------------------------------


@pytest.mark.parametrize("baseline", list(BASELINES))
def test_remove_and_keep_are_complements(
    baseline: str, saliency: np.ndarray, noise: torch.Tensor
) -> None:
    levels, fill = rank_levels(saliency), baseline_pixels(noise, baseline)
    removed = mask_pixels(noise, levels, [0.3], mode="remove", baseline=baseline)[0]
    kept = mask_pixels(noise, levels, [0.3], mode="keep", baseline=baseline)[0]
    mask = torch.from_numpy(top_mask(saliency, 0.3))
    torch.testing.assert_close(removed, torch.where(mask, fill, noise), rtol=0, atol=0)
    torch.testing.assert_close(kept, torch.where(mask, noise, fill), rtol=0, atol=0)


@pytest.mark.parametrize("mode", ["remove", "keep"])
def test_both_ends(mode: str, saliency: np.ndarray, noise: torch.Tensor) -> None:
    start, end = mask_pixels(noise, rank_levels(saliency), [0, 1], mode=mode)
    whole, gone = (start, end) if mode == "remove" else (end, start)
    assert torch.equal(whole, noise)
    assert torch.equal(gone, baseline_pixels(noise, "blur"))


def test_baselines(noise: torch.Tensor) -> None:
    assert baseline_pixels(noise, "black").abs().max() == 0
    mean = baseline_pixels(noise, "mean")
    torch.testing.assert_close(mean[:, 0, 0], noise.mean((1, 2)), rtol=0, atol=0.5 / 255 + 1e-6)
    blur = baseline_pixels(noise, "blur")
    assert blur.std() < noise.std()
    for name in BASELINES:
        shades = baseline_pixels(noise, name) * 255
        torch.testing.assert_close(shades, shades.round(), rtol=0, atol=1e-4)
    with pytest.raises(CamwidgetError, match="'blur', 'mean', 'black'"):
        baseline_pixels(noise, "white")


def test_blur_is_a_gaussian(noise: torch.Tensor) -> None:
    """Against scipy's, with its own reflection and truncation."""
    ndimage = pytest.importorskip("scipy.ndimage")
    sigma = 224 / 20
    expected = ndimage.gaussian_filter(
        noise.numpy(), (0, sigma, sigma), mode="mirror", radius=(0, 34, 34)
    )
    np.testing.assert_allclose(baseline_pixels(noise, "blur"), expected, atol=0.6 / 255)


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (33, 8)])
def test_blur_of_small_pictures(size: tuple[int, int]) -> None:
    assert baseline_pixels(torch.rand(3, *size), "blur").shape == (3, *size)


# -- inpainting ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ramp() -> torch.Tensor:
    """Two ramps and a bowl, whose Laplacian is 0 in the ramps and constant in the bowl: all are biharmonic."""
    y, x = torch.meshgrid(torch.arange(20.0), torch.arange(24.0), indexing="ij")
    pixels = torch.stack([40 + 4 * x, 200 - 3 * y, 30 + (x - 12) ** 2])
    return pixels / 255


def hole_of(picture: torch.Tensor) -> torch.Tensor:
    hole = torch.zeros(picture.shape[-2:], dtype=torch.bool)
    hole[5:14, 6:17] = True
    return hole


def test_biharmonic_continues_what_is_around_the_hole(ramp: torch.Tensor) -> None:
    """What solves the biharmonic equation comes back, also a bowl, which a membrane would not fill."""
    hole = hole_of(ramp)
    filled = fill_pixels(ramp * ~hole, hole[None], "inpaint")[0]
    assert (filled - ramp).abs().max() <= 1.01 / 255
    assert torch.equal(filled[:, ~hole], ramp[:, ~hole])


def test_telea_is_opencvs(ramp: torch.Tensor) -> None:
    cv2 = pytest.importorskip("cv2")
    hole = hole_of(ramp)
    picture = (ramp * 255).round().byte().permute(1, 2, 0).numpy()
    expected = cv2.inpaint(picture, hole.numpy().astype(np.uint8), 3, cv2.INPAINT_TELEA)
    filled = fill_pixels(ramp, hole[None], "telea")[0]
    found = (filled * 255).round().byte().permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found, expected)
    assert "telea" in baseline_names()


@pytest.mark.parametrize("baseline", ["inpaint", "telea"])
def test_inpainting_as_a_baseline(
    baseline: str, noise: torch.Tensor, meter: cw.VisionModel
) -> None:
    if baseline == "telea":
        pytest.importorskip("cv2")
    small = torch.nn.functional.interpolate(noise[None], size=(32, 32), mode="area")[0]
    levels = rank_levels(np.random.default_rng(3).random((32, 32), dtype=np.float32))
    masked = mask_pixels(small, levels, [0, 0.3, 1], baseline=baseline)
    assert torch.equal(masked[0], small)
    top = torch.from_numpy(levels < threshold(0.3))
    assert torch.equal(masked[1][:, ~top], small[:, ~top])
    shades = masked[1][:, top] * 255
    torch.testing.assert_close(shades, shades.round(), rtol=0, atol=1e-4)
    assert (masked[1] - small).abs().mean() < (
        mask_pixels(small, levels, [0.3], baseline="mean")[0] - small
    ).abs().mean(), "closer to the picture than its mean"
    assert torch.equal(masked[2], baseline_pixels(small, "mean")), "nothing is left to fill it from"
    gray = fill_pixels(small[:1], top[None], baseline)
    assert gray.shape == (1, 1, 32, 32)
    saliency = 1 - levels.astype(np.float32) / 65536
    curve = cw.mask_curve(meter, small, saliency, "red", baseline=baseline, steps=4)
    expected = 4 * mask_pixels(small, levels, curve.fraction.tolist(), baseline=baseline).mean(
        (2, 3)
    )
    np.testing.assert_allclose(curve.probability, expected.softmax(1)[:, 0], rtol=1e-5)
    change = cw.confidence_change(
        meter, small, saliency, "red", change="remove", baseline=baseline, fraction=1 / 3
    )
    assert change.after == pytest.approx(curve.probability[1])


def test_holes_of_a_clip_are_filled_frame_by_frame(noise: torch.Tensor) -> None:
    frames = noise[:, :24, :20], noise[:, 50:74, 50:70]
    holes = torch.zeros(2, 24, 20, dtype=torch.bool)
    holes[0, 4:9, 3:12], holes[1, 20:, 8:] = True, True  # the second at an edge
    alone = [
        fill_pixels(frame, hole[None], "inpaint")[0]
        for frame, hole in zip(frames, holes, strict=True)
    ]
    strip = fill_pixels(torch.cat(frames, 1), holes.reshape(1, 48, 20), "inpaint", frames=2)
    assert torch.equal(strip[0], torch.cat(alone, 1))


def test_a_library_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, noise: torch.Tensor
) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(CamwidgetError, match=r"'telea' needs cv2.*camwidget\[opencv\]"):
        mask_pixels(noise, np.zeros((224, 224), np.uint16), [0.5], baseline="telea")
    with pytest.raises(CamwidgetError, match="'inpaint' needs skimage"):
        cw.mask_curve(cw.load(device="cpu"), noise, noise[0], baseline="inpaint")
    assert baseline_names() == ("blur", "mean", "black")
    monkeypatch.undo()
    with pytest.raises(CamwidgetError, match="fill_pixels"):
        baseline_pixels(noise, "inpaint")


def test_a_foreign_map_is_refused(noise: torch.Tensor, meter: cw.VisionModel) -> None:
    with pytest.raises(CamwidgetError, match=r"saliency is \(7, 7\).*\(224, 224\)"):
        cw.mask_curve(meter, noise, np.zeros((7, 7)))
    with pytest.raises(CamwidgetError, match="saliency is"):
        cw.confidence_change(meter, noise, np.zeros((7, 7)))


def test_the_product_is_not_rounded(noise: torch.Tensor, meter: cw.VisionModel) -> None:
    """A map with one peak is below 1/510 nearly everywhere, which would be 0 at 8 bits."""
    low = np.full((224, 224), 0.0019, np.float32)
    low[0, 0] = 1
    assert torch.equal(multiply_pixels(noise, low), noise * torch.from_numpy(low))
    pixels = torch.zeros(3, 64, 64)
    pixels[0] = 1
    low = low[:64, :64]
    red = 4 * float(low.astype(np.float64).mean())
    expected = np.exp(red) / (np.exp(red) + 2)
    after = cw.confidence_change(meter, pixels, low, "red").after
    for bad in (low + 0.01, low - 0.01):
        with pytest.raises(CamwidgetError, match="divide yours by its maximum"):
            multiply_pixels(pixels, bad)
    assert after == pytest.approx(expected, abs=1e-6) and after > 1 / 3 + 0.001
    exp = dataclasses.replace(cw.explain(meter, pixels, "red"), saliency=low)
    before = np.exp(4) / (np.exp(4) + 2)
    drop = cw.measure(meter, pixels, exp, ["drop"])["drop"].value
    assert drop == pytest.approx((before - expected) / before, abs=1e-6)


def test_an_explanation_brings_its_class(meter: cw.VisionModel, noise: torch.Tensor) -> None:
    red = torch.zeros(3, 32, 32)
    red[0] = 1
    exp = cw.explain(meter, red, "blue")
    assert meter.predict(red).names[0] == "red"
    assert cw.mask_curve(meter, red, exp, steps=3).name == "blue"
    assert cw.mask_curve(meter, red, exp, "green", steps=3).name == "green"
    assert cw.mask_curve(meter, red, exp.saliency, steps=3).name == "red", "a map has no class"
    for change in ("multiply", "remove"):
        found = cw.confidence_change(meter, red, exp, change=change)
        assert found == cw.confidence_change(meter, red, exp.saliency, "blue", change=change)
    rather = cw.explain(meter, red, cw.Contrast("red", "blue"))
    with pytest.raises(CamwidgetError, match="'red rather than blue' is not a class"):
        cw.mask_curve(meter, red, rather, steps=3)
    assert cw.mask_curve(meter, red, rather, "red", steps=3).name == "red"


def test_an_explanation_of_something_else_is_refused(meter: cw.VisionModel) -> None:
    """As ``measure`` does, by the same rule."""
    red, gray = torch.zeros(3, 32, 32), torch.full((3, 32, 32), 0.5)
    red[0] = 1
    exp = cw.explain(meter, red)
    named = cw.wrap(RedMeter(), classes=["rouge", "vert", "bleu"])
    other = cw.wrap(RedMeter(), classes=["red", "green", "blue"], name="another")
    fewer = dataclasses.replace(exp, target=ClassTarget(7, "red"))
    for model, picture, one, match in (
        (meter, gray, exp, "of another picture"),
        (named, red, exp, "of another model"),
        (other, red, exp, "of another model, RedMeter, and this one is another"),
        (meter, red, fewer, "of another model"),
        (meter, red[:, :16], exp, r"saliency is \(32, 32\).*\(16, 32\)"),
    ):
        with pytest.raises(CamwidgetError, match=match):
            cw.mask_curve(model, picture, one, steps=2)
        with pytest.raises(CamwidgetError, match=match):
            cw.confidence_change(model, picture, one)
        with pytest.raises(CamwidgetError, match=match):
            cw.measure(model, picture, one, "drop")
    assert cw.mask_curve(named, red, exp.saliency, steps=2).name == "rouge"


# -- curves ---------------------------------------------------------------------------------


def test_curve_of_a_model_that_can_be_computed(meter: cw.VisionModel) -> None:
    """A red square on gray, black baseline: the redness falls with the square, to the last digit."""
    pixels = torch.full((3, 64, 64), 0.5)
    pixels[0, 16:48, 16:48], pixels[1:, 16:48, 16:48] = 1.0, 0.0
    saliency = np.zeros((64, 64), np.float32)
    saliency[16:48, 16:48] = 1
    curve = cw.mask_curve(meter, pixels, saliency, "red", baseline="black", steps=5)
    np.testing.assert_allclose(curve.fraction, [0, 0.25, 0.5, 0.75, 1])

    def redness(mask: np.ndarray) -> float:
        logits = 4 * np.where(mask, 0, pixels.numpy()).mean((1, 2))
        return float(np.exp(logits[0]) / np.exp(logits).sum())

    expected = [redness(top_mask(saliency, f)) for f in curve.fraction]
    np.testing.assert_allclose(curve.probability, expected, rtol=1e-5)
    assert curve.name == "red" and curve.target == 0
    np.testing.assert_allclose(curve.probabilities.sum(1), 1, rtol=1e-5)
    assert curve.area == pytest.approx(np.trapezoid(expected, dx=0.25), rel=1e-5)


def made_curve(probabilities: list[list[float]], **facts: Any) -> MaskCurve:
    """Of the class "red", beside "green"; a third one is not among the top classes."""
    values = np.array(probabilities)
    usual: dict[str, Any] = {"mode": "remove", "baseline": "blur"}
    return MaskCurve(
        fraction=np.linspace(0, 1, len(values)),
        probability=values[:, 0],
        target=0,
        name="red",
        others=(1,),
        other_names=("green",),
        probabilities=values,
        **{**usual, **facts},
    )


def test_the_area_is_of_trapezoids() -> None:
    assert made_curve([[1, 0, 0], [0.5, 0, 0], [0.25, 0, 0]]).area == pytest.approx(0.5625)


@pytest.mark.parametrize(
    ("rows", "span"),
    [
        ([[2, 3, 90], [4, 3, 90]], (1.9, 4.1)),  # from 2 to 4, and a tenth of it around
        ([[3, 2, 0], [3, 4, 0]], (1.9, 4.1)),
        ([[10, 10, 0], [10, 10, 0]], (9.725, 10.275)),  # a twentieth of 10
        ([[-10, -10, 0], [-10, -10, 0]], (-10.275, -9.725)),
        ([[0, 0, 5], [0, 0, 5]], (-0.55, 0.55)),
    ],
)
def test_quantities_are_drawn_around_their_values(
    rows: list[list[float]], span: tuple[float, float]
) -> None:
    curve = made_curve(rows, scores="value", unit="kg")
    assert curve.span == pytest.approx(span) and curve.axis == "kg"
    assert made_curve(rows, scores="value").axis == "value"
    plain = made_curve(rows)
    assert plain.span == (0, 1) and plain.axis == "probability"


def test_a_plotted_curve_says_what_it_shows() -> None:
    rows = [[0.75, 0.25, 0], [0.5, 0.25, 0.25], [0.125, 0.5, 0.375]]
    (axes,) = made_curve(rows).plot().axes
    target, other = axes.get_lines()
    np.testing.assert_array_equal(target.get_xydata(), [[0, 0.75], [0.5, 0.5], [1, 0.125]])
    np.testing.assert_array_equal(other.get_xydata(), [[0, 0.25], [0.5, 0.25], [1, 0.5]])
    assert target.get_linewidth() > other.get_linewidth()
    assert (target.get_linestyle(), other.get_linestyle()) == ("-", "--")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["red", "green"]
    assert axes.get_xlim() == (0, 1) and axes.get_ylim() == (0, 1.02)
    assert axes.get_xlabel() == "top evidence removed (replaced by blur)"
    assert axes.get_ylabel() == "probability"
    assert axes.xaxis.get_ticklabels()[1].get_text() == "25"
    assert not axes.spines["top"].get_visible() and axes.spines["left"].get_visible()
    (axes,) = made_curve(rows, mode="keep", scores="value", unit="kg").plot().axes
    assert axes.get_xlabel() == "top evidence kept (blur elsewhere)"
    assert axes.get_ylabel() == "kg"
    assert axes.get_ylim() == pytest.approx((0.09375, 0.78125), abs=1e-6)


def test_curve_equals_one_by_one(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    exp = cw.explain(textures, noise)
    for mode in ("remove", "keep"):
        curve = cw.mask_curve(textures, noise, exp.saliency, mode=mode, baseline="mean")
        assert curve.fraction.shape == curve.probability.shape == (21,)
        assert curve.target == exp.target.index, "None is the predicted class"
        for i in (0, 7, 20):
            masked = mask_pixels(
                noise, rank_levels(exp.saliency), [curve.fraction[i]], mode=mode, baseline="mean"
            )
            alone = textures.logits(masked)[0].softmax(0)[curve.target]
            assert curve.probability[i] == pytest.approx(float(alone), abs=1e-5)


def test_curve_reports_progress_and_can_be_canceled(
    meter: cw.VisionModel, noise: torch.Tensor, saliency: np.ndarray
) -> None:
    seen: list[tuple[int, int]] = []
    cw.mask_curve(meter, noise, saliency, progress=lambda done, total: seen.append((done, total)))
    assert seen[0][0] > 0 and seen[-1][0] == seen[-1][1] == 21

    def cancel(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cw.mask_curve(meter, noise, saliency, progress=cancel)


@pytest.mark.parametrize(
    "wrong", [{"steps": 1}, {"mode": "hide"}, {"baseline": "pink"}, {"target": "purple"}]
)
def test_wrong_arguments(
    wrong: dict, meter: cw.VisionModel, noise: torch.Tensor, saliency: np.ndarray
) -> None:
    with pytest.raises(CamwidgetError):
        cw.mask_curve(meter, noise, saliency, **wrong)


@pytest.mark.parametrize(
    ("before", "after", "drop", "rose"),
    [
        (0.5, 0.5, 0.0, False),
        (0.5, 0.125, 0.75, False),
        (0.5, 0.75, 0.0, True),
        (0.0, 0.0, 0.0, False),
        (0.0, 0.5, 0.0, True),
        (0.0, -1.0, 0.0, False),
        (-2.0, -3.0, 0.5, False),  # a quantity
        (4.0, 1.0, 0.75, False),
    ],
)
def test_a_change_is_its_equations(before: float, after: float, drop: float, rose: bool) -> None:
    """``max(0, Y − O) / |Y|``, and ``O > Y`` (Grad-CAM++, section 4.1)."""
    change = ConfidenceChange(before, after)
    assert (change.drop, change.increase) == (drop, rose)


def test_drop_and_increase(meter: cw.VisionModel) -> None:
    pixels = torch.zeros((3, 64, 64))
    pixels[0, :, :32], pixels[2, :, 32:] = 1.0, 1.0
    left = np.zeros((64, 64), np.float32)
    left[:, :32] = 1
    gained = cw.confidence_change(meter, pixels, left, "red")
    assert gained.increase and gained.drop == 0
    lost = cw.confidence_change(meter, pixels, 1 - left, "red")
    assert not lost.increase
    assert lost.drop == pytest.approx((lost.before - lost.after) / lost.before)
    quarter = cw.confidence_change(meter, pixels, left, "red", change="remove")
    assert quarter.after < quarter.before
    with pytest.raises(CamwidgetError, match="'multiply' or 'remove'"):
        cw.confidence_change(meter, pixels, left, change="add")


def test_functions_name_themselves_where_the_model_is_none(noise: torch.Tensor) -> None:
    for function in (cw.mask_curve, cw.confidence_change):
        with pytest.raises(CamwidgetError, match=f"{function.__name__} takes a model"):
            function(nn.Identity(), noise, noise[0])  # type: ignore[arg-type]


def test_a_quarter_goes_and_becomes_black_unless_told(
    meter: cw.VisionModel, noise: torch.Tensor, saliency: np.ndarray
) -> None:
    masked = mask_pixels(noise, rank_levels(saliency), [0.25], baseline="black")
    found = cw.confidence_change(meter, noise, saliency, 1, change="remove")
    assert found.after == pytest.approx(float(meter.logits(masked).softmax(1)[0, 1]), abs=1e-6)
    assert found.before == pytest.approx(
        float(meter.logits(noise[None]).softmax(1)[0, 1]), abs=1e-6
    )
    with pytest.raises(
        CamwidgetError, match=r"saliency is \(7, 9\), the model's input \(224, 224\)"
    ):
        cw.confidence_change(meter, noise, np.zeros((7, 9)))
    with pytest.raises(CamwidgetError, match="defined for a class"):
        cw.confidence_change(meter, noise, saliency, cw.Contrast(0, 1))
    with pytest.raises(CamwidgetError, match="follows a class"):
        cw.mask_curve(meter, noise, saliency, cw.Contrast(0, 1), steps=2)


def test_recent_fills_are_made_once_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    blur = baselines.BASELINES["blur"]
    monkeypatch.setitem(baselines.BASELINES, "blur", lambda p: made.append(id(p)) or blur(p))
    recent, pictures = baselines.BaselineCache(), [torch.rand(3, 8, 8) for _ in range(5)]
    for picture in pictures[:4]:
        assert torch.equal(recent.get(picture, "blur"), baseline_pixels(picture, "blur"))
    made.clear()
    for picture in pictures[:4]:
        recent.get(picture, "blur")
    assert made == []
    recent.get(pictures[4], "blur")
    recent.get(pictures[1], "blur")
    assert len(made) == 1, "the second is still there"
    recent.get(pictures[0], "blur")
    assert len(made) == 2, "the first had to go"
    assert not torch.equal(recent.get(pictures[0], "black"), recent.get(pictures[0], "blur"))


# -- large pictures --------------------------------------------------------------------------


def test_large_pictures_are_blurred_as_small_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """By Fourier transforms, which is the same blur."""
    pixels = torch.rand(2, 90, 130, generator=torch.Generator().manual_seed(0))
    pixels[:, 20:40] = 1
    direct = baselines._blur(pixels)
    monkeypatch.setattr(baselines, "_DIRECT_BLUR_LIMIT", 64)
    torch.testing.assert_close(baselines._blur(pixels), direct, atol=2e-6, rtol=0)


@pytest.mark.parametrize("baseline", ["inpaint", "telea"])
def test_holes_of_large_pictures_are_filled_at_a_reduced_size(
    baseline: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ramp = torch.linspace(0.2, 0.8, 100).expand(3, 75, 100).clone()
    hole = torch.zeros(75, 100, dtype=torch.bool)
    hole[20:50, 40:70], hole[3, 4], hole[74, 90:] = True, True, True
    kind = dataclasses.replace(inpainting.INPAINTINGS[baseline], max_pixels=40 * 40)
    monkeypatch.setitem(inpainting.INPAINTINGS, baseline, kind)
    filled = fill_pixels(ramp * ~hole, hole[None], baseline)[0]
    assert torch.equal(filled[:, ~hole], ramp[:, ~hole])
    assert (filled - ramp).abs().max() < 0.06
    levels = filled[:, hole] * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4)


def test_a_blur_is_made_once_while_its_picture_is_there() -> None:
    recent, pixels = baselines.BaselineCache(), torch.rand(3, 20, 20)
    fill = recent.get(pixels, "blur")
    assert recent.get(pixels, "blur") is fill
    assert torch.equal(fill, baseline_pixels(pixels, "blur"))
    other = pixels.clone()
    assert recent.get(other, "mean") is not fill and recent.get(other, "blur") is not fill
    for baseline in ("mean", "black"):
        one = baselines.uniform_baseline(pixels, baseline)
        assert one is not None
        assert torch.equal(one.expand(3, 20, 20), baseline_pixels(pixels, baseline))
    assert baselines.uniform_baseline(pixels, "blur") is None
    kept = weakref.ref(fill)
    del pixels, fill
    assert kept() is None, "it goes with its picture"


def test_answers_are_put_together_once(
    meter: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Joining each batch to all before it takes the square of the time: numbers that are copied are counted."""
    copied = 0

    def counting(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(parts: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal copied
            made = function(parts, *args, **kwargs)
            copied += made.size if isinstance(made, np.ndarray) else made.numel()
            return made

        return call

    monkeypatch.setattr(batched_inference, "batch_size", lambda *_: 1)
    monkeypatch.setattr(torch, "cat", counting(torch.cat))
    monkeypatch.setattr(np, "concatenate", counting(np.concatenate))
    pixels = torch.rand(60, 3, 8, 8)
    inputs = meter.inputs(pixels)
    found = batched_inference.gather_probabilities(meter, 60, lambda a, b: inputs[a:b], "")
    assert found.shape == (60, 3)
    assert copied == 60 * 3
    copied = 0
    grid = QuantizedMap(torch.rand(2, 2).numpy(), 1.0)
    found = curves(
        meter, pixels[0], [grid], [0, 2], ["remove"], ["mean"], 60, "x", lambda done, total: None
    )
    assert found[0]["remove mean"].shape == (60, 2) and copied == 0


def test_quadratic_fractions(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    """The squares of evenly spaced numbers: a third of the points lies within the first tenth."""
    exp = cw.explain(textures, noise)
    curve = cw.mask_curve(textures, noise, exp, steps=11, spacing="quadratic")
    np.testing.assert_allclose(curve.fraction, np.arange(11) ** 2 / 100)
    assert curve.spacing == "quadratic"
    even = cw.mask_curve(textures, noise, exp, steps=5)
    assert even.spacing == "even" and even.fraction[1] == curve.fraction[5] == 0.25
    np.testing.assert_allclose(curve.probabilities[5], even.probabilities[1], atol=1e-6)
    with pytest.raises(cw.CamwidgetError, match="'even' or 'quadratic', not 'log'"):
        cw.mask_curve(textures, noise, exp, spacing="log")
    # On the figure's axis the points are evenly spaced, and the ticks say which fractions they are.
    (axes,) = curve.plot().axes
    places = axes.transData.transform(axes.get_lines()[0].get_xydata())[:, 0]
    np.testing.assert_allclose(np.diff(places), np.diff(places)[0], rtol=1e-6)
    labels = [text.get_text() for text in axes.xaxis.get_ticklabels()]
    assert labels == ["0", "1", "5", "10", "25", "50", "100 %"]
