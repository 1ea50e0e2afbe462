"""The score table, the contact sheet and the map's box in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from page_driver import status_has, until

pytestmark = [pytest.mark.browser, pytest.mark.full]

NOTEBOOK = """
import camwidget as cw
ex = cw.Explorer(cw.load("zoo/scenes", device="cpu"), top=4)
ex
"""

RESET = """
ex._parts.panels.box.selected_index = None
ex.method, ex.layer, ex.picture, ex.boxes = "gradcam", ex.model.default_layer, 0, False
ex.target = None
ex.wait(120)
"""


@pytest.fixture(scope="module")
def shared(browser: Any, lab: Any) -> Iterator[Any]:
    opened = lab.page(browser, viewport={"width": 1280, "height": 1800})
    opened.open(lab.write("evaluate", NOTEBOOK))
    opened.widget()
    yield opened
    opened.close()


@pytest.fixture
def shown(shared: Any) -> Any:
    """The shared page, with all panels folded."""
    shared.execute(RESET)
    status_has(shared.page, "Grad-CAM ·")
    return shared


def column(page: Any, number: int) -> list[str]:
    return page.locator(f".camwidget-table-scores tbody td:nth-of-type({number})").all_inner_texts()


def test_methods_are_scored_and_sorted_and_a_row_shows_its_map(shown: Any) -> None:
    page = shown.page
    page.get_by_text("Evaluate:").click()
    start = page.locator(".camwidget-table-button:not([disabled])", has_text="Start")
    start.wait_for()
    assert page.locator(".camwidget-table-scores").is_hidden(), "nothing runs by itself"
    start.click()
    until(page, "() => !!document.querySelector('.camwidget-table-scores td')")
    until(
        page,
        """() => document.querySelector('.camwidget-table-button').textContent === 'Start'
          && [...document.querySelectorAll('.camwidget-table-scores td')].every((c) => c.textContent !== '…')""",
    )
    assert page.locator(".camwidget-radar svg path.line").count() > 3
    rows = page.locator(".camwidget-table-row").all_inner_texts()
    assert {"Grad-CAM", "LayerCAM", "Random"} <= set(rows)
    # By the mouse, then by the keyboard: best first, then worst.
    head = page.locator(".camwidget-table-head", has_text="Deletion")
    number = page.locator(".camwidget-table-head").all_inner_texts().index(head.inner_text())
    head.click()
    until(page, "() => !!document.querySelector('th[aria-sort=ascending]')")
    values = [float(v) for v in column(page, number)]
    assert values == sorted(values) and len(set(values)) > 1
    page.keyboard.press("Enter")
    until(page, "() => !!document.querySelector('th[aria-sort=descending]')")
    assert [float(v) for v in column(page, number)] == sorted(values, reverse=True)
    page.locator(".camwidget-table-scores tr", has_text="LayerCAM").locator("td").first.click()
    status_has(page, "LayerCAM ·")
    until(
        page,
        "() => document.querySelector('tr[aria-current=true]')?.textContent.includes('LayerCAM')",
    )
    page.locator(".camwidget-table-row", has_text="Random").focus()
    page.keyboard.press("Space")
    status_has(page, "Random ·")
    # Of another picture the numbers stay, and say so.
    caption = page.locator(".camwidget-table-caption").inner_text()
    page.locator(".camwidget-frame").focus()
    page.keyboard.press(".")
    page.locator(".camwidget-table-stale", has_text="shows another map now").wait_for()
    assert page.locator(".camwidget-table-caption").inner_text().startswith(caption.strip())


def test_a_map_of_the_contact_sheet_is_picked(shown: Any) -> None:
    page = shown.page
    page.get_by_text("Contact sheet:").click()
    canvas = page.locator(".camwidget-contact-sheet canvas")
    canvas.wait_for()
    # The last map is drawn: no gray of a place that waits.
    until(
        page,
        """() => {
          const canvas = document.querySelector('.camwidget-contact-sheet canvas');
          const {width, height} = canvas;
          const data = canvas.getContext('2d').getImageData(width - 60, height - 60, 1, 1).data;
          return width > 400 && data[3] === 255;
        }""",
    )
    width = page.evaluate("() => document.querySelector('.camwidget-contact-sheet canvas').width")
    assert width == 2 * canvas.bounding_box()["width"], "two canvas pixels to a CSS pixel"
    names = page.locator(".camwidget-name").all_inner_texts()
    # Second row, third column: of the sheet's own sizes.
    canvas.click(position={"x": 104 + 8 + 2 * 100 + 46, "y": 40 + 8 + 2 * 100 + 46})
    status_has(page, f"· {names[2]} ·")
    status_has(page, "Grad-CAM++ ·")
    until(
        page,
        f"""() => {{
          const canvas = document.querySelector('.camwidget-contact-sheet canvas');
          const at = [2 * (104 + 8 + 200 - 2), 2 * (40 + 8 + 200 + 46)];
          const [r, g, b] = canvas.getContext('2d').getImageData(...at, 1, 1).data;
          return r > {0xE8 - 20} && Math.abs(g - {0x71}) < 30 && b < 60;
        }}""",
    )


def test_the_box_is_drawn_and_follows(shown: Any) -> None:
    page = shown.page
    assert page.locator(".camwidget-box").count() == 0
    page.locator(".camwidget-map-style-open").click()
    page.locator(".camwidget-map-style").get_by_role("button", name="box", exact=True).click()
    page.locator(".camwidget-box").wait_for()
    said = page.locator(".camwidget-ground-truth-summary")
    until(
        page,
        "() => document.querySelector('.camwidget-ground-truth-summary').textContent.includes('the peak')",
    )
    path = page.locator(".camwidget-box .over")
    before = path.get_attribute("d")
    frame, peak = (
        page.locator(selector).bounding_box()
        for selector in (".camwidget-canvas", ".camwidget-peak")
    )
    assert frame["x"] < peak["x"] < frame["x"] + frame["width"]
    top = page.locator(".camwidget-methods").bounding_box()["y"]
    page.locator(".camwidget-name").nth(1).click()
    until(
        page,
        "(d) => document.querySelector('.camwidget-box .over').getAttribute('d') !== d",
        before,
    )
    assert said.inner_text() != ""
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("b")
    until(page, "() => !document.querySelector('.camwidget-box')")
    assert page.locator(".camwidget-methods").bounding_box()["y"] == top, "nothing jumps"
