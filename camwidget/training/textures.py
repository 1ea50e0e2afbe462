"""Training of the texture classifier."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.nn import functional
from tqdm.auto import tqdm

from ..zoo.registry import ZooEntry
from ..zoo.sample import Sample
from ..zoo.textures import CLASSES, KINDS, draw
from .cam_evaluation import normalize, score
from .fitting import augment, draw_training_set, fit, shuffled_batches

STEPS = 1200
BATCH = 32
PASSES = 10
"""How often a picture is shown, each time turned and colored otherwise."""
LEARNING_RATE = 4e-3
WEIGHT_DECAY = 0.02

UNSEEN = 1_000_000
"""First of the seeds the figures in the card are measured on."""

_STREAM = 0x7261
"""Third word of the seed of every training picture; `draw(seed)` has but two, so no picture
drawn from a plain seed can have been trained on."""

ABOUT: dict[str, Any] = {
    "description": "A small residual network that classifies ten textures.",
    "data": "Pictures drawn by camwidget.zoo.textures: one texture filling the picture, one "
    "textured object on a plain or cluttered ground, or two to four such objects. Scale, turn, "
    "colors, light and noise vary. Only the classes present were used for training, never "
    "the places of the objects.",
    "known_faults": [
        "It was trained on drawn textures only; its predictions for photographs mean little.",
        "It has no class for none of the ten: any other picture still gets one of their names.",
        "In a picture of several objects the scores share out among the classes present, so "
        "each is well below one.",
    ],
    "license": "BSD-3-Clause",
}


def _picture(seed: int, n: int) -> Sample:
    """Training picture number `n`; kinds and classes come round evenly."""
    rng = np.random.default_rng([seed, n, _STREAM])
    kind = KINDS[n % len(KINDS)]
    fixed = None if kind == "multiple" else [n // len(KINDS) % len(CLASSES)]
    return draw(rng, kind, classes=fixed)


def train_textures(
    entry: ZooEntry, net: nn.Module, *, steps: int, seed: int, progress: bool
) -> None:
    """Train the network in place; it is left in eval mode."""
    pictures = math.ceil(steps * BATCH / PASSES)
    images, targets = draw_training_set(
        partial(_picture, seed), pictures, entry.input_size, progress
    )
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, pictures, BATCH)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        return normalize(augment(images[chosen], rng), entry), targets[chosen]

    fit(
        net,
        batch,
        functional.cross_entropy,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
    )


def measure_textures(
    entry: ZooEntry, net: nn.Sequential, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Accuracy and place of the peak by kind of picture, on `pictures` unseen seeds a kind."""
    figures: dict[str, Any] = {}
    for kind in KINDS:
        seeds = tqdm(range(UNSEEN, UNSEEN + pictures), f"checking {kind}", disable=not progress)
        found = score(net, entry, (draw(seed, kind) for seed in seeds))
        figures[kind] = {"pictures": pictures, "accuracy": round(found.accuracy, 4)}
        if kind != "full":
            figures[kind]["peak_in_object"] = round(found.peak, 4)
    return figures
