"""Captions, questions and ground-truth outlines in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_driver import numbers, status_has, until

pytestmark = [pytest.mark.browser, pytest.mark.full]

TESTS = str(Path(__file__).parents[1] / "support")

NOTEBOOK = f"""
import sys
sys.path.insert(0, {TESTS!r})
from prompt_models import *
import camwidget as cw
ex = cw.Explorer({{model}}(), [squares("red", "blue"), squares("green")])
ex
"""


@pytest.fixture(scope="module")
def shown(browser: Any, lab: Any) -> Iterator[Callable[[str], Any]]:
    """A page with the explorer of a model, opened when it is first asked for."""
    pages: dict[str, Any] = {}

    def page_of(model: str) -> Any:
        if model not in pages:
            opened = lab.page(browser)
            opened.open(lab.write(model, NOTEBOOK.format(model=model)))
            opened.widget()
            pages[model] = opened
        return pages[model].page

    yield page_of
    for opened in pages.values():
        opened.close()


def text_is(page: Any, text: str) -> None:
    until(page, "(t) => document.querySelector('.camwidget-prompt-text').value === t", text)


def apply(page: Any, text: str) -> None:
    page.locator(".camwidget-prompt-text").fill(text)
    page.keyboard.press("Enter")


def test_a_word_of_the_caption_is_clicked(shown: Callable[[str], Any]) -> None:
    page = shown("caption_model")
    text_is(page, "a red and a blue")
    assert page.locator(".camwidget-word").all_inner_texts() == [
        "the whole caption", "a", "red", "and", "a", "blue",
    ]  # fmt: skip
    status_has(page, "the whole caption")
    page.locator(".camwidget-word", has_text="blue").click()
    status_has(page, "· blue ·")
    assert page.locator(".camwidget-word[aria-checked=true]").all_inner_texts() == ["blue"]
    assert page.locator(".camwidget-name[aria-pressed=true]").all_inner_texts() == ["blue"]
    assert page.locator(".camwidget-word", has_text="and").is_disabled()
    # By the keyboard: one tab stop, arrows move, Enter chooses.
    page.locator(".camwidget-word[tabindex='0']").focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    status_has(page, "· red ·")


def test_a_caption_is_written_and_the_models_own_comes_back(shown: Callable[[str], Any]) -> None:
    page = shown("caption_model")
    own = page.get_by_role("button", name="model's own")
    assert own.is_disabled()
    apply(page, "a  blue")
    text_is(page, "a blue")
    until(page, "() => document.querySelectorAll('.camwidget-word').length === 3")
    assert sorted(page.locator(".camwidget-name").all_inner_texts()) == [
        "a", "blue", "the whole caption",
    ]  # fmt: skip
    page.locator(".camwidget-frame").focus()
    page.keyboard.press(".")
    text_is(page, "a green")
    page.keyboard.press(",")
    text_is(page, "a blue")
    until(page, "() => document.querySelectorAll('.camwidget-word').length === 3")
    own.click()
    text_is(page, "a red and a blue")
    until(page, "() => document.querySelectorAll('.camwidget-word').length === 6")
    assert own.is_disabled()


def test_the_truth_is_outlined(shown: Callable[[str], Any]) -> None:
    page = shown("caption_model")
    text_is(page, "a red and a blue")
    page.locator(".camwidget-word", has_text="blue").click()
    status_has(page, "· blue ·")
    lines = page.locator(".camwidget-outlines path")
    assert lines.count() == 0
    page.locator(".camwidget-map-style-open").click()
    page.locator(".camwidget-ground-truth-toggle").click()
    page.locator(".camwidget-outlines .evidence:not(.under)").wait_for()
    assert lines.count() == 6
    assert "% of saliency" in page.locator(".camwidget-ground-truth-summary").inner_text()
    # The outline lies on the square, at whatever size the picture is shown.
    box = page.locator(".camwidget-outlines .evidence:not(.under)").bounding_box()
    frame = page.locator(".camwidget-canvas").bounding_box()
    scale = frame["width"] / 48
    assert abs(box["x"] - frame["x"] - 16 * scale) < 4
    assert abs(box["width"] - 16 * scale) < 6
    page.locator(".camwidget-frame").focus()
    page.keyboard.press(".")
    text_is(page, "a green")
    until(
        page,
        "() => document.querySelectorAll('.camwidget-outlines .object:not(.under)').length === 1",
    )
    page.locator(".camwidget-ground-truth-toggle").click()
    assert lines.count() == 0


def test_a_question_is_asked(shown: Callable[[str], Any]) -> None:
    page = shown("question_model")
    text_is(page, "is there a red square")
    assert not page.locator(".camwidget-words").is_visible()
    assert page.locator(".camwidget-name").all_inner_texts() == ["yes", "no"]
    apply(page, "anything green?")
    status_has(page, "· no ·")
    assert page.locator(".camwidget-name").all_inner_texts() == ["no", "yes"]
    before = numbers(page)
    apply(page, "is there a zebra")
    error = page.locator(".camwidget-prompt-error")
    error.wait_for()
    assert "'zebra'" in error.inner_text() and "anything green?" in error.inner_text()
    assert page.locator(".camwidget-prompt-text").input_value() == "is there a zebra"
    assert numbers(page) == before
    apply(page, "")
    until(
        page,
        "() => document.querySelector('.camwidget-prompt-error').textContent.includes('empty')",
    )
    page.locator(".camwidget-prompt-examples").select_option("anything blue")
    status_has(page, "· yes ·")
    text_is(page, "anything blue")
    assert not error.is_visible()
    # The question stays with another picture.
    page.locator(".camwidget-frame").focus()
    page.keyboard.press(".")
    status_has(page, "· no ·")
    text_is(page, "anything blue")
