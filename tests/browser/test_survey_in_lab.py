"""A survey in a real JupyterLab: the sheet scrolls, filters and opens pictures, by mouse and by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_driver import PATIENCE, says, still
from test_accessibility import findings, focused

pytestmark = [pytest.mark.browser, pytest.mark.full]

SURVEY = """
import sys
sys.path.insert(0, {support!r})
from small_models import labeled, small_model
import camwidget as cw
survey = cw.Survey(small_model(), labeled(300))
survey
"""

BOX, STATUS = ".camwidget-survey-box", ".camwidget-survey-status"
SHEET, KEYS = ".camwidget-survey-scroll", ".camwidget-survey-keys"
TOP = "survey._sheet.keys.top"


def test_a_survey_in_lab(lab: Any, open_page: Callable[..., Any]) -> None:
    support = str(Path(__file__).parents[1] / "support")
    shown = open_page(viewport={"width": 1280, "height": 720})
    shown.open(lab.write("survey", SURVEY.format(support=support), "1"))
    page = shown.page
    page.locator(SHEET).wait_for(timeout=PATIENCE)
    says(page, STATUS, "300 of 300 pictures")
    shown.comes_to("survey._worker.wait(60) and len(survey.result)", 300)
    box = page.locator(BOX).bounding_box()
    assert box["x"] + box["width"] < 1240 and box["height"] < 600, "it fits into one screen"

    # The page says how far it is scrolled, and the canvas follows to the end.
    page.locator(SHEET).evaluate("box => { box.scrollTop = 3000 }")
    shown.comes_to(TOP, 3000)
    shown.comes_to(
        "[survey._sheet._first * survey._sheet.PITCH <= 3000, "
        "(survey._sheet._first + survey._sheet._lines) * survey._sheet.PITCH >= 3390]",
        [True, True],
    )

    # A filter, and the sheet is at its beginning again.
    page.locator(f"{BOX} button", has_text="wrong").first.click()
    wrong = shown.value("int(survey.result.is_wrong.sum())")
    says(page, STATUS, f"{wrong} of 300 pictures, {wrong} wrong")
    page.wait_for_function(f"document.querySelector('{SHEET}').scrollTop === 0", timeout=PATIENCE)

    # A click opens the picture under it; the keyboard is then on the sheet, and goes on.
    shown.comes_to("[survey._sheet.keys.top, survey._sheet._first]", [0, 0])
    still(page)  # the canvas has followed to the beginning
    sheet = page.locator(SHEET).bounding_box()
    page.mouse.click(sheet["x"] + 3 + 78 + 30, sheet["y"] + 3 + 30)
    second = shown.value("str(survey.selected['name'].iloc[1])")
    says(page, STATUS, f"{second}: ")
    page.locator(".camwidget-explorer").first.wait_for(timeout=PATIENCE)
    page.wait_for_function(f"document.activeElement?.matches('{KEYS}') ?? false", timeout=PATIENCE)
    assert focused(page, KEYS)
    cells = page.locator(".jp-Cell").count()
    page.keyboard.press("ArrowRight")
    third = shown.value("str(survey.selected['name'].iloc[2])")
    says(page, STATUS, f"{third}: ")
    page.keyboard.press("b")
    assert page.locator(".jp-Cell").count() == cells

    # The tabs have what they say.
    page.locator(f"{BOX} button", has_text="clusters").first.click()
    page.locator(".camwidget-survey-cluster").first.wait_for(timeout=PATIENCE)
    page.locator(f"{BOX} button", has_text="hide").first.click()
    page.locator(f"{BOX} button", has_text="Hide everywhere").click()
    page.locator(".camwidget-survey-changes").first.wait_for(timeout=PATIENCE)
    page.locator(f"{BOX} button", has_text="confusion").first.click()
    says(page, BOX, "Click a cell to see its pictures.")
    assert not findings(page, KEYS)
