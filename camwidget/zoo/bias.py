"""The study of bias: where the flower lies.

After Selvaraju et al. 2017, section 6.3, in which a model that had learnt doctors and nurses from a
biased set looked at faces and hair: Grad-CAM showed it, and a balanced set cured it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from .beetles import CLASSES, Beetle, draw

Odds = Literal["biased", "balanced", "reversed"]
"""How flower and class go together: "biased" is nine in ten of the weevils and one in ten of the
stag beetles, "balanced" half of both, "reversed" one in ten of the weevils and nine in ten of the
stag beetles."""

ODDS: tuple[Odds, ...] = get_args(Odds)


def kind(n: int, odds: Odds) -> tuple[int, bool]:
    """Class and flower of picture number `n` of a set; the shares are exact in every twenty."""
    label, turn = n % len(CLASSES), n // len(CLASSES) % 10
    if odds == "balanced":
        return label, turn < 5
    usual = CLASSES[label] == ("weevil" if odds == "biased" else "stag beetle")
    return label, usual == (turn > 0)


def unseen(first: int, pictures: int, odds: Odds) -> Iterator[Beetle]:
    """The pictures of the seeds from `first` on."""
    for seed in range(first, first + pictures):
        yield draw(seed, *kind(seed, odds))
