"""Comparison of two maps in a real JupyterLab: side by side, split, and as a difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from page_driver import fraction_is, painted, status_has, until

import camwidget as cw
from camwidget import zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.browser, pytest.mark.full]

NOTEBOOK = "import camwidget as cw\nex = cw.Explorer()\nex"


@pytest.fixture(scope="module")
def page(browser: Any, lab: Any) -> Iterator[Any]:
    """A Lab page with the default explorer, in which B has the layer before."""
    shown = lab.page(browser, viewport={"width": 1330, "height": 1200})
    shown.open(lab.write("compare", NOTEBOOK))
    shown.widget()
    yield shown.page
    shown.close()


def box(page: Any, selector: str) -> dict[str, float]:
    return page.locator(selector).bounding_box()


def choose(page: Any, what: str, value: str) -> None:
    page.locator(f".camwidget-compare select[aria-label='{what}']").select_option(value)


def b_is(page: Any, text: str) -> None:
    until(
        page,
        "(t) => document.querySelector('.camwidget-caption-line[data-of=B]').textContent.includes(t)",
        text,
    )


def test_two_layers_are_compared(page: Any, textures: cw.VisionModel) -> None:
    sample = zoo.samples("zoo/textures")[0].image
    target = textures.predict(sample).names[0]
    a, b = (cw.explain(textures, sample, target, layer=x).saliency for x in ("stage4", "stage3"))
    status_has(page, target)

    # Side by side: frames of one size beside each other, which stay where they are when B comes.
    page.locator(".camwidget-compare-open").click()
    first = box(page, ".camwidget-frame")
    b_is(page, target)
    choose(page, "B differs in", "layer")
    b_is(page, f"stage3 · {target}")
    one, two = box(page, ".camwidget-frame"), box(page, ".camwidget-compared-frame")
    assert one == first
    assert (one["y"], one["width"], one["height"]) == (two["y"], two["width"], two["height"])
    assert two["x"] > one["x"] + one["width"]

    # The slider masks both, each by its own map, to the byte; the models' numbers follow.
    page.locator(".camwidget-map-style-open").click()
    page.locator(".camwidget-map-style button", has_text="overlay").click()
    fraction_is(page, 30)
    source = textures.preprocess.pixels(sample)
    for selector, saliency in ((".camwidget-canvas", a), (".camwidget-compared-canvas", b)):
        masked = mask_pixels(source, rank_levels(saliency), [0.3])[0]
        expected = masked.mul(255).round().byte().permute(1, 2, 0).numpy()
        painted(page, expected, selector=selector)
    after = cw.mask_curve(textures, sample, b, target).probability[6]
    until(
        page,
        "(t) => document.querySelector('.camwidget-caption-line[data-of=B]').textContent.endsWith(t)",
        f"→ {after:.2f}",
    )
    assert page.locator(".camwidget-compared-numbers .camwidget-number").count() == 6

    # The pointer in A is marked at the same place in B, and both numbers are said.
    one, two = box(page, ".camwidget-frame"), box(page, ".camwidget-compared-frame")  # scrolled
    # Chromium's mouse events have whole CSS pixels.
    left, top = int(one["x"] + 0.4 * one["width"]), int(one["y"] + 0.35 * one["height"])
    page.mouse.move(left, top)
    cross = box(page, ".camwidget-compared-inner > .camwidget-cross")
    assert abs(cross["x"] + cross["width"] / 2 - two["x"] - 0.4 * two["width"]) < 2
    assert abs(cross["y"] + cross["height"] / 2 - two["y"] - 0.35 * two["height"]) < 2
    x = int((left - one["x"]) / one["width"] * 192)
    y = int((top - one["y"]) / one["height"] * 192)
    # The page has the maps in steps of 1/255.
    numbers = [f"{round(float(one_map[y, x]) * 255) / 255:.2f}" for one_map in (a, b)]
    assert page.locator(".camwidget-compare-readout").inner_text() == "A {} · B {}".format(*numbers)

    # Split: the line is dragged, by the hand and by keys, and nothing is asked at the point below.
    page.locator('.camwidget-compare [data-name="split"]').click()
    frame, grip = box(page, ".camwidget-frame"), box(page, ".camwidget-divider")
    page.mouse.move(grip["x"] + grip["width"] / 2, grip["y"] + 100)
    page.mouse.down()
    page.mouse.move(frame["x"] + 0.25 * frame["width"], grip["y"] + 120, steps=5)
    page.mouse.up()
    page.keyboard.press("ArrowRight")
    clip = page.locator(".camwidget-compared-sheet").evaluate("(e) => e.style.clipPath")
    assert float(clip.rstrip("%)").split()[-1]) == pytest.approx(27, abs=0.4)
    assert page.locator(".camwidget-class-probe-marker").is_hidden()
    assert page.locator(".camwidget-fraction").input_value() == "30"

    # Difference: Python's numbers, as colors over the picture in gray.
    page.locator('.camwidget-compare [data-name="difference"]').click()
    page.locator(".camwidget-map-style button", has_text="overlay").click()
    from matplotlib import colormaps

    apart = a - b
    gray = np.round(sample @ np.array([77, 150, 29]) / 256)[..., None]
    weight = 0.65 * (1 - (1 - np.abs(apart)) ** 3)[..., None]
    color = colormaps["coolwarm"]((apart + 1) / 2)[..., :3] * 255
    expected = gray * (1 - weight) + color * weight
    painted(page, expected, off=4, selector=".camwidget-compared-canvas")
    assert page.locator(".camwidget-compare-legend").inner_text().split("\n") == [
        "more in B", "more in A",
    ]  # fmt: skip
    page.keyboard.press("v")
    until(page, "() => !document.querySelector('.camwidget-compared-canvas')")
    assert box(page, ".camwidget-frame")["width"] == 360
