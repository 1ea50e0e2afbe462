"""Typed texts and reference pictures as classes, in a real JupyterLab."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from page_driver import until

pytestmark = [pytest.mark.browser, pytest.mark.full]

SUPPORT = Path(__file__).parents[1] / "support"
START = f"""
import sys, tempfile
from pathlib import Path
sys.path.insert(0, {str(SUPPORT)!r})
import torch, torchvision, camwidget as cw
pictures = {{f"picture {{i}}": s.image for i, s in enumerate(cw.zoo.samples("zoo/scenes"))}}
"""
TEXTS = """
import hub_folders
model = cw.load(f"hf/{hub_folders.saved('clip', Path(tempfile.mkdtemp()))}", device="cpu")
ex = cw.Explorer(model, pictures)
ex
"""
PICTURES = """
from torchvision.models.resnet import BasicBlock, ResNet
torch.manual_seed(0)
net = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=32).eval()
ex = cw.Explorer(cw.wrap(net, cw.Preprocess(96), kind="embedding"), pictures)
ex
"""
HOSTILE = "<b>dog</b>"


@pytest.fixture
def opened(browser: Any, lab: Any) -> Iterator[Callable[[str, str], Any]]:
    """Opens a Lab page of the smallest size that it is designed for, with an explorer that has no reference."""
    pages: list[Any] = []

    def open_(name: str, code: str) -> Any:
        shown = lab.page(browser, viewport={"width": 1280, "height": 720})
        pages.append(shown)
        shown.open(lab.write(name, START + code))
        shown.page.wait_for_selector(".camwidget-reference-hint:visible")
        until(
            shown.page,
            "() => document.querySelector('.camwidget-status').textContent.includes('no map yet')",
        )
        return shown

    yield open_
    for page in pages:
        page.close()


def names(page: Any, expected: list[str]) -> None:
    until(
        page,
        "(all) => JSON.stringify(all) === JSON.stringify([...document.querySelectorAll('.camwidget-name')]"
        ".map((one) => one.textContent).sort())",
        sorted(expected),
    )


def chosen(page: Any, name: str) -> None:
    until(
        page,
        "(name) => document.querySelector('.camwidget-name[aria-pressed=true]')?.textContent === name",
        name,
    )


def test_typed_texts_become_classes(opened: Callable[[str, str], Any]) -> None:
    lab_page = opened("texts", TEXTS)
    page = lab_page.page
    assert "each text is a class" in page.locator(".camwidget-reference-hint").inner_text()
    assert page.locator(".camwidget-error").is_hidden()

    field = page.locator(".camwidget-reference-text")
    for number, text in enumerate(["a cat", "two  owls", HOSTILE]):
        field.fill(text)
        field.press("Enter")
        tidy = " ".join(text.split())
        chosen(page, tidy)
        until(page, "() => document.querySelector('.camwidget-reference-text').value === ''")
        assert page.locator(".camwidget-name").count() == number + 1
    assert page.evaluate("window.hit") is None and page.locator(".camwidget-view img").count() == 0
    until(page, "() => document.querySelector('.camwidget-reference-hint').hidden")
    lab_page.settled()
    total = sum(float(one) for one in page.locator(".camwidget-unmasked").all_inner_texts()[:3])
    assert total == pytest.approx(1, abs=0.02)

    # What is too long is refused in words, beside the field, which keeps it.
    field.fill("a photo of the cat " * 4)
    field.press("Enter")
    page.wait_for_selector(".camwidget-reference-error:visible")
    assert "takes at most 10" in page.locator(".camwidget-reference-error").inner_text()

    # A text is edited in the field, and removed.
    page.locator("[aria-label='Edit “a cat”']").click()
    assert field.input_value() == "a cat" and page.locator(".camwidget-reference-error").is_hidden()
    field.fill("the cat")
    field.press("Enter")
    names(page, ["the cat", "two owls", HOSTILE])
    chosen(page, "the cat")
    page.locator("[aria-label='Remove “two owls”']").click()
    names(page, ["the cat", HOSTILE])
    page.locator("[aria-label=Undo]").click()
    names(page, ["the cat", "two owls", HOSTILE])
    lab_page.settled()
    assert lab_page.value("list(ex.references)") == ["the cat", "two owls", HOSTILE]


def test_pictures_of_the_strip_become_classes(opened: Callable[[str, str], Any]) -> None:
    lab_page = opened("likeness", PICTURES)
    page = lab_page.page
    marks = page.locator(".camwidget-reference-mark")
    until(page, "() => document.querySelectorAll('.camwidget-reference-mark').length === 8")
    marks.nth(2).locator(".camwidget-reference-ring").click()
    chosen(page, "picture 2")
    # The strip still chooses pictures, and the ring does not.
    assert lab_page.value("ex.picture") == 0

    # By keyboard: one tab stop, arrow keys in it; the focus stays where it is.
    marks.nth(2).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    chosen(page, "picture 4")
    until(
        page, "() => document.activeElement.getAttribute('aria-label') === 'Reference: picture 4'"
    )
    assert [one.get_attribute("aria-pressed") for one in marks.all()] == [
        str(number in (2, 4)).lower() for number in range(8)
    ]
    tile = page.locator(".camwidget-reference-tile").first
    assert tile.is_visible() and tile.evaluate("(e) => e.width") == 72

    # A is compared with its reference, compared with A.
    page.locator(".camwidget-compare-open").click()
    until(
        page,
        "() => ['picture 4', 'picture 0'].every((name) =>"
        " document.querySelector('.camwidget-caption-line[data-of=B]').textContent.includes(name))",
    )
    page.locator(".camwidget-name", has_text="picture 2").click()
    until(
        page,
        "() => document.querySelector('.camwidget-caption-line[data-of=B]').textContent.includes('picture 2')",
    )
    page.locator(".camwidget-compare-open").click()

    # The picture shown becomes a reference by its key, and is not explained by itself.
    page.locator(".camwidget-frame").focus()
    page.keyboard.press("r")
    names(page, ["picture 0", "picture 2", "picture 4"])
    chosen(page, "picture 2")
    page.locator(".camwidget-name", has_text="picture 0").click()
    page.wait_for_selector(".camwidget-error:visible")
    assert "itself" in page.locator(".camwidget-error").inner_text()
