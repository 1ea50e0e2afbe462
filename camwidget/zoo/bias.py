"""The study of bias: where the flower lies, and how much a model makes of it.

After Selvaraju et al. 2017, section 6.3, in which a model that had learnt doctors and nurses from a
biased set looked at faces and hair: Grad-CAM showed it, and a balanced set cured it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from torch import nn

from .beetles import CLASSES, Beetle, draw
from .registry import Entry
from .training.evaluate import activation_maps, normalise

Odds = Literal["biased", "balanced", "reversed"]
"""How flower and class go together: "biased" is nine in ten of the weevils and one in ten of the
stag beetles, "balanced" half of both, "reversed" one in ten of the weevils and nine in ten of the
stag beetles."""

ODDS: tuple[Odds, ...] = get_args(Odds)

_BATCH = 50


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


@dataclass(frozen=True)
class Findings:
    """What a model made of some pictures; every array has one value a picture, (n,).

    Attributes:
        label: class index of the beetle.
        right: whether the model found it.
        flower: whether there is a flower.
        on_flower, on_part, on_beetle: share of the class activation map of the class the model
            found, its positive values only, that lies on each; NaN where no value is positive.
        flower_area, part_area, beetle_area: share of the picture that each takes.
    """

    label: NDArray[np.integer]
    right: NDArray[np.bool_]
    flower: NDArray[np.bool_]
    on_flower: NDArray[np.floating]
    on_part: NDArray[np.floating]
    on_beetle: NDArray[np.floating]
    flower_area: NDArray[np.floating]
    part_area: NDArray[np.floating]
    beetle_area: NDArray[np.floating]

    def accuracies(self) -> dict[str, float]:
        """Accuracy over all pictures, and over those of each class."""
        figures = {"accuracy": _mean(self.right)}
        for label, name in enumerate(CLASSES):
            figures[f"accuracy_{name.replace(' ', '_')}"] = _mean(self.right[self.label == label])
        return figures

    def shares(self, flower: bool) -> dict[str, float]:
        """Mean shares of saliency and of area, over the pictures with a flower or without."""
        chosen = self.flower == flower
        figures: dict[str, float] = {"pictures": int(chosen.sum())}
        for name in ("flower", "part", "beetle") if flower else ("part", "beetle"):
            figures[f"share_on_{name}"] = _mean(getattr(self, f"on_{name}")[chosen])
            figures[f"area_of_{name}"] = _mean(getattr(self, f"{name}_area")[chosen])
        figures["empty_maps"] = int(np.isnan(self.on_beetle[chosen]).sum())
        return figures


def look(net: nn.Sequential, entry: Entry, beetles: Iterable[Beetle]) -> Findings:
    """Ask a network that ends in global average pooling and one linear layer about some pictures.

    A class activation map there is the Grad-CAM map up to a factor, which shares do not see.
    """
    rows: list[tuple[float, ...]] = []
    net.eval()
    left = iter(beetles)
    while batch := list(islice(left, _BATCH)):
        pictures = normalise(np.stack([beetle.image for beetle in batch]), entry)
        scores, maps = activation_maps(net, pictures)
        for beetle, found, heat in zip(batch, scores.argmax(1).tolist(), maps, strict=True):
            positive = np.maximum(heat[found].numpy(), 0.0)
            places = (beetle.cue, beetle.part, beetle.masks[0])
            total = float(positive.sum()) or np.nan
            shares = [float(positive[place].sum()) / total for place in places]
            areas = [float(place.mean()) for place in places]
            rows.append(
                (beetle.label, found == beetle.label, bool(beetle.cue.any()), *shares, *areas)
            )
    label, right, flower, *others = np.array(rows).T
    return Findings(label.astype(int), right.astype(bool), flower.astype(bool), *others)


def _mean(values: NDArray[np.generic]) -> float:
    """Mean of what there is, rounded as a card shows it; NaN if there is nothing."""
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return round(float(known.mean()), 4) if len(known) else float("nan")
