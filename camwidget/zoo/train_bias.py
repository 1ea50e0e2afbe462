"""How the two models of the study of bias are trained: alike, but for where the flowers lie."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from .beetles import Beetle, draw
from .bias import ODDS, Odds, kind, look, unseen
from .evaluate import normalise
from .fitting import drawn, fit, shuffled, varied
from .registry import Entry

STEPS = 700
BATCH = 32
PASSES = 5
"""How often a picture is shown, each time turned and coloured otherwise."""
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02

UNSEEN = 2_000_000
"""First of the seeds the figures in the cards are measured on."""

_STREAM = 0xB1A5
"""Third word of the seed of every training picture; `draw(seed)` ends in another word, so no
picture drawn from a plain seed can have been trained on."""


def _picture(seed: int, n: int, odds: Odds) -> Beetle:
    """Training picture number `n`: the same beetle for all odds."""
    return draw(np.random.default_rng([seed, n, _STREAM]), *kind(n, odds))


def train_bias(
    entry: Entry, net: nn.Module, *, odds: Odds, steps: int, seed: int, progress: bool
) -> None:
    """Train the network in place; it is left in eval mode."""
    # Whole rounds of twenty, so that the shares are what they are said to be.
    count = 20 * math.ceil(steps * BATCH / PASSES / 20)
    side = entry.input_size
    images = np.empty((count, side, side, 3), np.uint8)
    targets = torch.zeros(count, dtype=torch.long)
    for n, beetle in enumerate(
        drawn(lambda n: _picture(seed, n, odds), count, progress=progress)
    ):
        images[n], targets[n] = beetle.image, beetle.label
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled(rng, count, BATCH)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        return normalise(varied(images[chosen], rng), entry), targets[chosen]

    fit(
        net,
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
    )


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
