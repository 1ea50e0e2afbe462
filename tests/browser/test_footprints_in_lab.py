"""The footprint example in a real JupyterLab: by mouse, by keyboard, and to axe-core."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_driver import PATIENCE, says, still
from test_accessibility import findings, focused, tab_to

pytestmark = [pytest.mark.browser, pytest.mark.full]

EXAMPLE = """
import camwidget as cw
ex = cw.FootprintExample()
ex
"""

BOX, KEYS = ".camwidget-footprints-box", ".camwidget-footprints-keys"
STATUS = ".camwidget-footprints-status"
SIZES = "[int(one.sum()) for one in ex.footprints]"


def test_footprints_are_drawn(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 1280, "height": 720})
    shown.open(lab.write("footprints", EXAMPLE, "1"))
    page = shown.page
    canvas = page.locator(f"{BOX} canvas")
    canvas.wait_for(timeout=PATIENCE)
    still(page)
    cells = page.locator(".jp-Cell").count()
    box = canvas.bounding_box()
    assert box["x"] + box["width"] < 1240, "nothing is cut off"

    # A drag from an empty cell of the third map to the right fills cells.
    left, top = shown.value(
        "ex._canvas.corner(__import__('camwidget').widget.view.footprint_canvas.Cell(2, 6, 1))"
    )
    x, y = box["x"] + left + 7, box["y"] + top + 7
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, 4):
        page.mouse.move(x + 15 * step, y)
        says(page, STATUS, f"A3, row 7, column {2 + step}: filled")
    page.mouse.up()
    shown.comes_to(SIZES, [15, 4, 6])

    # The keyboard is where the pointer was, the notebook gets none of its keys, and Tab leads on.
    assert focused(page, KEYS)
    for key in ("ArrowDown", "Space", "1", "b", "Enter"):
        page.keyboard.press(key)
    says(
        page, STATUS, "A1, row 8, column 5: filled. Weight of A1: Grad-CAM 16/80, Grad-CAM++ 16/18."
    )
    shown.comes_to(SIZES, [16, 4, 7])
    assert page.locator(".jp-Cell").count() == cells
    page.keyboard.press("Tab")
    assert not focused(page, f"{BOX} *")
    page.get_by_role("button", name="Paper's example").focus()
    page.keyboard.press("Enter")
    shown.comes_to(SIZES, [15, 4, 2])
    tab_to(page, KEYS)
    assert (
        page.evaluate("() => document.querySelector('.camwidget-footprints-box canvas').tabIndex")
        < 0
    )

    for theme in ("Light", "Dark"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light",
            arg=str(theme == "Light").lower(),
        )
        still(page)
        assert findings(page, BOX) == [], theme
    page.screenshot(path=str(lab.folder / "footprints.png"))
