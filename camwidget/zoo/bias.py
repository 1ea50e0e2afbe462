"""Sets of beetles with a biased, balanced or reversed correlation of flower and class.

After Selvaraju et al. 2017 (arXiv:1610.02391, section 6.3): Grad-CAM revealed that a model trained on a biased set of
doctors and nurses relied on faces and hair, and a balanced set corrected it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from .beetles import CLASSES, Beetle, draw

Odds = Literal["biased", "balanced", "reversed"]
"""Correlation of flower and class: "biased" gives a flower to nine in ten weevils and one in ten stag
beetles, "balanced" to half of both, "reversed" to one in ten weevils and nine in ten stag beetles."""

ODDS: tuple[Odds, ...] = get_args(Odds)


def kind(n: int, odds: Odds) -> tuple[int, bool]:
    """Class and flower of picture number ``n`` of a set; the shares are exact in every twenty pictures."""
    label, turn = n % len(CLASSES), n // len(CLASSES) % 10
    if odds == "balanced":
        return label, turn < 5
    usual = CLASSES[label] == ("weevil" if odds == "biased" else "stag beetle")
    return label, usual == (turn > 0)


def unseen(first: int, pictures: int, odds: Odds) -> Iterator[Beetle]:
    """The pictures of consecutive seeds from ``first`` on."""
    for seed in range(first, first + pictures):
        yield draw(seed, *kind(seed, odds))
