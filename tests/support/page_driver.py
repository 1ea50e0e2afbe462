"""Interactions of browser tests with an explorer on a page, in any application. Each helper waits for a condition."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np

#: Milliseconds that a browser test waits for what must come: machines are slow at times, and waiting costs nothing
#: where it comes.
PATIENCE = 60_000

CANVAS = ".camwidget-canvas"

# The canvas's own pixels, not a screenshot's; a string crosses faster than a list of numbers.
_PIXELS = """(canvas) => {
  const {width, height} = canvas;
  const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
  let text = "";
  for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
  return [width, height, btoa(text)];
}"""

_STILL = """() => document.getAnimations().every(
  (one) => one.playState !== "running" || one.effect.getComputedTiming().endTime === Infinity
)"""


def until(page: Any, expression: str, argument: Any = None) -> None:
    """Wait until a JavaScript expression is true."""
    page.wait_for_function(expression, arg=argument, timeout=PATIENCE)


def frames(page: Any, count: int = 2) -> None:
    """Wait until the page has painted so many times: what it does by itself after an event is done then."""
    page.evaluate(
        """async (count) => {
          for (let i = 0; i < count; i++) await new Promise((r) => requestAnimationFrame(r));
        }""",
        count,
    )


def still(page: Any) -> None:
    """Wait until no transition is under way; what moves for ever does not count."""
    frames(page)
    until(page, _STILL)


def says(page: Any, selector: str, text: str) -> None:
    """Wait until an element contains this text."""
    until(page, "([s, t]) => document.querySelector(s)?.textContent.includes(t)", [selector, text])


def shows(page: Any, selector: str, text: str | re.Pattern[str]) -> None:
    """Wait as ``says`` does, also inside of shadow roots (marimo)."""
    page.locator(selector).filter(has_text=text).first.wait_for(timeout=PATIENCE)


def status_has(page: Any, text: str) -> None:
    """Wait until the line under the picture contains this text."""
    says(page, ".camwidget-status", text)


def numbers(page: Any) -> list[str]:
    return page.locator(".camwidget-numbers > .camwidget-number").all_inner_texts()


def answered(page: Any) -> None:
    """Wait until every row shows "unmasked → masked"."""
    until(
        page,
        """() => [...document.querySelectorAll('.camwidget-numbers > .camwidget-number')]
          .every((n) => n.textContent.includes('→'))""",
    )


def fraction_is(page: Any, percent: float) -> None:
    """Move the slider."""
    page.locator(".camwidget-fraction").first.evaluate(
        """(slider, value) => {
          slider.value = String(value);
          slider.dispatchEvent(new Event("input", {bubbles: true}));
        }""",
        percent,
    )


# -- a canvas --------------------------------------------------------------------------------


def canvas_pixels(page: Any, selector: str = CANVAS) -> np.ndarray:
    """The pixels of a canvas now, uint8 (H, W, 3)."""
    width, height, data = page.locator(selector).first.evaluate(_PIXELS)
    flat = np.frombuffer(base64.b64decode(data), np.uint8)
    return flat.reshape(height, width, 4)[..., :3]


def painted(page: Any, expected: np.ndarray, off: int = 0, selector: str = CANVAS) -> None:
    """Wait until the canvas shows these pixels; each may be off by so many shades."""
    shown = _seen(page, selector, lambda now: _is_like(now, expected, off))
    np.testing.assert_allclose(shown.astype(float), expected, atol=off, rtol=0)


def repainted(page: Any, before: np.ndarray, why: str = "", selector: str = CANVAS) -> np.ndarray:
    """Wait until the canvas shows another picture; what it shows then."""
    shown = _seen(page, selector, lambda now: not np.array_equal(now, before))
    assert not np.array_equal(shown, before), why
    return shown


def _is_like(shown: np.ndarray, expected: np.ndarray, off: float) -> bool:
    same_size = shown.shape == expected.shape
    return same_size and float(np.abs(shown.astype(float) - expected).max()) <= off


def _seen(page: Any, selector: str, fits: Callable[[np.ndarray], Any]) -> np.ndarray:
    """The canvas's pixels when they fit; whatever they are in the end, if they do not."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not fits(shown := canvas_pixels(page, selector)) and time.monotonic() < deadline:
        page.wait_for_timeout(50)  # between two looks
    return shown
