"""Training of the classifier of moving things."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.drawing.scene_objects import COLORS
from ..zoo.moves import CLASSES, DIRECTIONS, FRAMES, MovingScene, draw
from ..zoo.registry import ZooEntry
from .fitting import draw_parallel, fit, shuffled_batches
from .pooling_warmup import PoolingWarmup

STEPS = 900
BATCH = 16
PASSES = 12
"""How often a clip is shown, each time mirrored, turned, or played backwards otherwise."""
LEARNING_RATE = 8e-3
WEIGHT_DECAY = 0.02
_GAIN = 32.0
"""A thing covers a thirtieth of a frame."""
_RARE = -2.0
"""First bias of the scores: one class in eight is in a clip."""
_STREAM = 0x303F
"""Third word of the seed of every training clip; `draw(seed)` has but two."""

ABOUT: dict[str, Any] = {
    "description": "A small three-dimensional convolutional network that names the colors of the things that move in a "
    "clip, and the direction of each.",
    "data": "Clips of twelve frames drawn by camwidget.zoo.moves: one to four things of four shapes and four colors, "
    "of which some move left, right, up or down for a part of the clip, and others stand still. Only the classes "
    "present were used for training, never the places of the things or the frames in which they move.",
    "known_faults": [
        "It was trained on drawn clips only; its predictions for films mean little.",
        "Each class has a probability of its own: where nothing moves, all are low.",
        "A cell of its maps has seen 31 pixels around its own 4, and two frames before and after its own: next to a "
        "thing, and next to the frames in which it moves, the network knows of it.",
    ],
    "license": "BSD-3-Clause",
}

_OPPOSITE_ACROSS, _OPPOSITE_DOWN, _TURNED, _REVERSED = (
    [1, 0, 2, 3],
    [0, 1, 3, 2],
    [2, 3, 0, 1],
    [1, 0, 3, 2],
)
"""Which direction of the original is each direction of a clip that is mirrored, transposed, or played backwards."""


def training_clip(seed: int, n: int) -> MovingScene:
    """Training clip number ``n``."""
    return draw(np.random.default_rng([seed, n, _STREAM]))


def class_targets(scene: MovingScene) -> Tensor:
    """1 for each class in a clip, 0 for the others: float32 (classes,)."""
    found = torch.zeros(len(CLASSES))
    found[list(scene.labels)] = 1.0
    return found


def vary(
    clips: NDArray[np.uint8], targets: Tensor, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], Tensor]:
    """Mirror, transpose and reverse a batch (N, T, H, W, 3) at random, with its targets (N, classes)."""
    by_direction = targets.unflatten(1, (len(COLORS), len(DIRECTIONS)))
    down, across, turned, reverse = rng.random(4) < 0.5
    if down:
        clips, by_direction = clips[:, :, ::-1], by_direction[..., _OPPOSITE_DOWN]
    if across:
        clips, by_direction = clips[:, :, :, ::-1], by_direction[..., _OPPOSITE_ACROSS]
    if turned:
        clips, by_direction = clips.transpose(0, 1, 3, 2, 4), by_direction[..., _TURNED]
    if reverse:
        clips, by_direction = clips[:, ::-1], by_direction[..., _REVERSED]
    return np.ascontiguousarray(clips), by_direction.flatten(1)


def normalize_clips(clips: NDArray[np.uint8], entry: ZooEntry) -> Tensor:
    """Clips uint8 (N, T, H, W, 3) as the network's input: float32 (N, 3, T, H, W)."""
    pixels = torch.from_numpy(clips).permute(0, 4, 1, 2, 3).to(torch.float32) / 255.0
    mean, std = (torch.tensor(triple).view(1, 3, 1, 1, 1) for triple in (entry.mean, entry.std))
    return (pixels - mean) / std


def train_moves(
    entry: ZooEntry, net: nn.Sequential, *, steps: int, seed: int, progress: bool
) -> None:
    """Train a net in place; it is left in eval mode."""
    count = math.ceil(steps * BATCH / PASSES)
    side = entry.input_size
    clips = np.empty((count, FRAMES, side, side, 3), np.uint8)
    targets = torch.empty(count, len(CLASSES))
    drawn = draw_parallel(partial(training_clip, seed), count, progress=progress)
    for n, scene in enumerate(drawn):
        clips[n], targets[n] = scene.image, class_targets(scene)
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, count, BATCH)

    def batch() -> tuple[Tensor, Tensor]:
        chosen = next(order)
        varied, wanted = vary(clips[chosen], targets[chosen], rng)
        return normalize_clips(varied, entry), wanted

    def loss(scores: Tensor, wanted: Tensor) -> Tensor:
        return functional.binary_cross_entropy_with_logits(scores, wanted, reduction="sum") / len(
            wanted
        )

    nn.init.constant_(net.head.bias, _RARE)  # type: ignore[arg-type,union-attr]
    trained = PoolingWarmup(net, steps, _GAIN)
    fit(
        trained,
        batch,
        loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )
    trained.merge_gain()
