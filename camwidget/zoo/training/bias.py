"""How the two models of the study of bias are trained: alike, but for where the flowers lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ..beetles import Beetle, draw
from ..bias import ODDS, Odds, kind, look, unseen
from ..registry import Entry
from .evaluate import normalise
from .fitting import drawn, fit, shuffled, varied
from .warming import GAIN, Warming

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
    entry: Entry, net: nn.Sequential, *, odds: Odds, steps: int, seed: int, progress: bool
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

    fit(
        Warming(net, steps),
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        brief=True,
    )
    with torch.no_grad():
        net[-1].weight *= GAIN  # type: ignore[assignment,operator]


def measure_bias(
    entry: Entry, net: nn.Sequential, *, pictures: int, progress: bool
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
