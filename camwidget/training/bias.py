"""Training of the two models of the bias study, and measurement of what they rely on."""

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

from ..images.ground_truth import share_inside
from ..zoo.beetles import CLASSES, Beetle, draw
from ..zoo.bias import ODDS, Odds, kind, unseen
from ..zoo.registry import ZooEntry
from .cam_evaluation import activation_maps, batches, normalize, stacked
from .fitting import augment, draw_parallel, fit, shuffled_batches
from .pooling_warmup import PoolingWarmup

STEPS = 600
"""Few enough that a network that can rely on the flower learns nothing better."""
BATCH = 32
PASSES = 10
"""How often a picture is shown, each time turned and colored otherwise."""
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
    "balanced": "Its map is coarse compared with the distinguishing part, an eighth of the picture's side, so much "
    "of the saliency is on the ground and the rest of the beetle.",
}


def about(odds: Odds) -> dict[str, Any]:
    """The card's texts for the model trained with these odds."""
    return {
        "description": "A small residual network that classifies stag beetles and weevils, trained on "
        f"a {odds} set: {_SETS[odds]}.",
        "data": "Pictures drawn by camwidget.zoo.beetles: one beetle on a plain or cluttered "
        "ground. Only the mandibles or the snout distinguish the classes. "
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
    # A multiple of twenty makes the shares of flowers exact.
    count = 20 * math.ceil(steps * BATCH / PASSES / 20)
    side = entry.input_size
    images = np.empty((count, side, side, 3), np.uint8)
    targets = torch.zeros(count, dtype=torch.long)
    for n, beetle in enumerate(
        draw_parallel(lambda n: _picture(seed, n, odds), count, progress=progress)
    ):
        images[n], targets[n] = beetle.image, beetle.label
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, count, BATCH)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        return normalize(augment(images[chosen], rng), entry), targets[chosen]

    trained = PoolingWarmup(net, steps)
    fit(
        trained,
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )
    trained.merge_gain()


@dataclass(frozen=True)
class BiasFindings:
    """Measurements of a model on some pictures; arrays have the shape (n,).

    Attributes:
        label: class index of the beetle.
        right: whether the prediction is correct.
        flower: whether there is a flower.
        on_flower: share of the positive part of the predicted class's activation map on the flower; NaN without a
            positive part, as in the next two.
        on_part: share on the distinguishing part.
        on_beetle: share on the beetle.
        flower_area: the flower's share of the picture's area.
        part_area: the distinguishing part's share of the area.
        beetle_area: the beetle's share of the area.
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


def measure_findings(
    net: nn.Sequential, entry: ZooEntry, beetles: Iterable[Beetle]
) -> BiasFindings:
    """Evaluate a network that ends in global average pooling and one linear layer.

    Its class activation map equals the Grad-CAM map up to a factor, which does not affect shares.
    """
    rows: list[tuple[float, ...]] = []
    net.eval()
    for batch in batches(beetles):
        pictures = normalize(stacked(batch), entry)
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
    """The mean of the finite values, rounded for the card; NaN without any."""
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
        found = measure_findings(net, entry, beetles)
        figures[odds] = {"pictures": pictures, **found.accuracies()}
        if odds == "balanced":
            shares = {
                "saliency_with_flower": found.shares(flower=True),
                "saliency_without_flower": found.shares(flower=False),
            }
    return {**figures, **shares}
