"""Parts in a real JupyterLab, of the panel and of a map: a click masks one, a second shows it again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_driver import says, still, until

pytestmark = [pytest.mark.browser, pytest.mark.full]

NOTEBOOK = """
import numpy as np, camwidget as cw
ex = cw.Explorer(top=4)
ex
"""
CANVAS = ".camwidget-factorization canvas"
#: A place of part 2 in CSS pixels of the canvas, away from the part's edge.
PLACE = """(lambda area: [float(300 / max(area.shape) * (i + .5)) for i in __import__("scipy.ndimage").ndimage
    .distance_transform_edt(area == 1).argmax(keepdims=True).flat for i in divmod(int(i), area.shape[1])[::-1]])(
    ex._parts.panels.factorization.found.areas[0])"""
#: Whether what is hidden by paint is part 2.
IS_MASKED = (
    "ex.mask is not None and "
    "bool(((ex.mask == 1) == (ex._parts.panels.factorization.found.areas[0] == 1)).all())"
)


def test_a_click_on_a_color_masks_the_part(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 1280, "height": 900})
    shown.open(lab.write("parts", NOTEBOOK))
    shown.widget()
    page = shown.page
    page.locator(".camwidget-panels").get_by_text("Parts:").click()
    until(page, "(s) => document.querySelector(s)?.width > 100", CANVAS)
    shown.execute("ex.wait(120)")
    canvas = page.locator(CANVAS)
    canvas.scroll_into_view_if_needed()
    still(page)
    x, y = shown.value(PLACE)
    canvas.click(position={"x": x, "y": y})
    shown.comes_to(IS_MASKED, True)
    button = page.locator(".camwidget-factorization button").nth(1)
    button.get_by_text("masked").wait_for()
    # The same from the keyboard.
    button.press("Enter")
    shown.comes_to("ex.mask is None", True)
    button.get_by_text("masked").wait_for(state="detached")
    page.keyboard.press("Enter")
    shown.comes_to(IS_MASKED, True)

    # On the picture: the second part by arrow keys, and back; Tab leads out.
    assert canvas.evaluate("(c) => getComputedStyle(c).cursor") == "pointer"
    canvas.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_text("Enter: Mask part 1.").wait_for()
    page.keyboard.press("ArrowDown")
    page.get_by_text("Enter: Show part 2 again.").wait_for()
    page.keyboard.press("Enter")
    shown.comes_to("ex.mask is None", True)
    page.get_by_text("Enter: Mask part 2.").wait_for()
    page.keyboard.press("Tab")
    until(page, "(s) => document.querySelector(s) !== document.activeElement", CANVAS)


SUPERPIXELS = """
import numpy as np, camwidget as cw
ex = cw.Explorer(cw.load("zoo/scenes", device="cpu"), method="part-occlusion", top=4)
ex
"""
#: Whether what is hidden by paint is the part in the middle of the picture.
IS_HIDDEN = """(lambda labels: ex.mask is not None and bool(
    ((ex.mask == 1) == (labels == labels[labels.shape[0] // 2, labels.shape[1] // 2])).all()
))(ex.explanation.parts.parts.labels)"""
SAY = ".camwidget-mask-sentence"


def test_a_click_hides_a_part_of_the_map(
    lab: Any, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    shown = open_page(viewport={"width": 1280, "height": 900})
    shown.open(lab.write("superpixels", SUPERPIXELS))
    shown.widget()
    shown.settled()
    page = shown.page
    page.locator(".camwidget-parts .over").wait_for(state="attached")
    canvas = page.locator(".camwidget-canvas")
    canvas.scroll_into_view_if_needed()
    still(page)
    canvas.hover()  # in its middle
    says(page, ".camwidget-readout-pixel", "part ")
    assert page.locator(".camwidget-parts .pointed").get_attribute("d") != ""
    canvas.click()
    says(page, SAY, "Hiding the painted")
    shown.comes_to(IS_HIDDEN, True)
    assert "decode(" in shown.value("ex.code")
    canvas.click()
    says(page, SAY, "Nothing is removed yet")
    shown.comes_to("ex.mask is None", True)
    page.locator(".camwidget-history").first.click()
    shown.comes_to(IS_HIDDEN, True)
    page.locator(".camwidget-history").first.click()
    shown.comes_to("ex.mask is None", True)
    # By the keyboard, at the marker, which begins in the middle.
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Enter")
    shown.comes_to(IS_HIDDEN, True)
    page.keyboard.press("h")
    page.locator(".camwidget-parts .over").wait_for(state="detached")
    shown.comes_to("ex.state['parts']", "off")

    shown.execute("ex.state = {'parts': 'auto'}")
    file = tmp_path / "page.html"
    shown.execute(f"_ = ex.save({str(file)!r}, methods=['part-occlusion'], steps=2)")
    saved = page.context.new_page()
    saved.goto(file.as_uri())
    saved.locator(".camwidget-parts .over").wait_for(state="attached")
    saved.locator(".camwidget-canvas").hover()
    says(saved, ".camwidget-readout-pixel", "part ")
