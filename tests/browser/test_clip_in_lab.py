"""A clip in a real JupyterLab: the frame that is seen, the slider, the keys, and playing."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from page_driver import frames, says, until
from PIL import Image

pytestmark = [pytest.mark.browser, pytest.mark.full]

#: Four frames, each of one color.
COLORS = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0)]

CODE = f"""
import numpy as np
import torch
from torch import nn
import camwidget as cw


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv3d(3, 6, 3, stride=2, padding=1)
        self.fc = nn.Linear(6, 3)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3, 4)))


model = cw.wrap(Net(), cw.Preprocess(32, frames=4), ["a", "b", "c"])
clip = np.empty((4, 32, 32, 3), np.uint8)
clip[:] = np.array({COLORS!r}, np.uint8)[:, None, None]
ex = cw.Explorer(model, [clip])
ex._parts.view.overlay = False
ex
"""


@pytest.fixture(scope="module")
def shown(browser: Any, lab: Any) -> Iterator[Any]:
    page = lab.page(browser)
    page.open(lab.write("clip", CODE))
    page.widget()
    page.settled()
    yield page
    page.close()


def color(page: Any) -> tuple[int, ...]:
    """The color in the middle of the picture's frame on the screen."""
    taken = page.locator(".camwidget-frame").first.screenshot()
    pixels = np.asarray(Image.open(io.BytesIO(taken)).convert("RGB"))
    return tuple(int(v) for v in pixels[pixels.shape[0] // 2, pixels.shape[1] // 2])


def sees(page: Any, frame: int) -> None:
    says(page, ".camwidget-frame-number", f"{frame + 1} / 4")
    frames(page)
    assert color(page) == COLORS[frame]


def test_one_frame_is_seen_by_slider_and_keys(shown: Any) -> None:
    page = shown.page
    sees(page, 0)
    box = page.locator(".camwidget-frame").first.bounding_box()
    assert abs(box["width"] - box["height"]) < 2  # a frame's shape, not the strip's
    slider = page.locator(".camwidget-frames")
    slider.fill("2")
    sees(page, 2)
    page.locator(".camwidget-frame").first.focus()
    page.keyboard.press(">")
    sees(page, 3)
    page.keyboard.press("<")
    sees(page, 2)
    shown.settled()
    shown.comes_to("ex.state['frame']", 2)


def test_a_clip_plays_and_pauses(shown: Any) -> None:
    page = shown.page
    page.locator(".camwidget-frame").first.focus()
    page.keyboard.press("k")
    for frame in (0, 3):  # it has passed the end, and begun again
        says(page, ".camwidget-frame-number", f"{frame + 1} / 4")
    page.keyboard.press("Escape")
    until(
        page, "() => document.querySelector('.camwidget-play-frames').ariaLabel === 'Play the clip'"
    )
    last = page.locator(".camwidget-frame-number").inner_text()
    sees(page, int(last[0]) - 1)
