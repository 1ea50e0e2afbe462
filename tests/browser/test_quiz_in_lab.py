"""The quiz in a real JupyterLab: played by mouse and by keyboard, and from a saved notebook."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import nbformat
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from nbformat.sign import NotebookNotary
from page_driver import PATIENCE, says, until

import camwidget as cw

pytestmark = pytest.mark.browser

STUDY = """
import camwidget as cw
from camwidget.zoo import textures
pairs = [("waffled", "bubbly"), ("honeycombed", "veined"), ("knitted", "lined")]
pictures = [textures.draw(k, "multiple", classes=pair) for k, pair in enumerate(pairs)]
quiz = cw.Quiz.which_class(cw.load(device="cpu"), pictures, n=3)
quiz
"""

OPTION, NEXT = ".camwidget-quiz-option", ".camwidget-quiz-next"


def words(page: Any, option: int) -> str:
    """The verdict on a click on an option."""
    page.locator(OPTION).nth(option).click()
    until(page, "() => /✓|✗/.test(document.querySelector('.camwidget-quiz-verdict').textContent)")
    return page.locator(".camwidget-quiz-verdict").inner_text()


@pytest.mark.full
def test_by_mouse_and_by_keyboard_to_the_score(lab: Any, open_page: Callable[..., Any]) -> None:
    shown = open_page()
    shown.open(lab.write("quiz", STUDY, "1"))
    page = shown.page
    page.wait_for_selector(OPTION, timeout=PATIENCE)
    until(
        page,
        "() => [...document.querySelectorAll('.camwidget-quiz-image')].every((i) => i.naturalWidth === 192)",
    )
    cells = page.locator(".jp-Cell").count()
    tall = page.locator(".camwidget-quiz-card").bounding_box()["height"]

    word = words(page, 0)
    assert page.locator(".camwidget-quiz-outline").count() == 4, "two classes on two pictures"
    assert page.locator(".camwidget-quiz-card").bounding_box()["height"] == tall, "nothing jumps"
    page.locator(NEXT).click()
    says(page, ".camwidget-quiz-place", "Question 2 of 3")

    rights = [word.startswith("✓")]
    for number in (2, 3):
        # A click beside everything keeps the keys here; "a" and "b" insert cells in Lab.
        page.locator(".camwidget-quiz-prompt").click()
        until(page, "() => !!document.activeElement.closest('.camwidget-quiz')")
        for key in ("a", "b", "Enter", "2"):
            page.keyboard.press(key)
        until(
            page, "() => /✓|✗/.test(document.querySelector('.camwidget-quiz-verdict').textContent)"
        )
        rights.append(page.locator(".camwidget-quiz-verdict").inner_text().startswith("✓"))
        page.keyboard.press("Enter")
        says(page, ".camwidget-quiz-place", f"Question {number + 1}" if number < 3 else "Score")
    assert page.locator(".jp-Cell").count() == cells, "no key went to the notebook"
    assert page.locator(".camwidget-quiz-score").inner_text() == f"{sum(rights)} of 3 right"
    assert "61.23" in page.locator(".camwidget-quiz-source").inner_text()
    assert page.locator(".camwidget-quiz-row").count() == 3

    # Python has read along, and can play too.
    shown.comes_to("[*quiz.score, quiz.finished]", [sum(rights), 3, True])
    shown.execute("quiz.restart().answer(quiz.questions[0].right[0])")
    says(page, ".camwidget-quiz-verdict", "✓ Right.")


@pytest.mark.full
def test_a_saved_quiz_is_played_without_its_kernel(lab: Any, open_page: Callable[..., Any]) -> None:
    gray = np.full((64, 64, 3), 128, np.uint8)
    name = "<img src=x onerror=window.hacked=1>"
    mask = np.zeros((64, 64), bool)
    mask[8:24, 8:24] = True
    quiz = cw.Quiz(
        [cw.Question(name, [(gray, name, {name: mask})], [name, "b"], 0, name) for _ in range(2)]
    )
    view = {"version_major": 2, "version_minor": 0, "model_id": quiz.model_id}
    notebook = nbformat.v4.new_notebook()
    output = nbformat.v4.new_output(
        "display_data",
        {"text/plain": repr(quiz), "application/vnd.jupyter.widget-view+json": view},
    )
    notebook.cells = [nbformat.v4.new_code_cell("quiz", outputs=[output])]
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    saved = dependency_state([quiz], drop_defaults=False)
    state = {"version_major": 2, "version_minor": 0, "state": saved}
    notebook.metadata["widgets"] = {
        "application/vnd.jupyter.widget-state+json": json.loads(json.dumps(state))
    }
    file = lab.notebooks / "saved.ipynb"
    nbformat.write(notebook, file)
    quiz.close()

    sync_api = pytest.importorskip("playwright.sync_api")
    shown = open_page()
    shown.open("saved.ipynb", run=False)
    page = shown.page
    says(page, ".jp-OutputArea-output", "Quiz(2 questions, 0 answered)")
    assert page.locator(OPTION).count() == 0, "it is not trusted"
    # As "jupyter trust" does. Lab's own command saves at once, and the state of widgets that ipywidgets has not read by
    # then is gone from the file.
    NotebookNotary().sign(nbformat.read(file, as_version=4))
    for _ in range(4):
        # Once the kernel is there: two at once for one notebook, or a slow one, and ipywidgets gives up reading the
        # file's widgets. A person opens it again then.
        page.evaluate(
            "async () => await window.jupyterapp.shell.currentWidget?.sessionContext?.ready"
        )
        shown.open("saved.ipynb", run=False)
        try:
            page.wait_for_selector(OPTION, timeout=20_000)
            break
        except sync_api.TimeoutError:
            continue
    assert page.locator(".camwidget-quiz-prompt").inner_text() == name, "text, never markup"
    assert words(page, 0) == "✓ Right."
    page.locator(NEXT).click()
    says(page, ".camwidget-quiz-place", "Question 2 of 2")
    assert words(page, 1) == "✗ Wrong."
    page.locator(NEXT).click()
    assert page.locator(".camwidget-quiz-score").inner_text() == "1 of 2 right"
    assert page.evaluate("() => window.hacked") is None
