"""Painting with a real mouse in JupyterLab: immediate display, and the pixels that the model receives."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_driver import canvas_pixels, fraction_is, frames, painted, until

import camwidget as cw
from camwidget import zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.browser, pytest.mark.full]

EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"

MASK = "ex.wait(120).mask.tobytes().hex()"

# Waits for a lock on a file with the GIL held, so that no thread of the kernel can answer.
BLOCK = """
import ctypes
flock, file = ctypes.PyDLL(None).flock, open({lock!r})
open({begun!r}, "w").close(); flock(file.fileno(), 2)
"""


def drag(page: Any, *spots: tuple[float, float]) -> None:
    """Along these places, as parts of the picture."""
    box = page.locator(".camwidget-canvas").bounding_box()
    points = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in spots]
    page.mouse.move(*points[0])
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*point, steps=8)
    page.mouse.up()
    frames(page)


def test_painting(
    lab: Any, open_page: Callable[..., Any], textures: cw.VisionModel, tmp_path: Path
) -> None:
    shown = open_page()
    shown.open(lab.write("paint", EXPLORER))
    shown.widget()
    page = shown.page
    image = zoo.samples("zoo/textures")[0].image
    exp = cw.explain(textures, image)
    pixels, levels = textures.preprocess.pixels(image), rank_levels(exp.saliency)

    boxes = False

    def mask() -> np.ndarray:
        """The kernel's paint, once it has heard all that the page has sent: messages keep their order."""
        nonlocal boxes
        boxes = not boxes
        page.keyboard.press("b")
        shown.comes_to("ex.boxes", boxes)
        return np.frombuffer(bytes.fromhex(shown.value(MASK)), np.int8).reshape(192, 192)

    def shows(fraction: float, baseline: str, paint: np.ndarray) -> None:
        """The numbers are the model's, and the canvas has the pixels that they are about."""
        masked = mask_pixels(pixels, levels, [fraction], baseline=baseline, paint=paint)
        before, after = (
            float(textures.probabilities(textures.logits(x))[0, exp.target.index])
            for x in (pixels[None], masked)
        )
        until(
            page,
            "(t) => document.querySelector('.camwidget-number').textContent === t",
            f"{before:.2f} → {after:.2f}",
        )
        painted(page, (masked[0] * 255).round().byte().permute(1, 2, 0).numpy())

    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Space")
    page.keyboard.press("p")
    drag(page, (0.2, 0.3), (0.45, 0.35), (0.4, 0.55))
    hidden = mask()
    assert 0.04 < (hidden == 1).mean() < 0.12 and (hidden != -1).all()
    shows(0, "blur", hidden)
    assert page.locator(".camwidget-mask-sentence").inner_text().startswith("Hiding the painted")

    # What is kept, with the slider's mask and a fill that only the kernel can make.
    page.keyboard.press("x")
    drag(page, (0.65, 0.35), (0.9, 0.45))
    both = mask()
    assert (both == -1).mean() > 0.04 and ((both == 1) == (hidden == 1)).all()
    fraction_is(page, 25)
    page.locator(".camwidget-fill select").select_option("inpaint")
    shows(0.25, "inpaint", both)

    # The hand does not wait for the kernel.
    page.locator(".camwidget-fill select").select_option("mean")
    shows(0.25, "mean", both)
    page.keyboard.press("x")
    page.keyboard.press("x")
    said, before = page.locator(".camwidget-mask-sentence").inner_text(), canvas_pixels(page)
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = tmp_path / "begun"
        code = BLOCK.format(lock=str(tmp_path / "lock"), begun=str(begun))
        shown.start(code)
        while not begun.exists():
            page.wait_for_timeout(20)
        drag(page, (0.3, 0.85), (0.7, 0.85))
        stroke = canvas_pixels(page)
        assert page.locator(".camwidget-mask-sentence").inner_text() == said, (
            "the kernel was to be blocked"
        )
    changed = (stroke != before).any(2)
    assert changed[153:173, 60:130].all() and not changed[:140].any()
    until(page, "(t) => document.querySelector('.camwidget-mask-sentence').textContent !== t", said)
    last = mask()
    assert (last[153:173, 60:130] == 1).all()
    shows(0.25, "mean", last)
    painted(page, stroke)
