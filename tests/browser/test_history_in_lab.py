"""Undo and redo, code and figure export in a real JupyterLab."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_driver import canvas_pixels, status_has
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.full]


def test_undo_code_and_png(open_page: Callable[..., Any], lab: Any, tmp_path: Path) -> None:
    shown = open_page(permissions=["clipboard-read", "clipboard-write"])
    shown.open(lab.write("history", "1 + 1", "import camwidget as cw\nex = cw.Explorer()\nex"))
    shown.widget()
    shown.execute("ex.wait(120)")
    page = shown.page
    cells = page.locator(".jp-Cell").count()

    frame, undo = page.locator(".camwidget-frame"), page.locator("[aria-label=Undo]")
    assert undo.get_attribute("aria-disabled") == "true"
    page.locator('[role="radio"][data-name="gradcam++"]').click()
    status_has(page, "Grad-CAM++")
    page.locator(".camwidget-map-style-open").click()
    page.locator(".camwidget-map-style button", has_text="overlay").click()
    frame.focus()
    assert page.locator(".camwidget-map-style [aria-pressed=true]", has_text="overlay").count() == 0
    page.keyboard.press("Control+z")
    page.locator(".camwidget-map-style [aria-pressed=true]", has_text="overlay").wait_for()
    status_has(page, "Grad-CAM++")
    page.keyboard.press("Control+z")
    status_has(page, "Grad-CAM ·")
    page.wait_for_function("(b) => b.ariaDisabled === 'true'", arg=undo.element_handle())
    page.keyboard.press("Control+z")  # nothing is left, also not for the notebook
    page.keyboard.press("Control+Shift+z")
    status_has(page, "Grad-CAM++")
    assert page.locator(".jp-Cell").count() == cells

    shown.execute("ex.fraction = 0.3; ex.wait(120)")
    for _ in range(50):  # the code follows what is shown, a little later
        page.locator(".camwidget-code").click()
        page.wait_for_function(
            "() => document.querySelector('.camwidget-export-feedback').textContent === 'copied'"
        )
        code = page.evaluate("() => navigator.clipboard.readText()")
        if "fraction" in code:
            break
        page.wait_for_timeout(200)  # between two looks
    ast.parse(code)
    assert 'method="gradcam++", fraction=0.3' in code and code.startswith("import camwidget as cw")

    canvas = canvas_pixels(page)
    height, width = canvas.shape[:2]
    with page.expect_download() as download:
        page.locator(".camwidget-png").click()
    assert download.value.suggested_filename == "picture_1-Grad-CAM++-stage4-polka-dotted.png"
    download.value.save_as(tmp_path / "saved.png")
    saved = Image.open(tmp_path / "saved.png").convert("RGB")
    assert saved.size == (6 * width, 6 * height) == (1152, 1152)
    enlarged = Image.fromarray(canvas).resize(saved.size, Image.Resampling.BILINEAR)
    apart = np.abs(np.asarray(saved, int) - np.asarray(enlarged, int))
    assert apart.mean() < 2, "smooth, as on the screen"
    assert page.locator(".camwidget-code-drawer").is_hidden()
