"""Accessibility: no serious findings of axe-core, and every action by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from page_driver import PATIENCE, says, still, until

pytestmark = [pytest.mark.browser, pytest.mark.full]

BOTH = """
import camwidget as cw
from camwidget.zoo import textures
from IPython.display import display
ex = cw.Explorer()
pairs = [("waffled", "bubbly"), ("honeycombed", "veined")]
pictures = [textures.draw(k, "multiple", classes=pair) for k, pair in enumerate(pairs)]
display(cw.Quiz.which_class(ex.model, pictures, n=2), ex)
"""

#: What an open panel has.
INSIDE = {
    "DeepVis": ".camwidget-deepvis img",
    "Evaluate": ".camwidget-table-button",
    "Contact sheet": ".camwidget-contact-sheet canvas",
    "Concepts": ".camwidget-concepts button",
}

#: What is other people's, with the reason that it is left out.
THEIRS: tuple[str, ...] = ()


#: How much a finding matters.
ALL = ("minor", "moderate", "serious", "critical")


def findings(page: Any, scope: str, impacts: tuple[str, ...] = ALL[2:]) -> list[str]:
    """Those of some impacts, as text."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    context = {"include": [[scope]], "exclude": [[each] for each in THEIRS]}
    found = axe.run(page, context, {"resultTypes": ["violations"]}).response["violations"]
    return [
        f"{each['id']} ({each['impact']}): {node['target']} {node['html'][:300]} {node['failureSummary'][:300]}"
        for each in found
        if each["impact"] in impacts
        for node in each["nodes"]
    ]


def test_axe(lab: Any, open_page: Callable[..., Any]) -> None:
    """Light and dark, the panels folded and open."""
    shown = open_page(viewport={"width": 1280, "height": 2400})
    shown.open(lab.write("axe", BOTH))
    shown.widget()
    page = shown.page
    shown.execute("ex.fraction = 0.3; ex.boxes = ex.outlines = True")
    shown.settled()
    page.wait_for_selector(".camwidget-quiz-option", timeout=PATIENCE)
    for theme in ("Light", "Dark"):
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
            f"JupyterLab {theme}",
        )
        page.wait_for_function(
            "(light) => document.body.dataset.jpThemeLight === light",
            arg=str(theme == "Light").lower(),
        )
        still(page)
        assert findings(page, ".camwidget-explorer") == [], theme
        assert findings(page, ".camwidget-quiz") == [], theme
    for panel in ("DeepVis", "Evaluate", "Contact sheet", "Concepts"):
        page.locator(".camwidget-panels").get_by_text(panel).click()
        until(page, "(s) => !!document.querySelector(s)", INSIDE[panel])
        still(page)
        assert findings(page, ".camwidget-explorer") == [], panel


def focused(page: Any, selector: str) -> bool:
    return page.evaluate("(s) => document.activeElement?.matches(s) ?? false", selector)


def tab_to(page: Any, selector: str) -> None:
    for _ in range(60):
        if focused(page, selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not lead to {selector}")


SLOWED = """
import time, camwidget as cw
model = cw.load(device="cpu")
pause = [0.0]
model.module.register_forward_pre_hook(lambda *_: time.sleep(pause[0]))
ex = cw.Explorer(model)
ex
"""


def test_everything_by_keyboard(lab: Any, open_page: Callable[..., Any]) -> None:
    """From the button before the picture to the last panel, with Tab, arrows and letters; never a pointer."""
    shown = open_page()
    shown.open(lab.write("keys", SLOWED))
    shown.widget()
    page = shown.page
    keys = page.keyboard
    page.locator(".camwidget-thumbnails button").focus()
    status, frame = ".camwidget-status-text", ".camwidget-frame"
    tab_to(page, frame)
    keys.press("2")  # a class
    says(page, status, page.locator(".camwidget-name").nth(1).inner_text())
    keys.press("m")  # a method, a layer, another picture
    says(page, status, "Grad-CAM++")
    keys.press("[")
    says(page, status, "stage3")
    keys.press("]")
    says(page, status, "stage4")
    keys.press(".")
    shown.settled()
    assert page.locator(".camwidget-class-probe-marker").is_hidden()
    for key in "wwa":  # the marker, and which classes are strong there
        keys.press(key)
    assert page.locator(".camwidget-class-probe-marker").is_visible()
    keys.press("Enter")
    page.wait_for_selector(".camwidget-class-probe-entry", timeout=PATIENCE)
    keys.press("Escape")
    assert page.locator(".camwidget-class-probe").is_hidden()
    keys.press("?")
    assert page.get_by_role("dialog").is_visible()
    keys.press("Escape")
    assert page.get_by_role("dialog").is_hidden()
    stances, say = ".camwidget-stances [aria-checked=true]", ".camwidget-mask-sentence"
    tab_to(page, stances)
    assert page.locator(".camwidget-stances").get_attribute("aria-label").startswith("Evidence")
    first, second = (page.locator(".camwidget-name").nth(row).inner_text() for row in (0, 1))
    keys.press("1")
    says(page, say, f"for {first}")
    for stance, said in (("against", f"against {first}"), ("rather", "rather than which class?")):
        keys.press("ArrowDown")
        assert focused(page, f".camwidget-stances [data-name={stance}]")
        keys.press("Enter")
        says(page, say, said)
    keys.press("2")  # the other class
    says(page, say, f"{first} rather than {second}")
    tab_to(page, stances)
    keys.press("ArrowDown")  # from the last one to the first, which is for the class
    keys.press("Enter")
    until(
        page,
        "(s) => document.querySelector(s)?.dataset.name === 'for'",
        stances,
    )
    tab_to(page, ".camwidget-search[role=combobox]")
    keys.type("waf")
    keys.press("ArrowDown")
    keys.press("Enter")
    says(page, status, "waffled")
    tab_to(page, "[role=radio][aria-checked=true]")
    tab_to(page, ".camwidget-fraction")
    keys.press("Shift+ArrowRight")
    keys.press("ArrowRight")
    says(page, ".camwidget-mask-sentence", "11 %")
    tab_to(page, ".camwidget-more")
    keys.press("Enter")
    for _ in range(60):
        if focused(page, "[data-name=rise]"):
            break
        keys.press("ArrowDown")
    shown.execute("pause[0] = 0.05")
    keys.press("Enter")
    says(page, ".camwidget-tag", "partial map")
    keys.press("Escape")
    says(page, status, "RISE canceled at")
    shown.execute("pause[0] = 0.0")
    tab_to(page, ".camwidget-map-style-open")
    keys.press("Enter")
    tab_to(page, ".camwidget-opacity")
    keys.press("Escape")
    assert (
        focused(page, ".camwidget-map-style-open")
        and page.locator(".camwidget-map-style").is_hidden()
    )
    tab_to(page, ".camwidget-large-open")
    for panel in ("DeepVis", "Evaluate", "Contact"):
        tab_to(page, ".camwidget-panels [role=button]:not([aria-expanded=true])")
        while panel not in page.evaluate("() => document.activeElement.textContent"):
            keys.press("Tab")
        keys.press("Enter")
        page.wait_for_function(
            "() => document.activeElement.ariaExpanded === 'true'", timeout=PATIENCE
        )
    page.wait_for_selector(".camwidget-contact-sheet canvas")
