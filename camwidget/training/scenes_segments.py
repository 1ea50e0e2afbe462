"""Training of the segmenter of scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.dense_nets import SegmentNet
from ..zoo.registry import ZooEntry
from .fitting import fit
from .labeled_places import frozen_stages, placed_batches, start_from_scenes

STEPS = 500
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
_GROUND = 0.3
"""Weight of a pixel of the ground: there are many more of them than of any class."""

ABOUT: dict[str, Any] = {
    "description": "A small U-Net that names the thing at every pixel of a scene, or the ground: the first stages are "
    "those of zoo/scenes.",
    "data": "Pictures drawn by camwidget.zoo.scenes: one to five things of four shapes, four colors and three textures "
    "on plain or cluttered grounds; one picture in four shows two or three things of one class. The masks of the "
    "things were used. The first two stages are those of zoo/scenes, unchanged; the next two start there.",
    "known_faults": [
        "It was trained on drawn objects only; what it finds in photographs means little.",
        "Its logits have half the picture's resolution: outlines are right to about two pixels.",
        "Nothing makes the pixels of a thing agree: it may be one class at one end and another at the other.",
    ],
    "license": "BSD-3-Clause",
}


class _Cells(nn.Module):
    """The network in training: logits (N, classes, H / 2, W / 2), given pictures and the map of ``early``."""

    def __init__(self, net: SegmentNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor, early: Tensor) -> Tensor:
        return self.net.cells(self.net.detail(pictures), early)


def train_segments(
    entry: ZooEntry, net: SegmentNet, *, steps: int, seed: int, progress: bool
) -> None:
    """Train a segmenter in place; it is left in eval mode."""
    start_from_scenes(net.early, net.late)
    first_stages = frozen_stages(entry)
    stream = placed_batches(seed, progress)
    ground = len(entry.classes) - 1
    weights = torch.ones(len(entry.classes))
    weights[ground] = _GROUND
    rng = np.random.default_rng([seed, ground])

    def batch() -> tuple[tuple[Tensor, Tensor], Tensor]:
        things = next(stream)
        # A cell of the logits lies between four pixels; one of them, another in each step, says what is there.
        row, column = rng.integers(2, size=2)
        seen = things.places[:, row::2, column::2]
        labels = [
            np.array([ground, *present])[places]
            for places, present in zip(seen, things.labels, strict=True)
        ]
        return first_stages(things.images), torch.from_numpy(np.stack(labels))

    def loss(logits: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, weights)

    fit(
        _Cells(net),
        batch,
        loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )
