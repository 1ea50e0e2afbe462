"""Training of the four scene classifiers on one set of pictures."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.registry import ZooEntry
from ..zoo.scenes import CLASSES, Scene, draw
from .cam_evaluation import normalize
from .fitting import augment, draw_training_set, fit, shuffled_batches
from .pooling_warmup import MAXIMUM_ONLY, PoolingWarmup

STEPS = 4200
STEPS_WEAK = 3600
BATCH = 32
PASSES = 14
"""How often a picture is shown, each time mirrored or turned otherwise."""
LEARNING_RATE = 8e-3
LEARNING_RATE_FC = 6e-3
WEIGHT_DECAY = 0.02
_STREAM = 0x5CEE
"""Third word of the seed of every training picture; `draw(seed)` has but two."""

DATA = (
    "Pictures drawn by camwidget.zoo.scenes: one to five things of four shapes, four colors and three textures "
    "on plain or cluttered grounds. Only the classes present were used for training, never the places of the things."
)
FAULTS = [
    "It was trained on drawn objects only; its predictions for photographs mean little.",
    "It has no class for none of them: any other picture still gets one of their names.",
    "In a picture of several things the scores share out among the classes present, so each is well below one.",
]


def about(description: str, *faults: str) -> dict[str, Any]:
    """The card's texts for a scene classifier."""
    return {
        "description": description,
        "data": DATA,
        "known_faults": [*faults, *FAULTS],
        "license": "BSD-3-Clause",
    }


class _AuxiliaryHead(nn.Module):
    """A network with fully connected layers, and an auxiliary head on the global maximum of its map.

    The auxiliary head speeds up the training of the convolutions, and is discarded afterwards.

    Args:
        net: the network; the modules before ``pool`` compute the map.
    """

    def __init__(self, net: nn.Sequential) -> None:
        super().__init__()
        self.net = net
        self._cut = [name for name, _ in net.named_children()].index("pool")
        self.auxiliary = nn.Linear(_channels(net[: self._cut]), len(CLASSES))

    def forward(self, pictures: Tensor) -> Tensor:
        """Scores of both heads (N, classes, 2)."""
        features = self.net[: self._cut](pictures)
        both = [self.net[self._cut :](features), self.auxiliary(features.amax((2, 3)))]
        return torch.stack(both, 2)


def _loss(scores: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of scores (N, classes), or the sum over heads of scores (N, classes, heads)."""
    heads = scores.unbind(2) if scores.ndim == 3 else (scores,)
    return torch.stack([functional.cross_entropy(head, targets) for head in heads]).sum()


def _channels(stages: nn.Module) -> int:
    """The number of channels of the map, from the last normalization before it."""
    return [m for m in stages.modules() if isinstance(m, nn.BatchNorm2d)][-1].num_features


def _picture(seed: int, n: int) -> Scene:
    """Training picture number ``n``: every other one shows a single object, half of these in close-up."""
    rng = np.random.default_rng([seed, n, _STREAM])
    if n % 2 == 0:
        return draw(rng)
    near = [float(rng.uniform(0.25, 0.45))] if n % 4 == 1 else None
    return draw(rng, objects=[n // 2 % len(CLASSES)], radii=near)


def train_scenes(
    entry: ZooEntry, net: nn.Sequential, *, steps: int, seed: int, progress: bool
) -> None:
    """Train a net in place; it is left in eval mode."""
    pictures = math.ceil(steps * BATCH / PASSES)
    images, targets = draw_training_set(
        partial(_picture, seed), pictures, entry.input_size, progress
    )
    rng = np.random.default_rng([seed, _STREAM])

    def numbers() -> Iterator[NDArray[np.signedinteger]]:
        singles = shuffled_batches(rng, pictures // 2, BATCH)
        for _ in range(round(MAXIMUM_ONLY * steps)):
            yield 2 * next(singles) + 1
        yield from shuffled_batches(rng, pictures, BATCH)

    order = numbers()

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        return normalize(augment(images[chosen], rng, recolor=False), entry), targets[chosen]

    pooled = isinstance(net.pool, nn.Sequential) and net.pool[0]
    averages = isinstance(pooled, nn.AdaptiveAvgPool2d)
    has_hidden = "hidden" in dict(net.named_children())
    trained = PoolingWarmup(net, steps) if averages else _AuxiliaryHead(net) if has_hidden else net
    fit(
        trained,
        batch,
        _loss,
        steps=steps,
        learning_rate=LEARNING_RATE_FC if has_hidden else LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )
    if isinstance(trained, PoolingWarmup):
        trained.merge_gain()
