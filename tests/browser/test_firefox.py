"""Saved pages in Firefox: what is drawn, the slider, and the model that a live page runs."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from firefox_driver import Firefox, file_url, firefox_path
from PIL import Image

import camwidget as cw
from camwidget import zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = [pytest.mark.browser, pytest.mark.full]

#: The key of WebDriver that moves a slider up.
RIGHT = "\ue014"
SENTENCE = "document.querySelector('.camwidget-mask-sentence').textContent"
#: Drops or pastes a file, as the browser would: its bytes in base64, its name, and which of the two.
HAND = """(() => {
  const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], "%s", {type: "image/png"}));
  const shared = {bubbles: true, cancelable: true};
  const event = "%s" === "drop"
    ? new DragEvent("drop", {...shared, dataTransfer: transfer})
    // Firefox leaves a script's own clipboard data out of the event.
    : Object.defineProperty(new Event("paste", shared), "clipboardData", {value: transfer});
  document.querySelector(".camwidget-frame").dispatchEvent(event);
})()"""
#: The mask is taken away with the map, until both are shown again.
HIDE_MAP = """(() => {
  document.querySelector(".camwidget-map-style-open").click();
  [...document.querySelectorAll("button")].find((one) => one.textContent === "overlay").click();
  const slider = document.querySelector(".camwidget-fraction");
  slider.value = "0";
  slider.dispatchEvent(new Event("input", {bubbles: true}));
  slider.dispatchEvent(new Event("change", {bubbles: true}));
})()"""
SHOW_MAP = HIDE_MAP.replace('"0"', '"30"')
PIXELS = """(() => {
  const canvas = document.querySelector(".camwidget-canvas");
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const rgb = data.filter((_, at) => at % 4 < 3);
  let text = "";
  for (let at = 0; at < rgb.length; at += 3072) text += btoa(String.fromCharCode(...rgb.subarray(at, at + 3072)));
  return text;
})()"""
CHOOSE_SAVED = """(() => {
  const chosen = document.querySelector(".camwidget-own-chosen");
  chosen.selectedIndex = 0;
  chosen.dispatchEvent(new Event("change", {bubbles: true}));
})()"""
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


def pictures_of_ones_own(firefox: Firefox, model: cw.VisionModel, folder: Path) -> None:
    """Drop a picture and paste one: their pixels are the kernel's, byte for byte."""
    noise = np.random.default_rng(4).integers(0, 256, (9, 7, 3)).astype(np.uint8)
    for number, kind in enumerate(("drop", "paste")):
        path = folder / f"{kind}.png"
        Image.fromarray(np.rot90(noise, number).copy()).resize((301 + 40 * number, 217)).save(path)
        pixels = (model.pixels(path)[0] * 255).round().byte().permute(1, 2, 0).contiguous()
        data = base64.b64encode(path.read_bytes()).decode()
        firefox.value(HAND % (data, path.name, kind))
        name = path.name if kind == "drop" else "pasted picture"
        chosen = "document.querySelector('.camwidget-own-chosen').selectedOptions[0]?.text"
        firefox.until(f"{chosen} === '{name}'")
        # The map is drawn over the pixels: without it they are as the model gets them.
        firefox.value(HIDE_MAP)
        firefox.until(f"({PIXELS}) === '{base64.b64encode(pixels.numpy().tobytes()).decode()}'")
        firefox.value(SHOW_MAP)


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

    if live:
        pictures_of_ones_own(firefox, textures, tmp_path)
        firefox.value(CHOOSE_SAVED)
        firefox.until(f"{SENTENCE}.includes('30 %') && {SENTENCE}.includes('→')")
    exp = cw.explain(textures, PICTURE, method="gradcam")
    pixels = textures.pixels(PICTURE)[0]
    masked = mask_pixels(pixels, rank_levels(exp.saliency), [0.3])
    after = textures.probabilities(textures.logits(masked))[0, exp.target.index]
    before = exp.prediction.probabilities[0]
    assert f"({before:.2f} → {after:.2f})" in firefox.value(SENTENCE)
