"""A saved page in a browser: shows the model's input, makes no requests, runs its own script only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from page_driver import says
from PIL import Image
from saved_page import SavedPage

import camwidget as cw
from camwidget.export import save_index, save_page
from camwidget.export.quantized_maps import QuantizedMap
from camwidget.masking.masked_pixels import mask_pixels
from camwidget.widget.view import sentences
from camwidget.widget.view.mask_settings import MaskSettings

pytestmark = pytest.mark.browser

#: Each would call ``ran`` if it were taken for markup, an address or code.
HOSTILE = (
    "<img src=x onerror=ran(1)>",
    "</script><script>ran(2)</script>",
    "</title></style><svg onload=ran(3)>",
    "javascript:ran(4)",
    "${ran(5)}`+ran(6)+`",
    "\" onmouseover=ran(7) x='",
    "<!--<script>",
    "&lt;img src=x onerror=ran(8)&gt;",
    "]]><iframe srcdoc='<script>parent.ran(9)</script>'>",
)
SPY = """
window.happened = [];
window.ran = (n) => window.happened.push(`ran ${n}`);
addEventListener("securitypolicyviolation", (e) => window.happened.push(`${e.violatedDirective} ${e.blockedURI}`));
addEventListener("error", (e) => window.happened.push(`error ${e.message}`));
"""


class OpenPage:
    """A file in a browser without a network."""

    def __init__(self, context: Any, file: Path) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())

    def shown(self) -> OpenPage:
        self.page.wait_for_selector(".camwidget-canvas")
        self.settle()
        return self

    def settle(self) -> None:
        self.page.evaluate(
            "() => new Promise((r) => requestAnimationFrame(() => requestAnimationFrame(r)))"
        )

    def pixels(self) -> np.ndarray:
        """The canvas, uint8 (H, W, 3)."""
        flat, width, height = self.page.evaluate(
            """() => {
              const canvas = document.querySelector(".camwidget-canvas");
              const data = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
              return [Array.from(data), canvas.width, canvas.height];
            }"""
        )
        return np.array(flat, np.uint8).reshape(height, width, 4)[..., :3]

    def slide(self, percents: float) -> None:
        self.page.evaluate(
            """(value) => {
              const range = document.querySelector(".camwidget-fraction");
              range.value = value;
              range.dispatchEvent(new Event("input", { bubbles: true }));
            }""",
            percents,
        )
        self.settle()

    def press(self, text: str) -> None:
        self.page.get_by_role("radio", name=text, exact=True).click()
        self.settle()

    def numbers(self) -> list[str]:
        return self.page.locator(".camwidget-masked").all_text_contents()

    def said(self) -> str:
        return str(self.page.locator(".camwidget-mask-sentence").text_content())

    def happened(self) -> list[str]:
        return self.page.evaluate("() => window.happened")


@pytest.fixture
def open_file(browser: Any) -> Iterator[Callable[..., OpenPage]]:
    contexts: list[Any] = []

    def build(file: Path, **options: Any) -> OpenPage:
        context = browser.new_context(
            offline=True, viewport={"width": 1000, "height": 900}, **options
        )
        context.add_init_script(SPY)
        contexts.append(context)
        return OpenPage(context, file)

    yield build
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[cw.VisionModel, torch.Tensor, Path]:
    """A page of a hostile model and picture: model, pixels, file."""
    folder = tmp_path_factory.mktemp("page")
    base = cw.load(device="cpu")
    names = [f"{HOSTILE[i % len(HOSTILE)]} {i}" for i in range(len(base.classes))]
    model = cw.wrap(base.module, base.preprocess, names, name=HOSTILE[1])
    pixels = model.preprocess.pixels(
        Image.fromarray(np.asarray(cw.zoo.samples("zoo/textures")[0].image))
    )
    save_page(
        model,
        pixels,
        folder / "page.html",
        classes=9,
        methods=["gradcam", "cam", "layercam", "saliency"],
        layers=[model.layers[0].name, model.default_layer],
        layer=model.default_layer,
        modes=["keep", "multiply"],
        baselines=["mean"],
        steps=5,
        name=HOSTILE[0],
        title=HOSTILE[2],
    )
    return model, pixels, folder / "page.html"


def grid_of(page: SavedPage, target: int, method: str, layer: str) -> QuantizedMap:
    entry = page.grid(target, method, layer)
    return QuantizedMap(page.cells(entry).copy(), entry["peak"])


def test_the_pixels_are_those_the_model_got(
    saved: tuple[cw.VisionModel, torch.Tensor, Path], open_file: Callable[..., OpenPage]
) -> None:
    model, pixels, file = saved
    data = SavedPage(file)
    shown = open_file(file).shown()
    shown.page.locator(".camwidget-map-style-open").click()
    shown.page.get_by_role("button", name="overlay").click()
    targets = [c["index"] for c in data.data["classes"]]
    size = (pixels.shape[-2], pixels.shape[-1])
    stem = model.layers[0].name
    for target, label, method, layer, mode, fill, q in (
        (targets[0], "Grad-CAM", "gradcam", model.default_layer, "remove", "blur", 0.25),
        (targets[1], "LayerCAM", "layercam", stem, "keep", "mean", 0.4),
        (targets[1], "Saliency", "saliency", stem, "remove", "blur", 0.105),
    ):
        shown.page.locator(".camwidget-name").nth(targets.index(target)).click()
        shown.press(label)
        if shown.page.locator("select[aria-label=Layer]").is_enabled():
            shown.page.locator("select[aria-label=Layer]").select_option(layer)
        shown.press(mode)
        shown.page.locator(".camwidget-fill select").select_option(fill)
        shown.slide(100 * q)
        levels = grid_of(data, target, method, layer).levels(size)
        wanted = mask_pixels(pixels, levels, [q], mode=mode, baseline=fill)[0]
        assert np.array_equal(
            shown.pixels(), (wanted * 255).round().byte().permute(1, 2, 0).numpy()
        )
        # Between two points on the line that the chart draws.
        curve = data.curve(data.grid(target, method, layer), f"{mode} {fill}")
        row = targets.index(target)
        after = float(np.interp(np.sqrt(q), np.linspace(0, 1, len(curve)), curve[:, row]))
        assert abs(float(shown.numbers()[row]) - after) <= 0.0051
    assert shown.happened() == []


def test_it_is_played_with(
    saved: tuple[cw.VisionModel, torch.Tensor, Path], open_file: Callable[..., OpenPage]
) -> None:
    model, _, file = saved
    shown = open_file(file).shown()
    page = shown.page
    assert page.locator(".camwidget-class-search").is_hidden()
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Shift+ArrowRight")
    shown.settle()
    assert "Removing the 10 %" in shown.said() and len(shown.numbers()) == 9
    # A layer without the method, by keyboard: said, and nothing else changes.
    shown.press("CAM")
    page.keyboard.press("[")
    shown.settle()
    assert "CAM does not apply" in str(page.locator(".camwidget-error").text_content())
    assert page.locator("select[aria-label=Layer]").input_value() == model.default_layer
    # A click in the picture, and a bar.
    page.locator(".camwidget-canvas").click()
    page.locator(".camwidget-class-probe").wait_for(state="visible")
    assert "Strongest of the top 9" in str(
        page.locator(".camwidget-class-probe-heading").text_content()
    )
    page.keyboard.press("Escape")
    page.locator(".camwidget-bars").click(position={"x": 40, "y": 28 * 4 + 14})
    shown.settle()
    assert page.locator(".camwidget-name").nth(4).get_attribute("aria-pressed") == "true"
    assert page.locator(".camwidget-curve polyline").count() >= 5
    page.locator(".camwidget-map-style-open").click()
    page.get_by_role("button", name="box").click()
    assert page.locator(".camwidget-boxes path").count() == 4
    shown.press("× map")
    assert shown.said().startswith("Multiplying the picture by its map")
    assert shown.happened() == []


def test_nothing_is_asked_for_and_nothing_else_runs(
    saved: tuple[cw.VisionModel, torch.Tensor, Path], open_file: Callable[..., OpenPage]
) -> None:
    _, _, file = saved
    shown = open_file(file, color_scheme="dark").shown()
    page = shown.page
    for name in page.locator(".camwidget-name").all():
        name.click()
        name.hover()
    shown.slide(30)
    assert shown.requests == [file.as_uri()]
    assert shown.happened() == []
    assert (
        page.locator("img, iframe, script[src], link:not([href='data:,']), svg[onload]").count()
        == 0
    )
    assert page.title() == HOSTILE[2]
    assert page.locator("h1").text_content() == HOSTILE[2]
    assert HOSTILE[1] in str(page.locator(".camwidget-status").text_content())
    # The policy is alive: what the page did not bring with it does not run.
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "ran('inline')";
          document.body.append(script);
          new Image().src = "https://example.org/";
          document.body.setAttribute("style", "color: red");
        }"""
    )
    page.wait_for_function("() => window.happened.length >= 3")
    kinds = sorted(one.split(" ")[0] for one in shown.happened())
    assert kinds == ["img-src", "script-src-elem", "style-src-attr"]
    landmarks = page.evaluate(
        "() => ['main', 'header', 'footer'].map((t) => document.querySelectorAll(t).length)"
    )
    assert landmarks == [1, 1, 1] and page.locator("html").get_attribute("lang") == "en"
    background = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    assert background == "rgb(22, 24, 27)"


def test_an_index_leads_to_hostile_files(
    saved: tuple[cw.VisionModel, torch.Tensor, Path],
    open_file: Callable[..., OpenPage],
    tmp_path: Path,
) -> None:
    model, pixels, _ = saved
    pages = []
    for n, name in enumerate(
        ("javascript:ran(1)", "<img src=x onerror=ran(2)>", "a#b?c%20d&quot;")
    ):
        pages.append(
            save_page(
                model, pixels, tmp_path / f"{name}.html", n, "gradcam",
                name=f"{name}.png", classes=1, methods=(), layers=[model.default_layer], steps=2,
            )
        )  # fmt: skip
    shown = open_file(save_index(pages, tmp_path / "index.html", title=HOSTILE[1]))
    page = shown.page
    assert page.locator("li").count() == 3
    widths = page.locator("li img").evaluate_all("(all) => all.map((one) => one.naturalWidth)")
    assert all(width > 100 for width in widths)
    assert [u for u in shown.requests if not u.startswith("data:image/jpeg")] == [
        (tmp_path / "index.html").as_uri()
    ]
    for n in range(3):
        page.locator("li a").nth(n).click()
        shown.shown()
        assert shown.happened() == [] and page.locator(".camwidget-name").count() == 1
        page.go_back()
    assert shown.happened() == []


def test_words_are_the_widgets(
    saved: tuple[cw.VisionModel, torch.Tensor, Path], open_file: Callable[..., OpenPage]
) -> None:
    """For one real map; js/tests/sentences.test.ts has all kinds of sentences."""
    model, pixels, file = saved
    shown = open_file(file).shown()
    explanation = cw.explain(model, pixels)
    whole = model.predict(pixels).probabilities[0]
    mask = MaskSettings("remove", "blur", 0.0)
    assert shown.said() == sentences.sentence(explanation, mask, whole, None)


def test_frames_of_a_clip_are_those_the_model_got(
    tmp_path: Path, open_file: Callable[..., OpenPage]
) -> None:
    """A layer's two frames of cells are interpolated for four frames, here and in Python."""
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        torch.nn.Conv3d(3, 6, 3, stride=2, padding=1),
        torch.nn.ReLU(),
        torch.nn.AdaptiveAvgPool3d(1),
        torch.nn.Flatten(),
        torch.nn.Linear(6, 3),
    )
    model = cw.wrap(module.eval(), cw.Preprocess(32, frames=4), ["a", "b", "c"])
    clip = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3), dtype=np.uint8)
    file = save_page(model, clip, tmp_path / "clip", "b", frame=2, methods=["gradcam"], steps=2)
    shown = open_file(file.path).shown()
    says(shown.page, ".camwidget-frame-number", "3 / 4")
    box = shown.page.locator(".camwidget-frame").first.bounding_box()
    assert abs(box["width"] - box["height"]) < 2  # a frame's shape, not the strip's
    shown.page.locator(".camwidget-map-style-open").click()
    shown.page.get_by_role("button", name="overlay").click()
    shown.slide(30)
    data = SavedPage(file.path)
    entry = data.grid(1, "gradcam", model.default_layer)
    levels = QuantizedMap(data.cells(entry).copy(), entry["peak"], frames=4).levels((128, 32))
    wanted = mask_pixels(model.pixels(clip)[0], levels, [0.3], baseline="blur", frames=4)[0]
    assert np.array_equal(shown.pixels(), (wanted * 255).round().byte().permute(1, 2, 0).numpy())
    shown.page.locator(".camwidget-frames").fill("0")
    says(shown.page, ".camwidget-frame-number", "1 / 4")
    assert "in 2 frames" in str(shown.page.locator(".camwidget-status").first.text_content())
    assert shown.happened() == []
