"""Saved pages in Firefox: what is drawn, the slider, and the model that a live page runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from firefox_driver import Firefox, file_url, firefox_path

import camwidget as cw
from camwidget import zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.browser, pytest.mark.full]

#: The key of WebDriver that moves a slider up.
RIGHT = "\ue014"
SENTENCE = "document.querySelector('.camwidget-mask-sentence').textContent"
PICTURE = zoo.samples("zoo/textures")[0].image


@pytest.fixture(scope="module")
def firefox() -> Iterator[Firefox]:
    path = firefox_path()
    if path is None:
        reason = "no Firefox is installed (Debian: apt-get install firefox-esr)"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    running = Firefox(path)
    yield running
    running.close()


@pytest.mark.parametrize("live", [False, True], ids=["computed", "live"])
def test_a_saved_page(
    firefox: Firefox, textures: cw.VisionModel, tmp_path: Path, live: bool
) -> None:
    file = tmp_path / "page.html"
    cw.save_page(
        textures, PICTURE, file, classes=3, methods=["gradcam"], layers=[textures.default_layer], live=live
    )  # fmt: skip
    firefox.open(file_url(file))
    firefox.until("document.querySelector('.camwidget-canvas') !== null")
    if live:
        firefox.until("performance.getEntriesByName('camwidget-model-ready').length > 0")
    blank = firefox.value(
        "[...document.querySelector('.camwidget-canvas').getContext('2d')"
        ".getImageData(0, 0, 50, 50).data].every((value) => value === 0)"
    )
    assert not blank
    firefox.value("document.querySelector('.camwidget-fraction').focus()")
    firefox.press(RIGHT, 30)
    firefox.until(f"{SENTENCE}.includes('30 %') && {SENTENCE}.includes('→')")

    exp = cw.explain(textures, PICTURE, method="gradcam")
    pixels = textures.pixels(PICTURE)[0]
    masked = mask_pixels(pixels, rank_levels(exp.saliency), [0.3])
    after = textures.probabilities(textures.logits(masked))[0, exp.target.index]
    before = exp.prediction.probabilities[0]
    assert f"({before:.2f} → {after:.2f})" in firefox.value(SENTENCE)
