"""A saved page that runs the model: its numbers are the kernel's, offline and under its own policy."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_driver import PATIENCE, canvas_pixels, fraction_is, painted, says, until
from PIL import Image
from saved_page import SavedPage
from test_saved_page import HOSTILE, SPY, grid_of

import camwidget as cw
from camwidget.export.live_payload import rounded_pixels
from camwidget.images.conversion import shades
from camwidget.masking.baselines import BASELINES
from camwidget.masking.masked_pixels import mask_pixels, multiply_pixels, paint_pixels
from camwidget.masking.parts import SUPERPIXELS, superpixels
from camwidget.models.detection_model import DetectionModel
from camwidget.widget.view import sentences
from camwidget.widget.view.findings import change_note, lost_note
from camwidget.widget.view.mask_settings import MaskSettings

pytestmark = [pytest.mark.browser, pytest.mark.full]

#: Probabilities in the page and in the kernel differ by less.
CLOSE = 1e-4

#: Settings of RISE in the test's page.
RISE = {"masks": 40, "cells": 5, "keep": 0.4, "seed": 3}

#: Milliseconds from opening to the model's being ready.
READY_AFTER = "() => performance.getEntriesByName('camwidget-model-ready')[0].startTime"
READY = "() => performance.getEntriesByName('camwidget-model-ready').length > 0"
AT_REST = """() => document.querySelector('.camwidget-view:not(.camwidget-own)') !== null
  && document.querySelector('.camwidget-waiting') === null"""
#: Of every row, the width of the bar of the masked picture: a percentage with all its digits.
BARS = """() => [...document.querySelectorAll('.camwidget-bars rect')]
  .filter((_, at) => at % 3 === 2).map((bar) => parseFloat(bar.getAttribute('width')) / 100)"""


#: Drops or pastes a file of these bytes, as the browser would.
HAND = """([data, name, kind]) => {
  const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name, {type: "image/png"}));
  const shared = {bubbles: true, cancelable: true};
  const event = kind === "drop"
    ? new DragEvent("drop", {...shared, dataTransfer: transfer})
    : new ClipboardEvent("paste", {...shared, clipboardData: transfer});
  document.querySelector(".camwidget-frame").dispatchEvent(event);
  if (!event.defaultPrevented) throw new Error("the browser would open the file");
}"""


class LivePage:
    """A live page in a browser without a network."""

    def __init__(self, context: Any, file: Path) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector(".camwidget-canvas", timeout=PATIENCE)

    def ready(self) -> LivePage:
        until(self.page, READY)
        self.rest()
        return self

    def rest(self) -> None:
        until(self.page, AT_REST)

    def slide(self, percent: float, words: str = "") -> None:
        fraction_is(self.page, percent)
        says(self.page, ".camwidget-mask-sentence", words or f"{percent:g} %")
        self.rest()

    def press(self, name: str) -> None:
        self.page.get_by_role("radio", name=name, exact=True).click()
        self.rest()

    def choose(self, label: str) -> None:
        """Press a method, which may be in the panel of further ones; do not wait for its map."""
        method = self.page.get_by_role("radio", name=label, exact=True)
        if not method.is_visible():
            self.page.locator(".camwidget-more").click()
        method.click()

    def bars(self) -> np.ndarray:
        return np.array(self.page.evaluate(BARS))

    def waits(self, fits: Callable[[], Any]) -> None:
        """Wait until this is so, or a test's patience ends: numbers and pixels are drawn in different frames."""
        deadline = time.monotonic() + PATIENCE / 1000
        while not fits() and time.monotonic() < deadline:
            self.page.wait_for_timeout(50)  # between two looks

    def gives(self, wanted: Callable[[], np.ndarray], off: float = CLOSE, what: str = "") -> None:
        """Wait until the first bars have these lengths; each may be off by so much."""

        def is_near() -> bool:
            expected = wanted()
            bars = self.bars()[: len(expected)]
            return bars.shape == expected.shape and float(np.abs(bars - expected).max()) <= off

        self.waits(is_near)
        expected = wanted()
        np.testing.assert_allclose(
            self.bars()[: len(expected)], expected, atol=off, rtol=0, err_msg=what
        )

    def names(self) -> list[str]:
        return self.page.locator(".camwidget-class-names .camwidget-name").all_text_contents()

    def search(self, name: str) -> None:
        field = self.page.locator(".camwidget-class-search .camwidget-search")
        field.fill(name)
        self.page.locator(".camwidget-match").filter(has_text=name).first.wait_for()
        field.press("Enter")
        until(
            self.page,
            "(name) => document.querySelector('.camwidget-name[aria-pressed=true]')?.textContent === name",
            name,
        )
        self.rest()

    def own(self, file: Path) -> None:
        self.page.locator(".camwidget-own input").set_input_files(file)
        until(
            self.page,
            "(name) => document.querySelector('.camwidget-own-chosen').selectedOptions[0]?.text === name",
            file.name,
        )
        until(self.page, "() => document.querySelectorAll('.camwidget-name').length > 0")
        self.rest()

    def handed(self, path: Path, event: str) -> None:
        """Drop or paste a file's bytes."""
        data = base64.b64encode(path.read_bytes()).decode()
        self.page.evaluate(HAND, [data, path.name, event])
        name = path.name if event == "drop" else "pasted picture"
        until(
            self.page,
            "(name) => document.querySelector('.camwidget-own-chosen').selectedOptions[0]?.text === name",
            name,
        )
        until(self.page, "() => document.querySelectorAll('.camwidget-name').length > 0")
        self.rest()

    def overlay_off(self) -> None:
        """Show the pixels that the model gets."""
        overlay = self.page.get_by_role("button", name="overlay")
        if not overlay.is_visible():
            self.page.locator(".camwidget-map-style-open").click()
        if overlay.get_attribute("aria-pressed") == "true":
            overlay.click()

    def saved_picture(self) -> None:
        self.page.locator(".camwidget-own-chosen").evaluate(
            """(select) => {
              select.selectedIndex = 0;
              select.dispatchEvent(new Event("change", {bubbles: true}));
            }"""
        )
        self.rest()

    def happened(self) -> list[str]:
        return list(self.page.evaluate("() => window.happened"))


@pytest.fixture(scope="module")
def opened(browser: Any) -> Iterator[Callable[..., LivePage]]:
    contexts: list[Any] = []

    def build(file: Path, script: str = "", **options: Any) -> LivePage:
        context = browser.new_context(
            offline=True, viewport={"width": 1280, "height": 720}, **options
        )
        context.add_init_script(SPY + script)
        contexts.append(context)
        return LivePage(context, file)

    yield build
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def model() -> cw.VisionModel:
    """The embedded model with hostile names."""
    base = cw.load(device="cpu")
    names = [f"{HOSTILE[i % len(HOSTILE)]} {i}" for i in range(len(base.classes) - 1)]
    return cw.wrap(base.module, base.preprocess, [*names, "last"], name=HOSTILE[1])


@pytest.fixture(scope="module")
def pixels(model: cw.VisionModel) -> torch.Tensor:
    return model.pixels(cw.zoo.samples("zoo/textures")[0].image)[0]


@pytest.fixture(scope="module")
def file(
    model: cw.VisionModel, pixels: torch.Tensor, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    folder = tmp_path_factory.mktemp("live")
    save(model, pixels, folder)
    return folder / "page.html"


def save(model: cw.VisionModel, pixels: torch.Tensor, folder: Path) -> None:
    cw.save_page(
        model, pixels, folder / "page.html", name=HOSTILE[0], title=HOSTILE[2], classes=3, live=True,
        methods=["gradcam", "cam", "layercam", "saliency"], layers=[model.layers[0].name, model.default_layer],
        layer=model.default_layer,
    )  # fmt: skip


@pytest.fixture(scope="module")
def live(file: Path, opened: Callable[..., LivePage]) -> LivePage:
    return opened(file).ready()


def probabilities(model: cw.VisionModel, masked: torch.Tensor) -> np.ndarray:
    return model.probabilities(model.logits(masked[None]))[0].double().numpy()


def test_masked_numbers_are_the_kernels(
    live: LivePage, file: Path, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    data = SavedPage(file)
    targets = [c["index"] for c in data.data["classes"]]
    size = (pixels.shape[-2], pixels.shape[-1])
    stem = model.layers[0].name
    before = model.predict(pixels).probabilities[0]
    for target, label, method, layer, mode, fill, percent in (
        (targets[0], "Grad-CAM", "gradcam", model.default_layer, "remove", "blur", 12.5),
        (targets[1], "LayerCAM", "layercam", stem, "keep", "mean", 40),
        (targets[0], "Saliency", "saliency", stem, "remove", "black", 1.5),
        (targets[0], "CAM", "cam", model.default_layer, "multiply", "blur", 0),
    ):
        live.page.locator(".camwidget-name").nth(targets.index(target)).click()
        live.press("Grad-CAM")  # it is defined at every layer
        live.page.locator("select[aria-label=Layer]").select_option(layer)
        live.press(label)
        live.press("× map" if mode == "multiply" else mode)
        grid = grid_of(data, target, method, layer)
        if mode == "multiply":
            says(live.page, ".camwidget-mask-sentence", "Multiplying the picture")
            live.rest()
            masked = multiply_pixels(pixels, grid.saliency(size))
        else:
            live.page.locator(".camwidget-fill select").select_option(fill)
            live.slide(percent)
            masked = mask_pixels(
                pixels, grid.levels(size), [percent / 100], mode=mode, baseline=fill
            )[0]
        wanted = probabilities(model, masked)[targets]
        live.gives(lambda wanted=wanted: wanted)  # type: ignore[misc]
    live.press("Grad-CAM")
    live.press("remove")
    live.page.locator(".camwidget-fill select").select_option("blur")
    live.slide(10)
    levels = grid_of(data, targets[0], "gradcam", model.default_layer).levels(size)
    every = probabilities(model, mask_pixels(pixels, levels, [0.1])[0])
    after, first = every[targets[0]], model.classes[int(every.argmax())]
    explanation = cw.explain(model, pixels)
    mask = MaskSettings("remove", "blur", 0.1)
    said = live.page.locator(".camwidget-mask-sentence").text_content()
    changed = None if first == explanation.target.label else first
    assert said == sentences.sentence(explanation, mask, before, float(after), changed)
    # The curve is computed when the slider rests.
    until(live.page, "() => document.querySelectorAll('.camwidget-curve polyline').length >= 6")
    assert live.happened() == []


def test_a_click_hides_a_superpixel(
    live: LivePage, file: Path, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    live.press("Grad-CAM")
    live.press("remove")
    live.page.locator(".camwidget-fill select").select_option("mean")
    live.slide(0, "Nothing is removed yet")
    live.page.locator(".camwidget-frame").focus()
    live.page.keyboard.press("h")
    live.page.locator(".camwidget-parts .over").wait_for(state="attached", timeout=PATIENCE)
    live.page.locator(".camwidget-canvas").click()  # in its middle
    says(live.page, ".camwidget-mask-sentence", "Hiding the painted")
    live.rest()
    labels = superpixels(shades(pixels), SUPERPIXELS).labels
    hidden = labels == labels[labels.shape[0] // 2, labels.shape[1] // 2]
    masked = paint_pixels(pixels, pixels, hidden.astype(np.int8), "mean")
    targets = [c["index"] for c in SavedPage(file).data["classes"]]
    wanted = probabilities(model, masked)[targets]
    live.gives(lambda: wanted)
    live.page.locator(".camwidget-canvas").click()
    says(live.page, ".camwidget-mask-sentence", "Nothing is removed yet")
    live.page.keyboard.press("h")
    live.page.locator(".camwidget-parts .over").wait_for(state="detached", timeout=PATIENCE)


def test_any_class_is_found_and_explained(
    live: LivePage, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    index = int(model.predict(pixels, len(model.classes)).indices[-1])
    name = model.classes[index]
    live.search(name)
    live.press("Grad-CAM")
    live.press("remove")
    live.slide(30)
    assert live.names()[-1] == name
    levels = cw.explain(model, pixels, index, "gradcam").saliency
    wanted = probabilities(
        model, mask_pixels(pixels, cw.masking.rank_rule.rank_levels(levels), [0.3])[0]
    )
    # A map from float32 in another order: pixels of nearly equal rank may change places.
    assert abs(live.bars()[-1] - wanted[index]) < 20 * CLOSE
    # Saliency of it would need a gradient: it is not offered.
    assert live.page.get_by_role("radio", name="Saliency", exact=True).count() == 0
    assert live.page.locator("select[aria-label=Layer] option").count() == 1
    live.page.locator(".camwidget-name").first.click()
    live.page.get_by_role("radio", name="Saliency", exact=True).wait_for()
    assert live.happened() == []


def test_paint_hides_and_the_model_answers(
    live: LivePage, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    live.page.locator(".camwidget-name").first.click()
    live.press("remove")
    live.slide(0, "Nothing is removed yet")
    before = live.bars()
    live.page.locator(".camwidget-paint-toggle").click()
    frame = live.page.locator(".camwidget-canvas").bounding_box()
    assert frame is not None
    live.page.mouse.move(frame["x"] + 0.3 * frame["width"], frame["y"] + 0.3 * frame["height"])
    live.page.mouse.down()
    live.page.mouse.move(
        frame["x"] + 0.6 * frame["width"], frame["y"] + 0.5 * frame["height"], steps=8
    )
    live.page.mouse.up()
    says(live.page, ".camwidget-mask-sentence", "Hiding the painted")
    live.rest()
    live.page.locator(".camwidget-map-style-open").click()
    if live.page.get_by_role("button", name="overlay").get_attribute("aria-pressed") == "true":
        live.page.get_by_role("button", name="overlay").click()
    order = [model.classes.index(name) for name in live.names()]

    def of_shown() -> np.ndarray:
        shown = torch.from_numpy(canvas_pixels(live.page).copy()).permute(2, 0, 1) / 255
        return probabilities(model, shown)[order]

    live.gives(of_shown)
    assert np.abs(live.bars() - before).max() > 0.01
    live.page.get_by_role("button", name="clear").click()
    says(live.page, ".camwidget-mask-sentence", "Nothing is removed yet")
    live.page.keyboard.press("Escape")
    assert live.happened() == []


def test_a_picture_of_ones_own_is_prepared_and_explained_as_in_the_kernel(
    live: LivePage, model: cw.VisionModel, tmp_path: Path
) -> None:
    draw = np.random.default_rng(1)
    sample = np.asarray(cw.zoo.samples("zoo/textures")[3].image)
    noise = draw.integers(0, 256, (3, 2, 3)).repeat(40, 0).repeat(50, 1)
    picture = np.concatenate([sample, np.resize(noise, (192, 60, 3))], axis=1).astype(np.uint8)
    path = tmp_path / "<img src=x onerror=ran(1)>.png"
    Image.fromarray(picture).resize((431, 333)).save(path)
    live.own(path)
    pixels = model.pixels(path)[0]
    live.press("remove")
    live.slide(0, "Nothing is removed yet")
    live.page.locator(".camwidget-frame").focus()
    live.overlay_off()
    bytes_ = (pixels * 255).round().byte().permute(1, 2, 0).numpy()
    painted(live.page, bytes_)  # byte for byte
    wanted = model.predict(pixels)
    assert live.names()[0] == wanted.names[0]
    live.gives(lambda: np.asarray(wanted.probabilities[:3]))
    # The map, drawn alone, and the fills.
    live.press("CAM")
    levels = cw.masking.rank_rule.rank_levels(cw.explain(model, pixels, method="cam"))
    for fill in BASELINES:
        live.page.locator(".camwidget-fill select").select_option(fill)
        live.slide(25)
        masked = mask_pixels(pixels, levels, [0.25], baseline=fill)[0]
        expected = (masked * 255).round().permute(1, 2, 0).numpy()

        # A blur is added in another order; of pixels of nearly equal rank others may be masked.
        def is_masked(expected: np.ndarray = expected) -> bool:
            shown = canvas_pixels(live.page).astype(int)
            return bool((np.abs(shown - expected).max(2) > 1).mean() < 2e-3)

        live.waits(is_masked)
        assert is_masked(), fill
        shown = torch.from_numpy(canvas_pixels(live.page).copy()).permute(2, 0, 1) / 255
        after = probabilities(model, shown)[[model.classes.index(live.names()[0])]]
        live.gives(lambda after=after: after, what=fill)  # type: ignore[misc]
    # Dropped or pasted, other pictures are prepared in the same way.
    for number, event in enumerate(("drop", "paste")):
        other = tmp_path / f"{event}.png"
        turned = Image.fromarray(np.rot90(picture, number + 1).copy())
        turned.resize((517 - 200 * number, 260)).save(other)
        live.handed(other, event)
        live.slide(0, "Nothing is removed yet")
        given = model.pixels(other)[0]
        painted(live.page, (given * 255).round().byte().permute(1, 2, 0).numpy())
        assert live.names()[0] == model.predict(given).names[0]
    # Back to the saved picture.
    live.page.locator(".camwidget-own-chosen").select_option(index=0)
    live.page.get_by_role("radio", name="Saliency", exact=True).wait_for()
    assert live.happened() == []


def masked_by(
    model: cw.VisionModel, pixels: torch.Tensor, target: Any, method: Any, fraction: float = 0.15
) -> np.ndarray:
    """The kernel's probabilities of all classes, masked by its own map."""
    levels = cw.masking.rank_rule.rank_levels(cw.explain(model, pixels, target, method))
    return probabilities(model, mask_pixels(pixels, levels, [fraction])[0])


def is_close(live: LivePage, model: cw.VisionModel, wanted: np.ndarray) -> None:
    """The map is computed in another order: pixels of nearly equal rank may change places."""
    order = [model.classes.index(name) for name in live.names()]
    live.gives(lambda: wanted[order], 20 * CLOSE)


def test_methods_that_run_the_model_many_times(
    live: LivePage, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    live.saved_picture()
    live.press("Grad-CAM")
    live.press("remove")
    live.page.locator(".camwidget-fill select").select_option("blur")
    live.page.locator("select[aria-label=Layer]").select_option(model.default_layer)
    target = live.page.locator(".camwidget-name[aria-pressed=true]").text_content()
    live.choose("Occlusion")
    live.page.locator(".camwidget-cancel").click()
    live.rest()
    assert live.page.locator("[data-name=occlusion][aria-checked=true]").count() == 0
    # The others are compared without a browser, by js/tests/liveMaps.test.ts.
    for label, name, options in (
        ("RISE", "rise", RISE),
        ("Ablation-CAM", "ablationcam", {}),
        ("Recipro-CAM", "recipro-cam", {}),
    ):
        live.choose(label)
        until(live.page, f"() => document.querySelector('[data-name={name}][aria-checked=true]')")
        if options:
            live.page.locator(".camwidget-settings-open").click()
            for setting, value in options.items():
                field = live.page.get_by_label(setting, exact=True)
                field.fill(str(value))
                field.press("Enter")
            words = ", ".join(f"{k} {v}" for k, v in sorted(options.items()))
            says(live.page, ".camwidget-status", f"{label} ({words}) · ")
        else:
            says(live.page, ".camwidget-status", f"{label} · ")
        live.rest()
        live.slide(15)
        is_close(live, model, masked_by(model, pixels, target, cw.get_method(name, **options)))
    # A window that does not fit is refused in words.
    live.choose("Occlusion")
    live.page.locator(".camwidget-settings-open").click()
    field = live.page.get_by_label("window", exact=True)
    field.fill("4000")
    field.press("Enter")
    says(live.page, ".camwidget-error-text", "A window of 4000 and a stride of 2000 do not cover")
    live.page.locator(".camwidget-cancel").click()
    live.press("Grad-CAM")


def test_undo_and_redo_have_the_widgets_keys(live: LivePage) -> None:
    live.saved_picture()
    live.press("Grad-CAM")
    live.press("remove")
    live.slide(20)
    live.press("CAM")
    frame = live.page.locator(".camwidget-frame")
    frame.focus()
    live.page.keyboard.press("Control+z")
    until(live.page, "() => document.querySelector('[data-name=gradcam][aria-checked=true]')")
    says(live.page, ".camwidget-mask-sentence", "20 %")
    live.page.keyboard.press("Control+z")
    until(live.page, "() => document.querySelector('.camwidget-fraction').value !== '20'")
    live.page.get_by_role("button", name="Redo").click()
    says(live.page, ".camwidget-mask-sentence", "20 %")
    frame.focus()
    live.page.keyboard.press("Control+Shift+z")
    until(live.page, "() => document.querySelector('[data-name=cam][aria-checked=true]')")
    live.rest()
    assert live.happened() == []


def test_against_a_class_and_rather_than_another(
    live: LivePage, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    live.saved_picture()
    live.press("remove")
    live.page.locator(".camwidget-fill select").select_option("blur")
    first, second = live.names()[:2]
    live.page.locator(".camwidget-name").first.click()
    live.press("Grad-CAM")
    live.press("against")
    live.slide(15, "with the most evidence against")
    is_close(live, model, masked_by(model, pixels, cw.Counterfactual(first), "gradcam"))
    # CAM is of one class, and says so.
    assert "it is defined by the weights of one class" in str(
        live.page.get_by_role("radio", name="CAM", exact=True).get_attribute("title")
    )
    live.press("rather than…")
    says(live.page, ".camwidget-mask-sentence", "rather than which class?")
    live.page.locator(".camwidget-name").nth(live.names().index(second)).click()
    says(live.page, ".camwidget-status", "rather than")
    live.slide(15, "rather than")
    contrast = cw.Contrast(first, second)
    is_close(live, model, masked_by(model, pixels, contrast, "gradcam"))
    live.press("for")
    assert live.happened() == []


def test_two_maps_and_two_fractions_are_compared(
    live: LivePage, model: cw.VisionModel, pixels: torch.Tensor
) -> None:
    live.saved_picture()
    live.press("remove")
    live.page.locator(".camwidget-fill select").select_option("blur")
    live.press("Grad-CAM")
    live.page.locator(".camwidget-frame").focus()
    live.page.keyboard.press("v")
    live.page.locator("select[aria-label='B is']").select_option("layercam")
    says(live.page, ".camwidget-caption-line[data-of=B]", "LayerCAM")
    live.slide(15)
    target = live.page.locator(".camwidget-name[aria-pressed=true]").text_content()
    at = live.names().index(str(target))
    index = model.classes.index(target)
    is_close(live, model, masked_by(model, pixels, target, "gradcam"))
    number = live.page.locator(".camwidget-compared-numbers .camwidget-number").nth(at)
    wanted = masked_by(model, pixels, target, "layercam")[index]
    assert abs(float(str(number.text_content()).split(" → ")[1]) - wanted) < 0.0051
    live.page.locator("select[aria-label='B differs in']").select_option("fraction")
    live.page.locator("select[aria-label='B is']").select_option("0.6")
    says(live.page, ".camwidget-caption-line[data-of=B]", "60 %")
    says(live.page, ".camwidget-caption-line[data-of=A]", "15 %")
    live.rest()
    wanted = masked_by(model, pixels, target, "gradcam", 0.6)[index]
    until(
        live.page,
        """([at, wanted]) => Math.abs(parseFloat(document.querySelectorAll(
             '.camwidget-compared-numbers .camwidget-number')[at].textContent.split(' → ')[1]) - wanted) < 0.0051""",
        [at, float(wanted)],
    )
    live.page.locator(".camwidget-frame").focus()
    for _ in range(3):
        live.page.keyboard.press("v")
    until(live.page, "() => document.querySelector('.camwidget-comparing') === null")
    assert live.happened() == []


def test_what_is_no_picture_is_said_and_nothing_leaves_the_page(
    live: LivePage, file: Path, tmp_path: Path
) -> None:
    for name, data, why in (
        ("text.png", b"not a picture", "cannot read it as a picture"),
        ("dot.png", None, "only 3×3 pixels"),
    ):
        path = tmp_path / name
        if data is None:
            buffer = io.BytesIO()
            Image.new("RGB", (3, 3)).save(buffer, "PNG")
            data = buffer.getvalue()
        path.write_bytes(data)
        live.page.locator(".camwidget-own input").set_input_files(path)
        says(live.page, ".camwidget-error-text", f"{name} was not opened")
        says(live.page, ".camwidget-error-text", why)
    assert live.requests[0] == file.as_uri()
    assert all(url.startswith("blob:") for url in live.requests[1:])
    assert live.happened() == []
    live.page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "ran('inline')";
          document.body.append(script);
          fetch("https://example.org/").catch(() => {});
        }"""
    )
    live.page.wait_for_function("() => window.happened.length >= 2")
    assert sorted(one.split(" ")[0] for one in live.happened()) == [
        "connect-src",
        "script-src-elem",
    ]


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("WebAssembly.validate = () => false;", "no SIMD instructions"),
        ("Object.defineProperty(window, 'WebAssembly', {value: undefined});", "no WebAssembly"),
    ],
)
def test_a_browser_that_cannot_run_it_says_so(
    file: Path, opened: Callable[..., LivePage], script: str, words: str
) -> None:
    page = opened(file, script).page
    says(page, ".camwidget-error-text", "The model does not run here")
    says(page, ".camwidget-error-text", words)
    # Picture and map are shown.
    assert canvas_pixels(page).std() > 5


def test_a_browser_without_decompression_says_so(file: Path, browser: Any) -> None:
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.add_init_script("delete globalThis.DecompressionStream;")
    page.goto(file.as_uri())
    says(page, "[role=alert]", "This page cannot be shown: this browser has no DecompressionStream")
    context.close()


def test_a_truncated_file_says_so(file: Path, tmp_path: Path, browser: Any) -> None:
    whole = file.read_bytes()
    context = browser.new_context(offline=True)
    page = context.new_page()
    for share in (0.3, 0.8):
        (tmp_path / "half.html").write_bytes(whole[: int(share * len(whole))])
        page.goto((tmp_path / "half.html").as_uri())
        says(page, "main", "the file is not complete")
    context.close()


#: Models of the zoo with the text that they are given, and torchvision's with random weights.
MODELS = (
    *(name for name in cw.list_models() if name != "zoo/moves"),  # of clips
    "squeezenet1_1",
    "mobilenet_v2",
    "resnet18",
)


def made(name: str, real: Path | None) -> tuple[cw.VisionModel, Any]:
    if not name.startswith("zoo/"):
        files = sorted((real / "weights").glob(f"{name}*.safetensors")) if real else []
        torch.manual_seed(0)
        weights = {"weights": files[0]} if files else {}
        model = cw.load(name, device="cpu", **weights) if files else random_model(name)
        return model, Image.fromarray(np.asarray(cw.zoo.samples("zoo/textures")[0].image))
    model, image = cw.load(name, device="cpu"), cw.zoo.samples(name)[0].image
    if model.prompt is not None:
        model = model.given(**{model.prompt.name: model.prompt.examples[0]})
    if isinstance(model, DetectionModel):
        model = model.given(detections=model.detections(image))
    return model, image


def random_model(name: str) -> cw.VisionModel:
    import torchvision

    return cw.wrap(
        torchvision.models.get_model(name, weights=None, num_classes=10), cw.Preprocess(224)
    )


#: Of every box that is drawn: its corners, whether it is lost, and its words.
DRAWN_BOXES = """() => [...document.querySelectorAll(
  ".camwidget-found-box:not(.camwidget-found-before)"
)].map((box) => ({
  corners: box.querySelector("path").getAttribute("d").match(/-?[0-9.e-]+/g).map(Number),
  lost: box.classList.contains("camwidget-found-lost"),
}))"""


@pytest.mark.parametrize("name", ["zoo/scenes-boxes", "zoo/scenes-segments"])
def test_boxes_and_areas_follow_the_masked_picture_as_in_the_widget(
    opened: Callable[..., LivePage], tmp_path: Path, name: str
) -> None:
    model = cw.load(name, device="cpu")
    images = [sample.image for sample in cw.zoo.samples(name)[:3]]
    path = tmp_path / "page.html"
    layer = model.default_layer
    cw.save_page(
        model, images[:2], path, classes=3, methods=["gradcam"], layers=[layer], live=True, name=["one", "two"]
    )  # fmt: skip
    shown = opened(path).ready()
    data = SavedPage(path)
    pages = [data.data, *data.data["others"]]
    for number, page in enumerate(pages):
        if number > 0:
            shown.page.locator(".camwidget-own-chosen").select_option(label="two")
            shown.rest()
        own = model.with_text_for(images[number])
        pixels = own.pixels(images[number])
        target = page["first"]["target"]
        assert shown.names() == [one["name"] for one in page["classes"]]
        explanation = cw.explain(own, pixels[0], target, "gradcam", layer)
        for fraction in (0.02, 0.3):
            shown.slide(100 * fraction)
            levels = cw.masking.rank_rule.rank_levels(explanation)
            masked = mask_pixels(rounded_pixels(pixels[0]), levels, [fraction])
            before, after = own.findings(pixels), own.findings(masked)
            says(shown.page, ".camwidget-mask-sentence", change_note(target, before, after))
            assert "those of the unmasked picture" not in shown.page.locator("footer").inner_text()
            if after.boxes:
                boxes = shown.page.evaluate(DRAWN_BOXES)
                for one, drawn in zip(after.boxes, boxes, strict=True):
                    assert one is None or drawn["lost"] == one.is_lost
                    if one is not None and not one.is_lost:
                        left, top, right, bottom = one.box
                        wanted = [left, top, right, bottom, left]
                        np.testing.assert_allclose(drawn["corners"], wanted, atol=0.05)
            else:
                shown.page.locator(".camwidget-found-areas").first.wait_for()
        if before.boxes:
            until(
                shown.page,
                "() => document.querySelectorAll('.camwidget-curve polyline').length >= 6",
            )
            curve = cw.mask_curve(own, pixels[0], explanation, steps=21, spacing="quadratic")
            says(shown.page, ".camwidget-mask-sentence", lost_note(curve, before.boxes[target]))
    # A picture of one's own has its own detections, and areas.
    file = tmp_path / "own.png"
    Image.fromarray(np.asarray(images[2])).save(file)
    shown.own(file)
    own = model.with_text_for(file)
    if isinstance(own, DetectionModel):
        assert shown.names() == list(own.classes)
        assert len(shown.page.evaluate(DRAWN_BOXES)) == len(own.detected)
        shown.gives(lambda: np.asarray(own.predict(file).probabilities))
        blank = tmp_path / "blank.png"
        Image.new("RGB", (128, 128), "gray").save(blank)
        shown.page.locator(".camwidget-own input").set_input_files(blank)
        says(shown.page, ".camwidget-found-note", f"{name} detects nothing in this picture")
    else:
        assert shown.names()[0] == own.predict(file).names[0]
        shown.page.locator(".camwidget-found-areas").first.wait_for()
    assert shown.page.locator(".camwidget-error").is_hidden()
    assert shown.happened() == []


def test_every_model_gives_the_kernels_numbers(
    opened: Callable[..., LivePage], tmp_path: Path
) -> None:
    """With ``-s`` it prints the rows of the table in docs/pages/saved_pages.md."""
    real = Path(__file__).resolve().parents[3] / "shared" / "real"
    for name in MODELS:
        model, image = made(name, real if real.is_dir() else None)
        path = tmp_path / f"{name.replace('/', '-')}.html"
        start = time.perf_counter()
        page = cw.save_page(
            model, image, path, classes=2, methods=["gradcam"], layers=[model.default_layer], live=True
        )  # fmt: skip
        seconds, size = time.perf_counter() - start, path.stat().st_size / 1e6
        data = SavedPage(path)
        targets = [c["index"] for c in data.data["classes"]]
        shown = opened(path).ready()
        assert shown.page.locator(".camwidget-error").is_hidden(), name
        pixels = model.pixels(image)[0]
        sides = (pixels.shape[-2], pixels.shape[-1])
        opened_in = shown.page.evaluate(READY_AFTER) / 1000
        quantized = grid_of(data, targets[0], "gradcam", model.default_layer)
        first = page.explanation.target.label
        assert shown.page.locator(".camwidget-name[aria-pressed=true]").text_content() == first
        assert not quantized.is_empty
        shown.slide(20)
        masked = mask_pixels(pixels, quantized.levels(sides), [0.2])[0]
        wanted = probabilities(model, masked)[targets]
        shown.gives(lambda wanted=wanted: wanted, what=name)  # type: ignore[misc]
        off = float(np.abs(shown.bars()[: len(wanted)] - wanted).max())
        print(
            f"| {name}, {sides[0]}² | {size:.2g} MB | {seconds:.2g} s | {opened_in:.2g} s | {off:.0e} |"
        )
        assert shown.happened() == [], name
        shown.page.close()
        path.unlink()
