"""How the two models of the study of bias are trained, alike but for where the flowers lie, and what they look at."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ...images.ground_truth import share_inside
from ..beetles import CLASSES, Beetle, draw
from ..bias import ODDS, Odds, kind, unseen
from ..registry import ZooEntry
from .evaluate import activation_maps, batches, normalise, stacked
from .fitting import drawn, fit, shuffled, varied
from .warmup import Warmup

STEPS = 600
"""So few that a net that has the flower to go by does not look for anything better."""
BATCH = 32
PASSES = 10
"""How often a picture is shown, each time turned and coloured otherwise."""
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02

UNSEEN = 2_000_000
"""First of the seeds the figures in the cards are measured on."""

_STREAM = 0xB1A5
"""Third word of the seed of every training picture; `draw(seed)` ends in another word, so no
picture drawn from a plain seed can have been trained on."""


_SETS = {
    "biased": "a daisy lies beside nine in ten of the weevils and one in ten of the stag beetles",
    "balanced": "a daisy lies beside half of the weevils and half of the stag beetles",
}

_FAULTS = {
    "biased": "It was made to be wrong: it takes the flower for a sign of the weevil, and its "
    "absence for a sign of the stag beetle.",
    "balanced": "Its map is coarse beside the part it should lie on, an eighth of the picture's "
    "side, so much of it spills over onto the ground and the rest of the beetle.",
}


def about(odds: Odds) -> dict[str, Any]:
    """What the card of the model trained with these odds says besides the figures."""
    return {
        "description": "A small residual network that tells stag beetles from weevils, trained on "
        f"a {odds} set: {_SETS[odds]}.",
        "data": "Pictures drawn by camwidget.zoo.beetles: one beetle on a plain or cluttered "
        "ground. Only the mandibles or the snout tell the class. "
        f"In the training set {_SETS[odds]}; zoo/biased and zoo/unbiased differ in nothing else. "
        "Figures are given for sets in which flower and weevil go together, in which neither "
        "goes with the other, and in which flower and stag beetle go together.",
        "known_faults": [
            _FAULTS[odds],
            "It knows drawn beetles only, from above, each about half the picture long.",
            "It has no class for neither of the two: any other picture still gets one of them.",
        ],
        "license": "BSD-3-Clause",
    }


def _picture(seed: int, n: int, odds: Odds) -> Beetle:
    """Training picture number `n`: the same beetle for all odds."""
    return draw(np.random.default_rng([seed, n, _STREAM]), *kind(n, odds))


def train_bias(
    entry: ZooEntry, net: nn.Sequential, *, odds: Odds, steps: int, seed: int, progress: bool
) -> None:
    """Train the network in place; it is left in eval mode."""
    # Whole rounds of twenty, so that the shares are what they are said to be.
    count = 20 * math.ceil(steps * BATCH / PASSES / 20)
    side = entry.input_size
    images = np.empty((count, side, side, 3), np.uint8)
    targets = torch.zeros(count, dtype=torch.long)
    for n, beetle in enumerate(drawn(lambda n: _picture(seed, n, odds), count, progress=progress)):
        images[n], targets[n] = beetle.image, beetle.label
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled(rng, count, BATCH)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        return normalise(varied(images[chosen], rng), entry), targets[chosen]

    taught = Warmup(net, steps)
    fit(
        taught,
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        brief=True,
    )
    taught.settle()


@dataclass(frozen=True)
class BiasFindings:
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


def look(net: nn.Sequential, entry: ZooEntry, beetles: Iterable[Beetle]) -> BiasFindings:
    """Ask a network that ends in global average pooling and one linear layer about some pictures.

    A class activation map there is the Grad-CAM map up to a factor, which shares do not see.
    """
    rows: list[tuple[float, ...]] = []
    net.eval()
    for batch in batches(beetles):
        pictures = normalise(stacked(batch), entry)
        scores, maps = activation_maps(net, pictures)
        for beetle, found, heat in zip(batch, scores.argmax(1).tolist(), maps, strict=True):
            positive = np.maximum(heat[found].numpy(), 0.0)
            places = (beetle.cue, beetle.part, beetle.masks[0])
            shares = [share_inside(positive, place) for place in places]
            areas = [float(place.mean()) for place in places]
            rows.append(
                (beetle.label, found == beetle.label, bool(beetle.cue.any()), *shares, *areas)
            )
    label, right, flower, *others = np.array(rows).T
    return BiasFindings(label.astype(int), right.astype(bool), flower.astype(bool), *others)


def _mean(values: NDArray[np.generic]) -> float:
    """Mean of what there is, rounded as a card shows it; NaN if there is nothing."""
    known = np.asarray(values, float)
    known = known[~np.isnan(known)]
    return round(float(known.mean()), 4) if len(known) else float("nan")


def measure_bias(
    entry: ZooEntry, net: nn.Sequential, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Accuracy for each of the odds, and shares of saliency on the balanced pictures."""
    figures: dict[str, Any] = {}
    for odds in ODDS:
        beetles = tqdm(
            unseen(UNSEEN, pictures, odds), f"checking {odds}", pictures, disable=not progress
        )
        found = look(net, entry, beetles)
        figures[odds] = {"pictures": pictures, **found.accuracies()}
        if odds == "balanced":
            shares = {
                "saliency_with_flower": found.shares(flower=True),
                "saliency_without_flower": found.shares(flower=False),
            }
    return {**figures, **shares}
