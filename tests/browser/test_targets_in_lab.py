"""Evidence against a class and rather than another, and a method's settings, by hand in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from page_driver import PATIENCE, says, still, until
from test_accessibility import findings, focused, tab_to

import camwidget as cw
from camwidget import zoo

pytestmark = [pytest.mark.browser, pytest.mark.full]

CODE = "import camwidget as cw\nex = cw.Explorer(top=4, fraction=0.25)\nex"

VIT = CODE.replace("Explorer(", "Explorer(cw.load('zoo/scenes-vit'), ")
#: Counts the passes of LRP in the kernel.
COUNT = """
from camwidget.attribution.methods import relevance
passes, run = [], relevance.relevance_pass
relevance.relevance_pass = lambda *args, **kwargs: passes.append(1) or run(*args, **kwargs)
"""

#: Where what must not move stands.
PLACES = """() => ["frame", "class-names", "fraction", "choices", "tools"]
  .map((name) => document.querySelector(`.camwidget-${name}`).getBoundingClientRect())
  .map(({left, top, width, height}) => [left, top, width, height].map(Math.round))"""

SAY = ".camwidget-mask-sentence"


def stance(kind: str) -> str:
    return f'.camwidget-stances [data-name="{kind}"]'


def test_for_against_and_rather_than(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 1280, "height": 720})
    shown.open(lab.write("targets", CODE))
    shown.widget()
    shown.settled()
    page = shown.page
    first, second = (page.locator(".camwidget-name").nth(n).inner_text() for n in (0, 1))
    before = page.evaluate(PLACES)
    head = page.locator(".camwidget-class-heading").bounding_box()
    assert head["height"] < 24, "one line"

    page.locator(stance("against")).click()
    says(page, SAY, f"the most evidence against {first} raises it")
    assert shown.value("ex.state['target']") == {"against": first}
    assert page.evaluate(PLACES) == before, "nothing jumps"

    page.locator(stance("rather")).click()
    says(page, SAY, f"What speaks for {first} rather than which class?")
    page.locator(".camwidget-name").nth(0).click()  # itself: words in place, nothing lost
    says(page, ".camwidget-error", "rather than itself")
    assert shown.value("ex.state['target']") == {"against": first}
    page.locator(".camwidget-bars rect").first.wait_for(timeout=PATIENCE)
    page.locator(".camwidget-name").nth(1).click()
    says(page, SAY, f"the most evidence for {first} rather than {second}")
    assert shown.value("ex.state['target']") == {"for": first, "rather_than": second}
    assert page.locator('.camwidget-name[data-rival="true"]').inner_text() == second
    shown.settled()
    assert findings(page, ".camwidget-explorer") == []

    page.locator(".camwidget-name").nth(1).click()  # they change places
    says(page, SAY, f"the most evidence for {second} rather than {first}")
    cam = page.locator('.camwidget-methods [data-name="cam"]')
    assert cam.get_attribute("aria-disabled") == "true"
    assert "weights of one class" in cam.get_attribute("title")

    # By keyboard alone: back to the class, and against it.
    page.locator(".camwidget-frame").focus()
    tab_to(page, f"{stance('rather')}")
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    assert focused(page, stance("for"))
    page.keyboard.press("Enter")
    says(page, SAY, f"the most evidence for {second} lowers")
    page.locator(stance("rather")).click()
    page.keyboard.press("Escape")
    says(page, SAY, f"the most evidence for {second} ")
    page.locator(".camwidget-history").first.click()
    says(page, SAY, f"{second} rather than {first}")


def test_settings_of_a_method(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page(viewport={"width": 1280, "height": 720})
    shown.open(lab.write("settings", VIT))
    shown.widget()
    shown.settled()
    page = shown.page
    opener = page.locator(".camwidget-settings-open")
    assert opener.is_disabled() and "no settings" in opener.get_attribute("title")
    shown.execute("ex.method = 'finercam'; ex.wait(120)")
    until(page, "() => !document.querySelector('.camwidget-settings-open').disabled")
    opener.click()
    strength = page.locator('.camwidget-setting-number[data-name="strength"]')
    strength.fill("0.25")
    strength.press("Enter")
    says(page, ".camwidget-status-text", "Finer-CAM (strength 0.25)")
    assert shown.value("ex.settings") == {"finercam": {"strength": 0.25}}
    # The slider: each step is shown in the field, and the last is used once it rests.
    slider = page.locator('.camwidget-setting-range[data-name="strength"]')
    slider.focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    says(page, ".camwidget-status-text", "Finer-CAM (strength 0.34)")
    assert shown.value("ex.settings") == {"finercam": {"strength": 0.34}}
    strength.fill("0.25")
    strength.press("Enter")
    says(page, ".camwidget-status-text", "Finer-CAM (strength 0.25)")
    strength.fill("-1")
    strength.press("Enter")
    says(page, ".camwidget-settings-message", "strength is a number of at least 0.")
    assert shown.value("ex.settings") == {"finercam": {"strength": 0.25}}
    still(page)
    assert findings(page, ".camwidget-explorer") == []
    page.get_by_role("button", name="defaults").click()
    until(page, "() => !document.querySelector('.camwidget-status-text').textContent.includes('(')")
    assert shown.value("ex.settings") == {} and strength.input_value() == "1"
    page.keyboard.press("Escape")
    assert page.locator(".camwidget-settings").is_hidden()

    # γ of LRP is at what applies to a transformer. Of many presses only the last counts, and none waits in a queue.
    shown.execute("ex.method = 'lrp'; ex.wait(120)")
    shown.execute(COUNT)
    opener.click()
    slider = page.locator('.camwidget-setting-range[data-name="gamma"]')
    assert slider.input_value() == "0.25"
    slider.focus()
    for _ in range(40):
        page.keyboard.press("ArrowRight")
    says(page, ".camwidget-status-text", "LRP (gamma 0.65)")
    shown.settled()
    assert (
        shown.value("ex.settings") == {"lrp": {"gamma": 0.65}} and shown.value("len(passes)") < 20
    )
    gamma = page.locator('.camwidget-setting-number[data-name="gamma"]')
    gamma.fill("")
    gamma.press("Enter")
    until(page, "() => !document.querySelector('.camwidget-status-text').textContent.includes('(')")
    assert shown.value("ex.settings") == {} and slider.input_value() == "0.25"


def test_page_goes_between_class_and_contrast(browser: Any, tmp_path: Path) -> None:
    model = cw.load(device="cpu")
    image = zoo.samples("zoo/textures")[0].image
    first, second = model.predict(image).names[:2]
    page = cw.save_page(
        model,
        image,
        tmp_path / "page.html",
        [cw.Contrast(first, second), first],
        methods=["gradcam"],
        layers=["stage4"],
        fraction=0.5,
        steps=3,
    )
    shown = browser.new_page()
    shown.goto(page.path.as_uri())
    says(shown, SAY, f"the most evidence for {first} rather than {second}")
    assert shown.locator(stance("against")).is_hidden(), "it has none"
    shown.locator(stance("for")).click()
    says(shown, SAY, f"the most evidence for {first} lowers it")
    shown.locator(stance("rather")).click()
    says(shown, SAY, f"rather than {second}")
    assert findings(shown, "main") == []
    shown.close()
