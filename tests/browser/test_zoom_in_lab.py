"""Zooming, panning and the pointer's readout with a real wheel and pointer in JupyterLab."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from page_driver import frames, until

import camwidget as cw
from camwidget import zoo
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.browser, pytest.mark.full]

# Far enough down, and with enough below it, for the page to scroll both ways.
ABOVE = "from IPython.display import HTML\nHTML('<div style=\"height: 500px\"></div>')"
EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"

SCROLLED = """() => {
  let box = document.querySelector(".camwidget-explorer");
  const scrolls = () => box.scrollHeight > box.clientHeight + 1 && getComputedStyle(box).overflowY !== "visible";
  while (!scrolls()) box = box.parentElement;
  return box.scrollTop;
}"""

SCALE = """() => {
  const width = (name) => document.querySelector(name).getBoundingClientRect().width;
  return width(".camwidget-canvas") / width(".camwidget-clip");
}"""


def test_wheel_drag_and_hover(open_page: Callable[..., Any], textures: cw.VisionModel) -> None:
    shown = open_page(viewport={"width": 1280, "height": 800})
    page = shown.page
    shown.open(shown.lab.write("closer", ABOVE, EXPLORER, ABOVE, ABOVE))
    shown.widget()
    until(page, "() => document.querySelector('.camwidget-play')?.ariaDisabled === 'false'")
    page.locator(".camwidget-clip").first.scroll_into_view_if_needed()
    # Every turn of the wheel, and when.
    page.evaluate(
        """() => {
          window.turned = [];
          addEventListener("wheel", (event) => window.turned.push(event.timeStamp), {capture: true, passive: true});
        }"""
    )
    frames(page)

    def point(x: float, y: float) -> None:
        box = page.locator(".camwidget-clip").first.bounding_box()
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])

    def turn(pixels: float) -> None:
        """Turn the wheel; the page hears of it a little later."""
        count = page.evaluate("window.turned.length")
        page.mouse.wheel(0, pixels)
        until(page, "(count) => window.turned.length > count", count)
        frames(page)

    def pause() -> None:
        """Wait until what follows is another gesture, 300 ms after the last turn."""
        until(page, "() => performance.now() - (window.turned.at(-1) ?? 0) > 330")

    def read() -> str:
        return page.locator(".camwidget-readout-pixel").inner_text()

    def scrolled() -> float:
        return page.evaluate(SCROLLED)

    def scale() -> float:
        return page.evaluate(SCALE)

    # What is read under the pointer is what the kernel knows of that pixel.
    sample = zoo.samples("zoo/textures")[0]
    exp = cw.explain(textures, sample.image)
    height, width = exp.saliency.shape
    x, y = 80, 77
    point((x + 0.5) / width, (y + 0.5) / height)
    level = int(rank_levels(exp.saliency)[y, x])
    said = f"saliency {np.round(exp.saliency[y, x] * 255) / 255:.2f}"
    assert read().split(" · ")[0] == said
    assert read().split(" · ")[1] == f"top {math.ceil(1000 * (level + 1) / 65536) / 10:.1f}\u00a0%"
    name = textures.predict(sample.image, top=1).names[0]
    assert page.locator(".camwidget-readout-classes > span").first.inner_text().startswith(name)

    # The wheel zooms about the pointer, and the page stays.
    before, top = read(), scrolled()
    turn(-240)
    turn(-240)
    assert scale() == pytest.approx(math.exp(2 * 0.3), rel=0.01)
    assert (read(), scrolled()) == (before, top)

    # A drag moves the picture with the hand, and asks nothing.
    page.mouse.down()
    point((x + 0.5) / width - 0.1, (y + 0.5) / height - 0.1)
    page.mouse.up()
    frames(page)
    assert read() == before, "the same pixel, elsewhere"
    assert not page.locator(".camwidget-class-probe-marker").is_visible()
    page.keyboard.press("0")
    assert scale() == 1
    assert read() != before

    # Whole, it lets the page scroll; and a gesture that scrolls goes on when the picture comes under the pointer.
    pause()
    turn(120)
    assert scale() == 1
    until(page, f"(top) => ({SCROLLED})() > top", top)  # scrolling is smooth
    page.mouse.move(
        *(page.locator(".camwidget-class-header").bounding_box()[k] + 9 for k in ("x", "y"))
    )
    pause()
    before = page.evaluate("window.turned.length")
    page.mouse.wheel(0, -60)
    point(0.5, 0.5)
    page.mouse.wheel(0, -60)
    until(page, "(count) => window.turned.length === count + 2", before)
    pause()
    first, second = page.evaluate("window.turned.slice(-2)")
    if second - first < 290:  # or this machine was too slow for one gesture
        assert scale() == 1
    turn(-120)
    assert scale() > 1
