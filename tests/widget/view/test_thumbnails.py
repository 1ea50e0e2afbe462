"""The strip of thumbnails: made as far as they are seen, and reached however many pictures there are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, receive, view_of
from kernel_driver import custom
from PIL import Image
from torch import nn

import camwidget as cw
from camwidget import zoo
from camwidget.widget.view.thumbnails import TILE, Thumbnails

PICTURE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


class Made:
    """A strip, and of which pictures thumbnails were made."""

    def __init__(self, count: int) -> None:
        self.numbers: list[int] = []
        self.picked: list[int] = []
        self.moves: list[tuple[int, int]] = []
        self.count = count
        self.selected = 0
        self.strip = Thumbnails(
            self.picked.append,
            lambda name, content: None,
            lambda text: None,
            lambda first, places: self.moves.append((first, places)),
        )

    def fill(self) -> list[int]:
        """Which thumbnails are made now."""
        self.numbers.clear()
        for _ in self.strip.fill(self._tile, self.count, lambda: self.selected):
            pass
        return sorted(self.numbers)

    def _tile(self, number: int) -> np.ndarray | None:
        self.numbers.append(number)
        return None if number == 3 else np.zeros((TILE, TILE, 3), np.uint8)

    def choose(self, number: int) -> bool:
        self.selected = number
        return self.strip.select(number)

    def click(self, place: int) -> None:
        self.strip._clicked(place * (Thumbnails.SIDE + Thumbnails.GAP) + 5, 5)


def test_what_a_replaced_request_has_made_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that says what it shows requests the thumbnails anew, in the middle of making them."""
    made = Made(10)
    drawn: set[int] = set()
    monkeypatch.setattr(made.strip, "_draw_some", lambda numbers: drawn.update(numbers))
    begun = made.strip.fill(made._tile, 10, lambda: 0)
    next(begun)
    next(begun)
    begun.close()
    assert made.fill() == [2, *range(3, 10)]
    assert drawn == set(range(10))


@pytest.fixture
def made() -> Callable[[int], Made]:
    return Made


def test_few_pictures_have_all_their_thumbnails(made: Callable[[int], Made]) -> None:
    strip = made(5)
    assert strip.fill() == [0, 1, 2, 3, 4] and strip.moves == [(0, 5)]
    assert strip.fill() == [], "one that cannot be read is not tried again"
    strip.count = 7
    assert strip.fill() == [5, 6] and strip.moves[-1] == (0, 7)


def test_of_many_those_around_the_chosen_one_until_a_page_says_what_it_shows(
    made: Callable[[int], Made],
) -> None:
    strip = made(200)
    assert strip.fill() == list(range(Thumbnails.SEEN))
    assert not strip.choose(5), "it is there"
    assert strip.choose(100)
    assert strip.fill() == list(range(84, 116))
    assert strip.numbers[0] == 100, "the chosen one first"
    assert strip.strip.see(150, 169) and strip.fill() == list(range(150, 170))
    assert not strip.strip.see(150, 169) and strip.fill() == []
    assert strip.strip.see(-5, 10**9), "whatever a page says, only what has a place is made"
    assert len(strip.fill()) == 200 - 32 - 32 - 20


def test_of_very_many_the_strip_moves_on(made: Callable[[int], Made]) -> None:
    most = Thumbnails.MOST
    strip = made(10_000)
    assert strip.fill() == list(range(Thumbnails.SEEN)) and strip.moves == [(0, most)]
    strip.click(most - 1)
    assert strip.picked == [most - 1]
    assert strip.choose(most - 1)
    first = most - 1 - most // 2
    assert strip.moves[-1] == (first, most), "the last thumbnail leads on"
    assert len(strip.fill()) == Thumbnails.SEEN and strip.numbers[0] == most - 1
    strip.click(0)
    assert strip.picked[-1] == first
    strip.choose(first)
    assert strip.moves[-1] == (0, most), "and the first one back"
    strip.choose(9_999)
    assert strip.moves[-1] == (10_000 - most, most)
    strip.click(most - 1)
    assert strip.picked[-1] == 9_999
    assert len(strip.strip.tiles) <= most, "what has no place any more is let go of"


def test_only_what_has_changed_is_drawn(
    made: Callable[[int], Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = made(100)
    strip.fill()
    drawn: list[int] = []
    monkeypatch.setattr(strip.strip, "_draw_each", drawn.extend)
    strip.choose(7)
    assert sorted(drawn) == [0, 7]


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.conv(x).relu().mean((2, 3)))


@pytest.fixture
def explorer() -> Iterator[cw.Explorer]:
    ex = cw.Explorer(cw.wrap(Small().eval(), cw.Preprocess(size=16)), [PICTURE] * 500).wait(60)
    yield ex
    ex.close()


def say(ex: cw.Explorer, **content: Any) -> None:
    """As a page does."""
    receive(
        view_of(ex), {"content": {"data": custom({"type": "thumbnails", **content})}, "buffers": []}
    )


def test_an_explorer_waits_for_what_is_seen(explorer: cw.Explorer) -> None:
    strip = display_of(explorer).thumbnails
    assert len(strip.tiles) == Thumbnails.SEEN
    assert view_of(explorer).thumbnails == {"first": 0, "places": Thumbnails.MOST, "pitch": 42}
    say(explorer, first=100, last=109)
    explorer.wait(60)
    assert set(range(100, 110)) <= set(strip.tiles) and len(strip.tiles) == Thumbnails.SEEN + 10
    explorer.picture = 499
    explorer.wait(60)
    assert view_of(explorer).thumbnails == {
        "first": 500 - Thumbnails.MOST,
        "places": Thumbnails.MOST,
        "pitch": 42,
    }
    assert 499 in strip.tiles
    explorer.add(PICTURE)
    explorer.wait(60)
    assert explorer.picture == 500 and 500 in strip.tiles
    for wrong in ({}, {"first": 1}, {"first": "a", "last": None}, {"first": True, "last": 2}):
        say(explorer, **wrong)
    assert view_of(explorer).error == ""


@pytest.mark.full
def test_ten_thousand_pictures(
    tmp_path: Path, textures: cw.VisionModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what is seen is opened, and only the names' trait grows with their number."""
    Image.fromarray(zoo.samples("zoo/textures")[0].image).save(tmp_path / "00000.png")
    for number in range(1, 10_000):
        os.link(tmp_path / "00000.png", tmp_path / f"{number:05}.png")
    opened: set[str] = set()
    first_map: set[str] = set()
    open_image = Image.open

    def counted(file: Any, *args: Any, **options: Any) -> Image.Image:
        opened.add(str(getattr(file, "name", file)))
        return open_image(file, *args, **options)

    monkeypatch.setattr(Image, "open", counted)
    ex = cw.Explorer(textures, tmp_path)
    ex.observe(lambda change: first_map.update(opened), "explanation")
    ex.wait()
    assert len(ex.pictures) == 10_000 and ex.pictures[-1].name == "09999.png"
    assert len(first_map) == 1, "the picture shown, before anything else"
    assert len(opened) <= Thumbnails.SEEN
    ex.picture = 9000
    ex.wait()
    assert len(opened) <= 2 * Thumbnails.SEEN + 1
    strip = display_of(ex).thumbnails
    assert len(strip.tiles) <= 2 * Thumbnails.SEEN and strip.canvas.canvas.width <= 32_000
    few = cw.Explorer(textures, [tmp_path / f"{number:05}.png" for number in range(40)]).wait()
    for name in view_of(ex).keys:
        if name not in ("pictures", "class_names") and not name.startswith("_"):
            grown, usual = (len(repr(getattr(view_of(one), name))) for one in (ex, few))
            assert grown <= 1.2 * usual + 400, name
    ex.close()
    few.close()
