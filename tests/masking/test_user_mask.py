"""Painted masks: accepted forms, their encoding, and their combination with the mask by rank."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import camwidget as cw
from camwidget.errors import PictureError
from camwidget.masking.baselines import baseline_pixels
from camwidget.masking.masked_pixels import (
    hidden_pixels,
    mask_pixels,
    multiply_pixels,
    paint_pixels,
)
from camwidget.masking.rank_rule import rank_levels
from camwidget.masking.user_mask import (
    as_paint,
    decode,
    encode,
    has_hidden,
    is_same_paint,
    painted_fractions,
)

shades = hnp.arrays(
    np.int8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(-1, 1)
)


@given(shades)
@settings(max_examples=80, deadline=None)
def test_runs_come_back_as_they_were(paint: np.ndarray) -> None:
    runs = encode(paint)
    again = decode(runs, paint.shape)
    np.testing.assert_array_equal(np.zeros_like(paint) if again is None else again, paint)
    assert (again is None) == (not paint.any()) == (runs == [])
    assert all(type(value) is int for value in runs), "for JSON"


@pytest.mark.parametrize(
    ("flat", "runs"),
    [
        # js/tests/brush.test.ts has the same.
        ([0, 0, 0, 0, 0, 0], []),
        ([1, 1, 1, 1, 1, 1], [1, 6]),
        ([0, 1, 1, -1, 0, 0], [0, 1, 1, 2, -1, 1]),
        ([-1, 0, 0, 0, 0, 1], [-1, 1, 0, 4, 1, 1]),
    ],
)
def test_runs_are_those_of_the_browser(flat: list[int], runs: list[int]) -> None:
    assert encode(np.array(flat, np.int8).reshape(2, 3)) == runs
    assert encode(None) == encode(np.zeros((0, 3), np.int8)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        [1],
        [2, 1],
        [1, 0],
        [1, -2],
        [1, 7],
        [1, 2.5],
        ["1", 2],
        [True, 2],
        [1, 3, 0, 4],
        None,
        "1",
        {},
    ],
)
def test_malformed_runs(wrong: Any) -> None:
    with pytest.raises(PictureError):
        decode(wrong, (2, 3))


@pytest.mark.parametrize("value", [7, 2, -2])
def test_what_paint_cannot_be_is_named(value: int) -> None:
    with pytest.raises(PictureError, match=rf"not {value}: for 0 and 255, give mask > 0"):
        as_paint(np.array([[0, -1, 1, value]]))


def test_paints_are_alike_pixel_by_pixel() -> None:
    one, same, other = (np.array([row], np.int8) for row in ([0, 1], [0, 1], [0, -1]))
    assert is_same_paint(one, one) and is_same_paint(one, same) and is_same_paint(None, None)
    assert (
        not is_same_paint(one, other)
        and not is_same_paint(one, None)
        and not is_same_paint(None, one)
    )


def test_what_is_taken_for_paint() -> None:
    hidden = as_paint(np.array([[True, False]]))
    assert hidden.dtype == np.int8 and hidden.tolist() == [[1, 0]] and has_hidden(hidden)
    assert as_paint([[0, -1]]).tolist() == [[0, -1]] and not has_hidden(as_paint([[0, -1]]))
    assert as_paint(None) is None and as_paint(np.zeros((2, 2), bool)) is None
    assert painted_fractions(as_paint([[1, 1, -1, 0]])) == (0.5, 0.25) and painted_fractions(
        None
    ) == (0, 0)
    given = np.ones((2, 2), np.uint8)
    made = as_paint(given)
    given[:] = 0
    assert made.all() and not made.flags.writeable, "a copy, which cannot be written to"
    with pytest.raises(PictureError, match=r"\(2, 3\), not \(2, 2\): np.zeros"):
        as_paint(np.ones((2, 2), bool), (2, 3))
    with pytest.raises(PictureError, match="float64: compare it"):
        as_paint(np.ones((2, 3)))
    with pytest.raises(PictureError, match=r"not 255: .* mask > 0"):
        as_paint(np.full((2, 3), 255, np.uint8))
    with pytest.raises(PictureError, match=r"\(H, W\)"):
        as_paint(np.ones(3, bool))


@given(mode=st.sampled_from(["remove", "keep"]), fraction=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_the_rule(mode: str, fraction: float, seed: int) -> None:
    """The slider first, then 1 is the fill and -1 the picture: pixel by pixel, and without paint as before."""
    rng = np.random.default_rng(seed)
    levels = rank_levels(rng.random((9, 11), dtype=np.float32))
    pixels = torch.from_numpy(rng.random((3, 9, 11), dtype=np.float32))
    paint = rng.integers(-1, 2, (9, 11)).astype(np.int8)
    by_map = mask_pixels(pixels, levels, [fraction], mode=mode, baseline="mean")[0]
    found = mask_pixels(pixels, levels, [fraction], mode=mode, baseline="mean", paint=paint)[0]
    fill = baseline_pixels(pixels, "mean")
    for y, x in np.ndindex(9, 11):
        source = {1: fill, 0: by_map, -1: pixels}[int(paint[y, x])]
        assert torch.equal(found[:, y, x], source[:, y, x])
    hidden = hidden_pixels(levels, [fraction], mode, paint)[0].numpy()
    assert hidden[paint == 1].all() and not hidden[paint == -1].any()
    product = multiply_pixels(pixels, rng.random((9, 11), dtype=np.float32))
    over = paint_pixels(product, pixels, paint, "mean")
    assert torch.equal(over[:, paint == 1], fill[:, paint == 1])
    assert torch.equal(over[:, paint == -1], pixels[:, paint == -1])
    assert torch.equal(over[:, paint == 0], product[:, paint == 0])


def test_a_curve_of_a_painted_picture(textures: cw.VisionModel, noise: torch.Tensor) -> None:
    exp = cw.explain(textures, noise)
    paint = np.zeros((224, 224), np.int8)
    paint[:112], paint[180:] = 1, -1
    for mode in ("remove", "keep"):
        curve = cw.mask_curve(
            textures, noise, exp, mode=mode, baseline="mean", steps=4, paint=paint
        )
        assert curve.target == exp.target.index, "None is the class of the whole picture"
        first = exp.prediction.indices[:4]
        assert curve.others == tuple(i for i in first if i != curve.target)[:3]
        stack = mask_pixels(
            noise,
            rank_levels(exp),
            curve.fraction.tolist(),
            mode=mode,
            baseline="mean",
            paint=paint,
        )
        alone = textures.logits(stack).softmax(1)[:, curve.target]
        np.testing.assert_allclose(curve.probability, alone, atol=1e-5)
    with pytest.raises(PictureError, match="224"):
        cw.mask_curve(textures, noise, exp, paint=paint[:7])
