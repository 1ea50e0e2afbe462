"""Tone mapping changes displayed maps only; saliency stays linear in the raw map."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as nnF

import camwidget as cw
from camwidget import zoo
from camwidget.attribution.explanation import overlay_heat
from camwidget.attribution.tone_mapping import tone_knee, tone_mapped, tone_note
from camwidget.masking.masked_pixels import multiply_pixels

SPIKY = (np.random.default_rng(0).standard_normal((40, 50)) * 3).clip(-9, 9)
SPIKY = (np.exp(SPIKY) / np.exp(SPIKY).max()).astype(np.float32)

#: Quick settings of slow methods; the scaling is the same.
SETTINGS = {
    "rise": {"masks": 16},
    "part-occlusion": {"parts": 8},
    "kernelshap": {"parts": 6},
    "integrated-gradients": {"steps": 2},
    "smoothgrad": {"samples": 2},
}


def quick_method(name: str) -> cw.Method:
    method = cw.get_method(name)
    known = {key for key, _ in method.options} | set(
        getattr(method.function, "__kwdefaults__", None) or {}
    )
    return method.with_options(**{k: v for k, v in SETTINGS.get(name, {}).items() if k in known})


#: A map of each size and scale; the scaling is the engine's, and the same for all.
QUICK = {"gradcam", "saliency", "eigencam", "occlusion", "lrp", "random"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(m.name, marks=() if m.name in QUICK else pytest.mark.full)
        for m in cw.list_methods()
        if m.group != "Attention"
    ],
)
def test_saliency_is_linear_in_the_positive_part_of_the_raw_map(
    textures: cw.VisionModel, name: str
) -> None:
    """Upsampled and divided by its maximum, and nothing else: what localize and the metrics are given."""
    picture = torch.from_numpy(zoo.samples("zoo/textures")[0].image).permute(2, 0, 1)
    # No part of the picture speaks for a class that is not in it.
    of_parts = ("deep-feature-factorization", "part-occlusion", "kernelshap")
    target = None if name in of_parts else 0
    exp = cw.explain(textures, picture, target, quick_method(name))
    raw = torch.from_numpy(exp.raw)
    if cw.get_method(name).scale == "range":  # only its differences tell
        raw = raw - raw.min()
    size = exp.saliency.shape
    maps = nnF.interpolate(raw.relu()[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    assert maps.max() > 0
    expected = (maps / maps.max()).numpy()
    np.testing.assert_allclose(exp.saliency, expected, rtol=0, atol=1e-6)
    box = cw.localize(expected)
    assert box is not None and box.box == cw.localize(exp).box  # type: ignore[union-attr]


def test_gradients_are_drawn_brighter_than_they_are(textures: cw.VisionModel) -> None:
    sample = zoo.samples("zoo/textures")[0]
    fine, coarse = cw.explain(textures, sample.image, 0, ["saliency", "gradcam"])
    assert fine.knee is not None and np.median(fine.drawn) > 2 * np.median(fine.saliency)
    shown = overlay_heat(fine.pixels, fine.drawn, 0.65, "inferno")
    np.testing.assert_array_equal(np.asarray(fine.overlay()), shown)
    assert coarse.knee is None and coarse.drawn is coarse.saliency
    # The product that metrics and the slider show the model is of the map itself.
    pixels = torch.from_numpy(fine.pixels.copy()).permute(2, 0, 1) / 255
    assert float(multiply_pixels(pixels, fine).mean()) < float(
        multiply_pixels(pixels, fine.drawn).mean()
    )


def test_a_saved_overlay_says_that_it_is_tone_mapped(
    textures: cw.VisionModel, tmp_path: Path
) -> None:
    sample = zoo.samples("zoo/textures")[0]
    for name, says in (("saliency", True), ("gradcam", False)):
        exp = cw.explain(textures, sample.image, 0, name)
        values, _, facts = exp.save(tmp_path / name)
        np.testing.assert_array_equal(np.load(values), exp.saliency)
        assert ("Tone-mapped" in json.loads(facts.read_text())["overlay"]) is says


def test_the_scale_of_a_plot_says_so(textures: cw.VisionModel) -> None:
    sample = zoo.samples("zoo/textures")[0]
    fine, coarse = cw.explain(textures, sample.image, 0, ["saliency", "gradcam"])
    labels = [e.plot().axes[-1].get_ylabel() for e in (fine, coarse)]
    assert "brightened" in labels[0] and "brightened" not in labels[1]


def test_tones_keep_the_order_and_meet_at_the_knee() -> None:
    knee = tone_knee(SPIKY)
    assert knee is not None and knee == pytest.approx(np.quantile(SPIKY, 0.99), rel=0.05)
    drawn = tone_mapped(SPIKY, knee)
    assert drawn.min() >= 0 and drawn.max() == 1
    order = np.argsort(SPIKY, axis=None, kind="stable")
    assert (np.diff(drawn.ravel()[order]) >= 0).all()
    np.testing.assert_allclose(tone_mapped(np.array([0, knee, 1]), knee), [0, 0.9, 1], atol=1e-6)
    assert f"{100 * knee:.2g} %" in tone_note(knee)


def test_maps_that_need_no_tones_have_none() -> None:
    even = np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10)
    for values in (even, np.zeros((10, 10)), np.ones((10, 10))):
        assert tone_knee(values) is None
        np.testing.assert_array_equal(tone_mapped(values, None), values)
    assert tone_note(None) == ""
    # More than 99 % of the pixels have none: what has any is bright.
    single = np.zeros((20, 20), np.float32)
    single[3, 4], single[5, 6] = 1, 0.5
    assert tone_knee(single) == 0.0
    np.testing.assert_allclose(tone_mapped(single, 0.0)[[3, 5, 0], [4, 6, 0]], [1, 0.95, 0])
