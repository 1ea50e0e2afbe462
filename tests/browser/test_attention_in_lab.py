"""The attention panel in a real JupyterLab: drawn where it is clicked, by keyboard too, in light and dark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_driver import still, until
from test_accessibility import findings, focused

pytestmark = [pytest.mark.browser, pytest.mark.full]

#: A transformer as deep as ViT-B/16, with two tokens of high norm.
NOTEBOOK = """
import torch, torchvision, camwidget as cw
torch.manual_seed(0)
module = torchvision.models.VisionTransformer(112, 8, 12, 12, 48, 96, num_classes=5)
with torch.no_grad():
    for name, p in module.named_parameters():
        if "in_proj_weight" in name: p.mul_(4)
    module.encoder.pos_embedding.normal_(std=.3)
    module.encoder.pos_embedding[0, [30, 100]] *= 300
model = cw.wrap(module.eval(), cw.Preprocess(112), scores="softmax", name="vit")
ex = cw.Explorer(model, [s.image for s in cw.zoo.samples("zoo/scenes")[:2]], top=4)
ex
"""

GRID, PICTURE = ".camwidget-attention-parts > canvas", ".camwidget-attention-side canvas"
CHOSEN = "[*map(int, ex._parts.panels.attention.cell), ex._parts.panels.attention.maps.query]"

#: The color of a canvas at a place in CSS pixels.
COLOR = """([selector, x, y]) => {
  const canvas = document.querySelector(selector);
  const scale = canvas.width / canvas.getBoundingClientRect().width;
  return [...canvas.getContext("2d").getImageData(Math.round(x * scale), Math.round(y * scale), 1, 1).data];
}"""


def test_a_grid_of_heads_and_one_over_the_picture(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 1280, "height": 720})
    shown.open(lab.write("attention", NOTEBOOK))
    shown.widget()
    page = shown.page
    page.locator(".camwidget-panels").get_by_text("Attention:").click()
    until(page, "(s) => document.querySelector(s)?.width > 100", GRID)
    shown.execute("ex.wait(120)")
    panel = page.locator(".camwidget-attention")
    panel.scroll_into_view_if_needed()
    still(page)
    box = panel.bounding_box()
    assert box["height"] < 620, "all of it is seen at once on a small screen"
    grid, picture = (page.locator(s).bounding_box() for s in (GRID, PICTURE))
    assert picture["x"] >= grid["x"] + grid["width"] and abs(picture["y"] - grid["y"]) < 2
    assert shown.value(CHOSEN) == [11, 12, 0]

    # Each map is drawn where a click finds it: the strongest patch has the colormap's last color.
    place = """(lambda p, cell: [p._drawn.cells.corner(*cell), p._drawn.cells.patch / 2,
        [int(i) for i in __import__("numpy").unravel_index(p.maps.values[cell].argmax(), (14, 14))]])"""
    (x, y), side, (row, column) = shown.value(f"{place}(ex._parts.panels.attention, (4, 7))")
    strongest = [GRID, x + (column + 0.5) * side, y + (row + 0.5) * side]
    assert page.evaluate(COLOR, strongest) == [252, 254, 164, 255], "the end of inferno"
    page.locator(GRID).click(position={"x": x + 3, "y": y + 3})
    shown.comes_to(CHOSEN, [4, 7, 0])
    page.get_by_text("Layer 4, head 7: the class token gives").wait_for()

    # By keyboard, and out again.
    assert focused(page, GRID)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowRight")
    shown.comes_to(CHOSEN, [3, 8, 0])
    page.keyboard.press("Tab")
    assert focused(page, PICTURE)
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft"):
        page.keyboard.press(key)
        shown.execute("ex.wait(60)")
    shown.comes_to(CHOSEN, [3, 8, [8, 6]])

    # A click on a patch, and on the switch.
    page.locator(PICTURE).click(position={"x": 10.5 * 20, "y": 3.5 * 20})
    shown.comes_to(CHOSEN, [3, 8, [3, 10]])
    page.get_by_label("leave out outlier tokens (2)").check()
    page.get_by_text("outlier tokens left out: the patch in row 3").wait_for()
    until(page, "() => !document.querySelector('.camwidget-attention-waiting')")

    # Another picture: the choices stay.
    shown.execute("ex.picture = 1; ex.wait(120)")
    assert shown.value(CHOSEN) == [3, 8, [3, 10]]
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
        assert findings(page, ".camwidget-attention") == [], theme
