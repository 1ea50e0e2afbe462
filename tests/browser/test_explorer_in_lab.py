"""The explorer in a real JupyterLab: controls, displayed pixels, and traffic."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from page_driver import (
    PATIENCE,
    answered,
    canvas_pixels,
    fraction_is,
    frames,
    numbers,
    painted,
    repainted,
    says,
    status_has,
    until,
)
from PIL import Image

import camwidget as cw
from camwidget import zoo
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.masking.rank_rule import rank_levels

pytestmark = pytest.mark.browser

EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"

RESET = """
ex.method, ex.layer = "gradcam", "stage4"
ex.mode, ex.baseline, ex.fraction, ex.picture, ex.target = "remove", "blur", 0.0, 0, None
ex._parts.view.set_trait("overlay", True)
ex._parts.view.set_trait("class_probe", {})
ex.wait(120)
"""


@pytest.fixture
def explorer(shared_explorer: Any) -> Any:
    """The shared page, as at first sight whatever the test before it left."""
    shared_explorer.settled()  # what that test has asked for is not to come after the reset
    shared_explorer.execute(RESET)
    shared_explorer.settled()
    return shared_explorer


@pytest.fixture(scope="module")
def shared_explorer(browser: Any, lab: Any) -> Iterator[Any]:
    """One Lab page with the default explorer."""
    shown = lab.page(browser)
    shown.open(lab.write("shared", EXPLORER))
    shown.widget()
    yield shown
    shown.close()


@pytest.fixture(scope="module")
def sample() -> zoo.Sample:
    return zoo.samples("zoo/textures")[0]


def test_first_sight(explorer: Any, sample: zoo.Sample, textures: cw.VisionModel) -> None:
    page = explorer.page
    expected = textures.predict(sample.image, top=6)
    status_has(page, expected.names[0])
    assert page.locator(".camwidget-name").all_inner_texts() == list(expected.names)
    assert numbers(page) == [f"{p:.2f}" for p in expected.probabilities]
    assert page.locator(".camwidget-bars svg rect.bar").count() >= 12
    assert page.locator(".camwidget-thumbnails canvas").count() == 1
    shown = canvas_pixels(page)
    assert shown.shape == (192, 192, 3)
    exp = cw.explain(textures, sample.image)
    heat = np.abs(shown.astype(int) - sample.image).sum(2)
    assert heat[exp.saliency > 0.8].mean() > 8 * max(heat[exp.saliency < 0.01].mean(), 1)


def test_without_the_overlay_the_canvas_shows_what_the_model_gets(
    explorer: Any, sample: zoo.Sample, textures: cw.VisionModel
) -> None:
    """Byte for byte, whole and masked, for removing and keeping, with every baseline."""
    page = explorer.page
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Space")
    painted(page, sample.image)
    saliency = cw.explain(textures, sample.image).saliency
    pixels = textures.preprocess.pixels(sample.image)
    for mode in ("remove", "keep"):
        page.locator(".camwidget-segments button", has_text=mode).click()
        for baseline in ("blur", "mean", "black"):
            page.locator(".camwidget-fill select").select_option(baseline)
            for fraction in (0.25, 0.435):
                fraction_is(page, 100 * fraction)
                model_gets = mask_pixels(
                    pixels, rank_levels(saliency), [fraction], mode=mode, baseline=baseline
                )[0]
                expected = (model_gets * 255).round().byte().permute(1, 2, 0).numpy()
                painted(page, expected)


def test_the_numbers_are_the_models(
    explorer: Any, sample: zoo.Sample, textures: cw.VisionModel
) -> None:
    page = explorer.page
    fraction_is(page, 25)
    answered(page)
    exp = cw.explain(textures, sample.image)
    curve = cw.mask_curve(textures, sample.image, exp.saliency)
    until(
        page,
        "(t) => document.querySelector('.camwidget-number').textContent.includes(t)",
        f"{curve.probability[5]:.2f}",
    )
    first = f"{curve.probability[0]:.2f} → {curve.probability[5]:.2f}"
    assert numbers(page)[0] == first
    until(page, "() => document.querySelector('.camwidget-waiting') === null")
    # None of them looks as if it were still waiting.
    until(
        page,
        "(parts) => parts.every((s) => getComputedStyle(document.querySelector(s)).opacity === '1')",
        [".camwidget-numbers", ".camwidget-mask-sentence", ".camwidget-status", ".camwidget-bars"],
    )
    assert first in page.locator(".camwidget-mask-sentence").inner_text()
    fraction_is(page, 0)
    until(page, "() => !document.querySelector('.camwidget-number').textContent.includes('→')")


def test_a_click_on_a_name_or_a_bar_picks_the_class(explorer: Any) -> None:
    page = explorer.page
    second = page.locator(".camwidget-name").nth(1)
    name = second.inner_text()
    before = canvas_pixels(page)
    second.click()
    status_has(page, name)
    repainted(page, before, "another class, another map")
    # The third row's bar is short: its empty track must do.
    third = page.locator(".camwidget-name").nth(2)
    row = third.bounding_box()
    bars = page.locator(".camwidget-bars").bounding_box()
    page.mouse.click(bars["x"] + 0.8 * bars["width"], row["y"] + row["height"] / 2)
    status_has(page, third.inner_text())
    page.locator(".camwidget-name").nth(0).click()


def test_a_click_beside_the_controls_keeps_the_keys_from_the_notebook(explorer: Any) -> None:
    page = explorer.page
    cells = page.locator(".jp-CodeCell").count()
    for part in (".camwidget-class-heading", ".camwidget-curve", ".camwidget-mask-sentence"):
        page.locator(part).click(position={"x": 4, "y": 4})  # the heading's right half has buttons
        until(page, "() => !!document.activeElement.closest('.camwidget-explorer')")
        page.keyboard.press("m")  # in Lab: turn the cell into text
        frames(page)
        assert page.locator(".jp-CodeCell").count() == cells
        assert page.locator(".camwidget-canvas").is_visible()


def test_search_reaches_any_class(explorer: Any) -> None:
    page = explorer.page
    page.locator(".camwidget-search[role=combobox]").fill("wafl")
    page.locator(".camwidget-search[role=combobox]").fill("waf")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    status_has(page, "waffled")
    assert "waffled" in page.locator(".camwidget-name").all_inner_texts()
    page.locator(".camwidget-name").nth(0).click()


def test_methods_toggle_and_refuse(explorer: Any) -> None:
    page = explorer.page
    page.locator("[role=radio][data-name='gradcam++']").click()
    status_has(page, "Grad-CAM++")
    page.locator(".camwidget-layer select").select_option("stage2")
    status_has(page, "stage2 48×48")
    cam = page.locator("[role=radio][data-name='cam']")
    until(
        page,
        "() => document.querySelector(\"[role=radio][data-name='cam']\").getAttribute('aria-disabled') === 'true'",
    )
    assert "stage4" in cam.get_attribute("title")
    cam.click(force=True)
    explorer.settled()
    status_has(page, "Grad-CAM++")
    page.locator(".camwidget-layer select").select_option("stage4")
    page.locator("[role=radio][data-name='gradcam']").click()
    status_has(page, "stage4 12×12")


def test_a_click_in_the_picture_names_the_classes_there(explorer: Any, sample: zoo.Sample) -> None:
    page = explorer.page
    box = page.locator(".camwidget-canvas").bounding_box()
    for label, (left, top, right, bottom) in zip(sample.labels, sample.boxes, strict=True):
        x, y = (left + right) / 2 / 192, (top + bottom) / 2 / 192
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        name = sample.classes[label]
        status_has(page, name)
        page.wait_for_selector(".camwidget-class-probe-entry", timeout=PATIENCE)
        assert name in page.locator(".camwidget-class-probe-entry").first.inner_text()
        explorer.settled()
        assert page.locator(".camwidget-class-probe-entry").first.is_visible(), (
            "it stays until it is closed"
        )
        page.keyboard.press("Escape")
        page.locator(".camwidget-class-probe-close").click() if page.locator(
            ".camwidget-class-probe"
        ).is_visible() else None


def test_the_tour_by_keyboard(explorer: Any) -> None:
    page = explorer.page
    page.locator(".camwidget-frame").focus()
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("2")
    status_has(page, page.locator(".camwidget-name").nth(1).inner_text())
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator(".camwidget-slider-value").inner_text().startswith("13")
    page.keyboard.press("[")
    status_has(page, "stage3 24×24")
    page.keyboard.press("]")
    status_has(page, "stage4")
    page.keyboard.press("m")
    status_has(page, "Grad-CAM++")
    page.keyboard.press("?")
    assert page.get_by_role("dialog").is_visible()
    page.keyboard.press("Escape")
    page.locator(".camwidget-frame").focus()
    page.keyboard.press(".")
    status_has(page, "·")
    until(
        page, "() => document.querySelector('.camwidget-status').textContent.includes('Grad-CAM++')"
    )
    page.keyboard.press(",")
    page.keyboard.press("m")
    status_has(page, "CAM")
    # Lab's own shortcuts: "a" and "b" insert cells, "dd" deletes one.
    page.locator(".camwidget-fraction").focus()
    for key in "abdd":
        page.keyboard.press(key)
    assert page.locator(".jp-Cell").count() == cells


def test_dragging_sends_no_picture_and_leaves_no_backlog(explorer: Any) -> None:
    page = explorer.page
    slider = page.locator(".camwidget-fraction").bounding_box()
    y = slider["y"] + slider["height"] / 2
    page.mouse.move(slider["x"] + 8, y)
    page.mouse.down()
    explorer.frames.clear()
    for step in range(60):
        page.mouse.move(slider["x"] + 8 + step * (slider["width"] - 40) / 60, y)
        frames(page, 1)
    page.mouse.up()
    answered(page)
    until(page, "() => document.querySelector('.camwidget-waiting') === null")
    sent = [size for way, size in explorer.frames if way == "sent"]
    received = [size for way, size in explorer.frames if way == "received"]
    assert 1 <= len(sent) <= 130
    assert max(sent) < 2500, "up goes the fraction, nothing else"
    assert max(received, default=0) < 6000, "down come the numbers, no picture"
    answered(page)
    # 300 events as fast as the page can make them: the last one is answered, and soon.
    page.evaluate(
        """async () => {
          const slider = document.querySelector(".camwidget-fraction");
          for (let i = 0; i < 300; i++) {
            slider.value = String((i * 7) % 100);
            slider.dispatchEvent(new Event("input", {bubbles: true}));
            await new Promise((r) => setTimeout(r, 1));
          }
          slider.value = "40";
          slider.dispatchEvent(new Event("input", {bubbles: true}));
        }"""
    )
    until(
        page,
        "() => document.querySelector('.camwidget-mask-sentence').textContent.includes('40 %')",
    )
    fraction_is(page, 0)


def test_upload_and_strip(explorer: Any, sample: zoo.Sample) -> None:
    page = explorer.page
    stream = io.BytesIO()
    Image.fromarray(np.rot90(sample.image)).save(stream, "PNG")
    with page.expect_file_chooser() as chooser:
        page.locator(".camwidget-thumbnails button").click()
    chooser.value.set_files(
        [
            {"name": "turned.png", "mimeType": "image/png", "buffer": stream.getvalue()},
            {
                "name": "<img src=x onerror=window.hacked=1>.png",
                "mimeType": "image/png",
                "buffer": b"no picture",
            },
        ]
    )
    page.wait_for_selector(".camwidget-error:not([hidden])", timeout=PATIENCE)
    assert "<img src=x" in page.locator(".camwidget-error").inner_text(), "shown as text"
    assert page.evaluate("() => window.hacked") is None
    turned = np.rot90(sample.image)
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Space")
    painted(page, turned)
    page.keyboard.press("Space")
    strip = page.locator(".camwidget-thumbnails canvas").bounding_box()
    page.mouse.click(strip["x"] + 21, strip["y"] + strip["height"] / 2)
    until(
        page,
        "() => document.querySelector('.camwidget-error').hidden",
    )
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Space")
    painted(page, sample.image)


@pytest.mark.full
def test_python_moves_the_view_and_hears_of_it(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page()
    shown.open(
        lab.write(
            "scripted", EXPLORER, "ex.target = 'honeycombed'; ex.fraction = 0.3; ex.wait().target"
        )
    )
    shown.widget()
    page = shown.page
    status_has(page, "honeycombed")
    until(
        page, "() => document.querySelector('.camwidget-slider-value').textContent.startsWith('30')"
    )
    until(page, "() => document.body.textContent.includes(\"'honeycombed'\")")


@pytest.mark.full
def test_nothing_is_lost_on_reload_or_in_a_second_view(
    lab: Any, open_page: Callable[..., Any]
) -> None:
    shown = open_page(fresh=True)
    name = lab.write("reload", EXPLORER, "ex")
    shown.open(name)
    shown.widget()
    page = shown.page
    until(page, "() => document.querySelectorAll('.camwidget-canvas').length === 2")
    page.locator(".camwidget-name").nth(1).click()
    fraction_is(page, 35)
    answered(page)
    chosen = page.locator(".camwidget-name[aria-pressed=true]").first.inner_text()
    until(
        page,
        """() => {
          const readings = [...document.querySelectorAll(".camwidget-slider-value")].map((r) => r.textContent);
          return readings.length === 2 && readings[0] === readings[1];
        }""",
    )
    shown.settled()
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    before = canvas_pixels(page)
    thumbs = canvas_pixels(page, ".camwidget-thumbnails canvas")
    page.reload()
    shown.widget()
    until(
        page, "() => document.querySelector('.camwidget-slider-value').textContent.startsWith('35')"
    )
    says(page, ".camwidget-name[aria-pressed=true]", chosen)
    painted(page, before)
    painted(page, thumbs, selector=".camwidget-thumbnails canvas")  # it is drawn again
    fraction_is(page, 10)
    until(
        page,
        "() => document.querySelector('.camwidget-mask-sentence').textContent.includes('10 %')",
    )


@pytest.fixture
def laptop(explorer: Any) -> Iterator[Any]:
    """The shared page on a small screen."""
    before = explorer.page.viewport_size
    explorer.page.set_viewport_size({"width": 1280, "height": 720})
    explorer.settled()
    yield explorer
    explorer.page.set_viewport_size(before)


def test_the_main_loop_fits_a_laptop(laptop: Any) -> None:
    """Strip, picture, classes, slider, sentence, methods and layers in Lab at 1280 × 720 with its sidebar open."""
    page = laptop.page
    page.evaluate(
        "() => document.querySelector('.camwidget-explorer').scrollIntoView({block: 'start'})"
    )
    parts = ("thumbnails", "frame", "numbers", "curve", "mask", "mask-sentence", "methods", "layer")
    boxes = [page.locator(f".camwidget-{part}").first.bounding_box() for part in parts]
    assert all(boxes)
    top = min(box["y"] for box in boxes)
    bottom = max(box["y"] + box["height"] for box in boxes)
    left = min(box["x"] for box in boxes)
    right = max(box["x"] + box["width"] for box in boxes)
    assert bottom - top <= 600 and right - left <= 900
    assert boxes[1]["height"] > 340, "the picture is not made small for it"
    notebook = page.locator(".jp-WindowedPanel-outer").bounding_box()
    for part, box in zip(parts[1:6], boxes[1:6], strict=True):
        assert box["y"] >= notebook["y"] - 1, part
        assert box["y"] + box["height"] <= notebook["y"] + notebook["height"] + 1, part

    page.locator(".camwidget-large-open").click()
    until(
        page,
        """() => {
          const {x, y, width, height} = document.querySelector('.camwidget-explorer').getBoundingClientRect();
          return x === 0 && y === 0 && width === innerWidth && height === innerHeight;
        }""",
    )
    until(  # the window is lower than all of it, and nothing is pressed together
        page,
        """() => {
          const [strip, frame, canvas] = ["thumbnails", "frame", "thumbnails canvas"]
            .map((name) => document.querySelector(`.camwidget-${name}`).getBoundingClientRect());
          return strip.bottom <= frame.top && canvas.height > 30 && canvas.bottom <= strip.bottom;
        }""",
    )
    assert page.locator(".camwidget-frame").bounding_box()["height"] > boxes[1]["height"] + 40
    page.keyboard.press("Escape")
    until(
        page,
        "() => document.querySelector('.camwidget-explorer').getBoundingClientRect().width < 900",
    )


@pytest.mark.full
def test_dark_theme_and_narrow_column(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 620, "height": 1400})
    shown.open(lab.write("dark", EXPLORER), run=False)
    page = shown.page
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
    )
    until(page, "() => document.body.dataset.jpThemeLight === 'false'")
    page.evaluate("() => window.jupyterapp.commands.execute('application:toggle-left-area')")
    shown.run_all()
    shown.widget()

    def brightness(selector: str, prop: str) -> float:
        color = page.evaluate(
            "([s, p]) => getComputedStyle(document.querySelector(s))[p]", [selector, prop]
        )
        return float(np.mean([float(v) for v in re.findall(r"[\d.]+", color)[:3]]))

    assert brightness(".camwidget-name[aria-pressed=false]", "color") > 150
    assert brightness(".camwidget-curve svg text", "fill") > 120
    canvas = page.locator(".camwidget-canvas").bounding_box()
    names = page.locator(".camwidget-name").first.bounding_box()
    assert names["y"] > canvas["y"] + canvas["height"], "one column"
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Light'})"
    )
    until(page, "() => document.body.dataset.jpThemeLight === 'true'")


#: The prediction of a masked picture fails in a way that nobody expects.
BROKEN = """
import camwidget as cw
from camwidget.widget.control import map_controller
def boom(*args): raise RuntimeError("nobody expects this")
map_controller.mask_shown_picture = boom
ex = cw.Explorer()
ex
"""


@pytest.mark.full
def test_an_unexpected_error_is_below_the_cell(lab: Any, open_page: Callable[..., Any]) -> None:
    """Where the widget's text says that its traceback is."""
    shown = open_page()
    shown.open(lab.write("broken", BROKEN))
    shown.widget()
    page = shown.page
    fraction_is(page, 25)
    text = page.locator(".camwidget-error")
    text.wait_for(timeout=PATIENCE)
    assert "RuntimeError: nobody expects this" in text.inner_text()
    assert "below the cell that ran last" in text.inner_text()
    output = page.locator("[data-mime-type='application/vnd.jupyter.stderr']")
    output.get_by_text("Traceback (most recent call last)").wait_for(timeout=PATIENCE)
    assert "in _masked_values" in output.inner_text()


@pytest.mark.full
def test_a_busy_cell_does_not_stop_the_slider(lab: Any, open_page: Callable[..., Any]) -> None:
    """Where the host delivers on a subshell, the answer comes at once; else when the cell is through."""
    shown = open_page()
    shown.open(lab.write("busy", EXPLORER))
    shown.widget()
    page = shown.page
    shown.settled()
    shown.start("import time; time.sleep(3)")
    shown.busy()
    before = canvas_pixels(page)
    fraction_is(page, 25)
    before = repainted(page, before, "the picture needs no kernel")
    fraction_is(page, 60)
    repainted(page, before, "the picture needs no kernel")
    until(
        page,
        "() => document.querySelector('.camwidget-mask-sentence').textContent.includes('60 %')",
    )


@pytest.mark.full
def test_a_real_net_on_a_real_photograph(
    real_folder: Path, real_model: cw.VisionModel, lab: Any, open_page: Callable[..., Any]
) -> None:
    picture = real_folder / "images" / "misc_both.jpg"
    weights = real_folder / "weights" / "squeezenet1_1_imagenet.safetensors"
    shown = open_page()
    shown.open(
        lab.write(
            "real",
            "import camwidget as cw\n"
            f"model = cw.load('squeezenet1_1', weights={str(weights)!r})\n"
            f"ex = cw.Explorer(model, {str(picture)!r})\nex",
        )
    )
    shown.widget()
    page = shown.page
    status_has(page, "bull mastiff")
    shown.settled()
    dog = canvas_pixels(page)
    page.locator(".camwidget-search[role=combobox]").fill("tiger cat")
    page.keyboard.press("Enter")
    status_has(page, "tiger cat")
    repainted(page, dog)
    page.locator("[role=radio][data-name='cam']").click()
    status_has(page, "· CAM ·")
    page.locator(".camwidget-name").nth(0).click()
    status_has(page, "bull mastiff")
    fraction_is(page, 25)
    answered(page)
    exp = cw.explain(real_model, picture, target="bull mastiff", method="cam")
    curve = cw.mask_curve(real_model, picture, exp.saliency, "bull mastiff")
    expected = f"{curve.probability[0]:.2f} → {curve.probability[5]:.2f}"
    until(page, "(t) => document.querySelector('.camwidget-number').textContent === t", expected)


# -- slow maps, layers, panels ---------------------------------------------------------------

# Enough pauses in the model that a slow map is still growing when someone looks.
SLOWED = """
import time, camwidget as cw
model = cw.load(device="cpu")
model.module.register_forward_pre_hook(lambda *_: time.sleep(0.05))
ex = cw.Explorer(model)
ex
"""


def choose(page: Any, method: str) -> None:
    """A method from the list behind "more"."""
    page.locator(".camwidget-more").click()
    page.locator(f'[role="radio"][data-name="{method}"]').click()


@pytest.mark.full
def test_a_slow_map_grows_and_is_canceled(lab: Any, open_page: Callable[..., Any]) -> None:
    lab_page = open_page()
    lab_page.open(lab.write("slow", SLOWED))
    lab_page.widget()
    page = lab_page.page
    before = canvas_pixels(page)
    choose(page, "rise")
    tag = page.get_by_text(re.compile(r"^partial map · \d+\s%$"))
    tag.wait_for(timeout=PATIENCE)
    assert (canvas_pixels(page) != before).any()
    page.get_by_role("button", name=re.compile("^Cancel")).click()
    status_has(page, "RISE canceled at")
    tag.wait_for(state="hidden")
    painted(page, before)
    page.locator('[role="radio"][data-name="layercam"]').click()
    status_has(page, "LayerCAM")


def test_the_scrubber_previews_without_a_word_and_settles_on_release(explorer: Any) -> None:
    page = explorer.page
    until(page, "() => document.querySelector('.camwidget-scrubber') !== null")
    explorer.settled()
    before = canvas_pixels(page)
    explorer.frames.clear()
    page.evaluate(
        """() => {
          const slider = document.querySelector(".camwidget-scrubber");
          slider.value = String(Number(slider.value) - 2);
          slider.dispatchEvent(new Event("input", {bubbles: true}));
        }"""
    )
    preview = repainted(page, before)
    assert not [f for f in explorer.frames if f[0] == "sent"], "moving sends nothing"
    page.evaluate(
        "() => document.querySelector('.camwidget-scrubber').dispatchEvent(new Event('change', {bubbles: true}))"
    )
    status_has(page, "stage2")
    painted(page, preview, off=2)  # the kernel's map is what was previewed


def test_deepvis_is_drawn_in_its_panel(explorer: Any) -> None:
    page = explorer.page
    panels = page.locator(".camwidget-panels")
    panels.get_by_text("DeepVis").click()
    page.wait_for_selector(".camwidget-deepvis img", timeout=PATIENCE)
    explorer.execute("ex._parts.panels.deepvis.steps = 12")
    first = page.locator(".camwidget-deepvis img").get_attribute("src")
    page.locator(".camwidget-deepvis").get_by_role("button", name="Start").click()
    page.get_by_text("A picture drawn to raise the score of").wait_for(timeout=PATIENCE)
    assert page.locator(".camwidget-deepvis img").get_attribute("src") != first


@pytest.mark.full
def test_the_strip_follows_the_chosen_picture(lab: Any, open_page: Callable[..., Any]) -> None:
    lab_page = open_page()
    many = (
        "import numpy as np, camwidget as cw\n"
        "ex = cw.Explorer(cw.load(), [np.full((64, 64, 3), 4 * n, np.uint8) for n in range(60)])\nex"
    )
    lab_page.open(lab.write("many", many))
    lab_page.widget()
    page = lab_page.page
    where = "() => document.querySelector('.camwidget-thumbnails-scroll').scrollLeft"
    assert page.evaluate(where) == 0
    lab_page.execute("ex.picture = 55; ex.wait(120)")
    until(page, f"() => ({where})() > 300")
    lab_page.execute("ex.picture = 0; ex.wait(120)")
    until(page, f"() => ({where})() < 40")
