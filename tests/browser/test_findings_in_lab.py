"""Boxes and areas of a model in a real JupyterLab: clicked, and followed while masked; and a region as the question."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_driver import until

pytestmark = [pytest.mark.browser, pytest.mark.full]

SUPPORT = Path(__file__).parents[1] / "support"
START = f"""
import sys
sys.path.insert(0, {str(SUPPORT)!r})
import camwidget as cw
import finding_models as fm
two = fm.lamps(red=[(1, 4, 0.9), (4, 1, 0.8)], green=[(4, 4, 0.7)])
"""
BOXES = """
model = cw.wrap(fm.Lamps(), cw.Preprocess(fm.SIDE), fm.NAMES, kind="boxes")
ex = cw.Explorer(
    model, {"two": two, "dark": fm.lamps()}, layer="cells.2", method="layercam", baseline="black"
)
ex
"""
AREAS = """
model = cw.wrap(fm.Colors(), cw.Preprocess(fm.SIDE), fm.AREAS, kind="segments")
ex = cw.Explorer(model, {"two": two}, layer="cells.2", method="layercam")
ex
"""


@pytest.fixture
def opened(browser: Any, lab: Any) -> Iterator[Callable[[str, str], Any]]:
    """Opens a Lab page of the smallest size that it is designed for, with an explorer."""
    pages: list[Any] = []

    def open_(name: str, code: str) -> Any:
        shown = lab.page(browser, viewport={"width": 1280, "height": 720})
        pages.append(shown)
        shown.open(lab.write(name, START + code))
        shown.widget()
        shown.settled()
        return shown

    yield open_
    for page in pages:
        page.close()


def cell(page: Any, row: int, column: int) -> tuple[float, float]:
    """The middle of one of the 6 × 6 cells of the picture, in the window."""
    box = page.locator(".camwidget-canvas").first.bounding_box()
    return (
        box["x"] + (column + 0.5) / 6 * box["width"],
        box["y"] + (row + 0.5) / 6 * box["height"],
    )


def chosen(page: Any, name: str) -> None:
    until(
        page,
        "(name) => document.querySelector('.camwidget-name[aria-pressed=true]')?.textContent === name",
        name,
    )


def labels(page: Any, expected: list[str]) -> None:
    until(
        page,
        "(all) => JSON.stringify(all) === JSON.stringify([...document.querySelectorAll('.camwidget-found-label')]"
        ".map((one) => one.textContent))",
        expected,
    )


def says(page: Any, part: str) -> None:
    until(
        page,
        "(part) => document.querySelector('.camwidget-mask-sentence').textContent.includes(part)",
        part,
    )


def test_a_click_on_a_box_asks_about_it(opened: Callable[[str, str], Any]) -> None:
    lab_page = opened("boxes", BOXES)
    page = lab_page.page
    labels(page, ["red #0 0.90", "red #1 0.80", "green 0.70"])
    chosen(page, "red #0")
    page.mouse.click(*cell(page, 4, 1))
    chosen(page, "red #1")
    lab_page.settled()
    assert lab_page.value("[int(i) for i in divmod(ex.explanation.raw.argmax(), 6)]") == [4, 1]

    # By its row, whose name says where the box is; and by the keyboard.
    page.get_by_role("button", name="green, lower right").click()
    chosen(page, "green")
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("1")
    chosen(page, "red #0")

    # Another question about it, and fewer boxes; undone one by one.
    lab_page.settled()
    page.locator(".camwidget-question").select_option("class")
    lab_page.comes_to("(ex.about, ex.wait(5).model.about)", ["class", "class"])
    field = page.get_by_label("Least score of the boxes")
    field.fill("0.75")
    field.press("Enter")
    labels(page, ["red #0 0.90", "red #1 0.80"])
    page.locator("[aria-label=Undo]").click()
    labels(page, ["red #0 0.90", "red #1 0.80", "green 0.70"])
    lab_page.settled()
    page.locator("[aria-label=Undo]").click()
    lab_page.comes_to("(ex.about, ex.wait(5).model.about)", ["score", "score"])
    chosen(page, "red #0")

    # The same detection is followed: it is lost, and the others are not.
    lab_page.settled()
    page.locator(".camwidget-fraction").fill("3")
    labels(page, ["red #0 lost", "red #1 0.80", "green 0.70"])
    says(page, "It is lost. On the curve: found at")
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("f")
    labels(page, [])
    page.keyboard.press("f")
    labels(page, ["red #0 lost", "red #1 0.80", "green 0.70"])

    # Nothing at all is found in the next picture, and the one before comes back.
    page.keyboard.press(".")
    page.wait_for_selector(".camwidget-found-note:visible")
    assert "detects nothing" in page.locator(".camwidget-found-note").inner_text()
    labels(page, [])
    page.keyboard.press(",")
    chosen(page, "red #0")
    until(page, "() => document.querySelector('.camwidget-found-note').hidden")
    assert page.locator(".camwidget-error").is_hidden()


def test_a_brushed_region_is_the_question(opened: Callable[[str, str], Any]) -> None:
    lab_page = opened("areas", AREAS)
    page = lab_page.page
    labels(page, ["background", "red", "green"])
    chosen(page, "background")
    page.mouse.click(*cell(page, 1, 4))
    chosen(page, "red")
    lab_page.settled()
    whole = lab_page.value("float(ex.explanation.raw[4, 1])")

    # Across the other red lamp: it alone is asked about.
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("p")
    start, end = cell(page, 4, 1), cell(page, 4, 1)
    page.mouse.move(start[0] - 8, start[1])
    page.mouse.down()
    page.mouse.move(end[0] + 8, end[1], steps=3)
    page.mouse.up()
    until(page, "() => document.querySelector('.camwidget-region-outlines path') !== null")
    lab_page.settled()
    until_region(lab_page)
    assert lab_page.value("float(ex.explanation.raw[4, 1])") > 5 * whole
    chosen(page, "red")
    page.locator(".camwidget-fraction").fill("10")
    says(page, "Its area in the region: ")

    # Without a pixel, the whole picture is asked about again; undo brings the region back.
    page.locator(".camwidget-fraction").fill("0")
    page.get_by_role("button", name="clear").click()
    until(page, "() => document.querySelector('.camwidget-region-outlines path.hidden') === null")
    lab_page.settled()
    assert lab_page.value("ex.region is None")
    page.locator("[aria-label=Undo]").click()
    until(page, "() => document.querySelector('.camwidget-region-outlines path.hidden') !== null")
    lab_page.settled()
    until_region(lab_page)


def until_region(lab_page: Any) -> None:
    """Wait until the explorer has a region, around the lower red lamp."""
    for _ in range(50):
        if lab_page.value("ex.region is not None and bool(ex.wait(5).region[36, 12])"):
            return
        lab_page.page.wait_for_timeout(100)
    raise AssertionError("The kernel has no region.")
