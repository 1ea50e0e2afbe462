"""The strip of thumbnails: made as far as they are seen, and reached however many pictures there are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from explorer_internals import display_of, receive, view_of
from kernel_driver import custom
from torch import nn

import camwidget as cw
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
    assert view_of(explorer).thumbnails == {"first": 0, "places": Thumbnails.MOST}
    say(explorer, first=100, last=109)
    explorer.wait(60)
    assert set(range(100, 110)) <= set(strip.tiles) and len(strip.tiles) == Thumbnails.SEEN + 10
    explorer.picture = 499
    explorer.wait(60)
    assert view_of(explorer).thumbnails == {
        "first": 500 - Thumbnails.MOST,
        "places": Thumbnails.MOST,
    }
    assert 499 in strip.tiles
    explorer.add(PICTURE)
    explorer.wait(60)
    assert explorer.picture == 500 and 500 in strip.tiles
    for wrong in ({}, {"first": 1}, {"first": "a", "last": None}, {"first": True, "last": 2}):
        say(explorer, **wrong)
    assert view_of(explorer).error == ""
