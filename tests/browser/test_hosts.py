"""The explorer in other applications than JupyterLab: Notebook 7, Voila and marimo."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from host_driver import complaints, serving, write_notebook
from page_driver import PATIENCE, canvas_pixels, fraction_is, repainted, shows
from PIL import Image

from camwidget import zoo

pytestmark = pytest.mark.browser

EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    context.set_default_timeout(PATIENCE)
    yield context.new_page()
    context.close()


def use(page: Any) -> None:
    """What has to work wherever there is a picture: a class, the slider, a method."""
    shows(page, ".camwidget-status-text", "·")
    assert page.locator(".camwidget-name").count() == 6
    before = canvas_pixels(page)
    second = page.locator(".camwidget-name").nth(1)
    name = second.inner_text()
    second.click()
    shows(page, ".camwidget-status-text", name)
    before = repainted(page, before, "another class, another map")
    fraction_is(page, 40)
    repainted(page, before, "the slider paints by itself")
    shows(page, ".camwidget-number", "→")
    shows(page, ".camwidget-mask-sentence", "40 %")
    page.locator("[role=radio][data-name='layercam']").click()
    shows(page, ".camwidget-status-text", "LayerCAM")
    assert page.locator(".camwidget-error-text").inner_text() == ""
    assert page.get_by_text("A still picture").count() == 0, "the static view is for other readers"


def use_neighbors(page: Any) -> None:
    """The parts that are other people's widgets: the strip, the bars, the curve."""
    bars = page.locator(".camwidget-bars").bounding_box()
    row = page.locator(".camwidget-name").nth(0)
    at = row.bounding_box()
    page.mouse.click(bars["x"] + 0.8 * bars["width"], at["y"] + at["height"] / 2)
    shows(page, ".camwidget-status-text", row.inner_text())
    assert page.locator(".camwidget-curve svg path.line").count() >= 2
    before = canvas_pixels(page)
    strip = page.locator(".camwidget-thumbnails canvas").bounding_box()
    page.mouse.click(strip["x"] + 21 + 42, strip["y"] + strip["height"] / 2)
    page.locator(".camwidget-frame[aria-busy=false]").wait_for()
    repainted(page, before, "another picture")


def test_notebook(page: Any, tmp_path: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    write_notebook(tmp_path, "notebook", EXPLORER)
    options = ["--no-browser", "--allow-root", "--IdentityProvider.token=", "--ip=127.0.0.1"]
    with serving(
        tmp_path,
        lambda port: ["jupyter", "notebook", *options, f"--ServerApp.port={port}"],
        "notebooks/notebook.ipynb",
    ) as url:
        errors = complaints(page)
        page.goto(url)
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        cell = page.locator(".jp-CodeCell .cm-content").first
        ran = page.locator(".jp-CodeCell .jp-InputArea-prompt").filter(
            has_text=re.compile(r"\[[*1]")
        )
        dialog = page.locator(".jp-Dialog .jp-mod-accept")
        for _ in range(10):  # a key that comes before Notebook has taken the focus is lost
            if dialog.count():  # on a busy machine Notebook may ask for the kernel while it starts
                dialog.first.click()
            with contextlib.suppress(sync_api.TimeoutError):
                cell.click(timeout=5000)
            errors.clear()  # Notebook's own, while it starts
            page.keyboard.press("Shift+Enter")
            with contextlib.suppress(sync_api.TimeoutError):
                ran.first.wait_for(timeout=3000)
                break
        use(page)
        use_neighbors(page)
        assert errors == []
        page.get_by_role("menuitem", name="Kernel", exact=True).click()
        page.get_by_text("Restart Kernel…", exact=True).click()
        page.get_by_role("button", name="Confirm Kernel Restart").click()
        shows(page, ".camwidget-connection", "Disconnected from the kernel")


def test_voila(page: Any, tmp_path: Path) -> None:
    pytest.importorskip("voila")
    write_notebook(tmp_path, "app", EXPLORER)
    with serving(
        tmp_path,
        lambda port: [
            "voila",
            "app.ipynb",
            "--no-browser",
            f"--port={port}",
            "--Voila.ip=127.0.0.1",
        ],
    ) as url:
        errors = complaints(page)
        page.goto(url)
        use(page)
        use_neighbors(page)
        assert errors == []


MARIMO = """import marimo

app = marimo.App(width="full")


@app.cell
def _():
    import camwidget as cw
    ex = cw.Explorer()
    ex
    return


if __name__ == "__main__":
    app.run()
"""


def test_marimo(page: Any, tmp_path: Path) -> None:
    """Without ipycanvas and bqplot, and with a word that says so."""
    pytest.importorskip("marimo")
    (tmp_path / "app.py").write_text(MARIMO)
    with serving(
        tmp_path,
        lambda port: ["marimo", "run", "app.py", "--headless", "--no-token", f"--port={port}"],
    ) as url:
        errors = complaints(page)
        page.goto(url)
        use(page)
        shows(page, ".camwidget-fallback-note", "marimo shows neither ipycanvas nor bqplot")
        assert page.get_by_text("not supported in marimo").count() == 0
        page.get_by_role("button", name="Next picture").click()
        shows(page, ".camwidget-fallback-name", "2 of 8")
        stream = io.BytesIO()
        Image.fromarray(np.rot90(zoo.samples("zoo/textures")[0].image)).save(stream, "PNG")
        with page.expect_file_chooser() as chooser:
            page.get_by_text("Add picture").click()
        file = {"name": "turned.png", "mimeType": "image/png", "buffer": stream.getvalue()}
        chooser.value.set_files([file])
        shows(page, ".camwidget-fallback-name", "turned.png · 9 of 9")
        assert errors == []
