"""A lost kernel: the page shows it, and what needs no kernel continues to work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_driver import PATIENCE, canvas_pixels, frames, repainted

pytestmark = [pytest.mark.browser, pytest.mark.full]

EXPLORER = "import camwidget as cw\nex = cw.Explorer()\nex"
LOST = ".camwidget-connection:not([hidden])"


def still_masks(page: Any) -> None:
    """The picture follows the slider, and the class list keeps still."""
    before = canvas_pixels(page)
    chosen = page.locator(".camwidget-name[aria-pressed=true]").inner_text()
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("2")
    repainted(page, before, "the picture needs no kernel")
    frames(page)
    assert page.locator(".camwidget-name[aria-pressed=true]").inner_text() == chosen


def test_a_restart_and_a_notebook_opened_again(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page()
    name = lab.write("restarted", EXPLORER)
    shown.open(name)
    shown.widget()
    page = shown.page
    assert page.locator(LOST).count() == 0
    page.evaluate(
        """async () => {
          const {commands} = window.jupyterapp;
          await commands.execute("@jupyter-widgets/jupyterlab-manager:saveWidgetState");
          await commands.execute("docmanager:save");
          await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel();
        }"""
    )
    page.wait_for_selector(LOST, timeout=PATIENCE)
    assert "run the cell again" in page.locator(LOST).inner_text()
    still_masks(page)
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
    again = open_page()
    again.open(name, run=False)
    again.page.wait_for_selector(LOST, timeout=PATIENCE)
    still_masks(again.page)
    again.run_all()
    again.page.wait_for_selector(LOST, state="detached", timeout=PATIENCE)
    again.widget()
