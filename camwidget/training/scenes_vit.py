"""Training of the ViT of scenes: on windows around the things first, then on whole pictures."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ..zoo.drawing.scene_objects import COLORS, SHAPES, TEXTURES
from ..zoo.registry import ZooEntry, build
from ..zoo.scenes import CLASSES, Scene, draw
from ..zoo.transformers import VisionTransformer
from .cam_evaluation import normalize
from .fitting import draw_parallel, fit, shuffled_batches

STEPS = 1100
WINDOW_SHARE = 0.75
"""Share of the steps on windows, each of which takes a quarter of the time of a step on whole pictures."""
BATCH = 32
PICTURES = 4000
WINDOW = 8
"""Side of a window in cells."""
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
_NOTHING = -1
"""Label of cells that no thing covers."""
_COVERED = 1 / 3
"""Share of a cell from which on a thing covers it."""
_KINDS = (2, len(SHAPES), len(COLORS), len(TEXTURES))
_STREAM = 0x517E

ABOUT: dict[str, Any] = {
    "description": "A small hybrid transformer with a class token, four blocks on the first stages of zoo/scenes, that "
    "names the things in a scene.",
    "data": "Pictures drawn by camwidget.zoo.scenes: one to five things of four shapes, four colors and three textures "
    "on plain or cluttered grounds. Besides the classes present, the places of the things were used: an auxiliary "
    "layer, discarded afterwards, told from each token before the last block whether a thing covers its cell, and its "
    "shape, color and texture. The convolutions are those of zoo/scenes, unchanged.",
    "known_faults": [
        "It was trained on drawn objects only; its predictions for photographs mean little.",
        "It has no class for none of them: any other picture still gets one of their names.",
        "In a picture of several things the scores share out among the classes present, so each is well below one.",
        "A token starts with a map's cell that has seen 47 pixels around its own 8: next to a thing, the ground knows "
        "of it.",
    ],
    "license": "BSD-3-Clause",
}

Labels = NDArray[np.signedinteger]
Targets = tuple[Tensor, Tensor]
"""Probabilities of the classes (N, classes), and the class at each cell (N, T), or -1."""


def cell_labels(scene: Scene, side: int) -> Labels:
    """The class of the thing that covers each of side × side cells, int64; -1 where nothing does."""
    step = scene.image.shape[0] // side
    shares = scene.masks.reshape(len(scene.masks), side, step, side, step).mean((2, 4))
    labels = np.asarray(scene.labels)[shares.argmax(0)]
    found: Labels = np.where(shares.max(0) >= _COVERED, labels, _NOTHING)
    return found


class _CellSupervision(nn.Module):
    """The network in training: besides its scores, what lies at each cell.

    A linear layer, discarded after the training, reads from the tokens that the last block receives whether there is a
    thing, and its shape, color and texture. Without it, the class token alone would have to teach the other tokens.

    Args:
        net: the network.
    """

    def __init__(self, net: VisionTransformer) -> None:
        super().__init__()
        self.net = net
        self.kinds = nn.Linear(net.norm.normalized_shape[0], sum(_KINDS))

    def forward(self, features: Tensor, corners: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, classes), and what lies at the cells (N, T, kinds) of windows with corners (N, 2), in cells."""
        net = self.net
        side = features.shape[2]
        rows, columns = (corners[:, n, None] + torch.arange(side) for n in range(2))
        positions = net.positions[0][rows[:, :, None], columns[:, None]]
        before = net.blocks[:-1](net.tokens(features, positions))
        after = net.blocks[-1](before)
        return net.read(after), self.kinds(before[:, 1:])


def _loss(outputs: tuple[Tensor, Tensor], targets: Targets) -> Tensor:
    """Cross entropy of the classes, and the mean cross entropies of what lies at the cells."""
    (scores, kinds), (classes, labels) = outputs, targets
    is_thing, shape, color, texture = kinds.split(_KINDS, 2)
    covered = labels >= 0
    total = functional.cross_entropy(scores, classes)
    total = total + functional.cross_entropy(is_thing.flatten(0, 1), covered.flatten().long())
    there = labels[covered]
    of_shapes = len(COLORS) * len(TEXTURES)
    for logits, truth in (
        (shape, there // of_shapes),
        (color, there % of_shapes // len(TEXTURES)),
        (texture, there % len(TEXTURES)),
    ):
        total = total + functional.cross_entropy(logits[covered], truth)
    return total


def class_targets(labels: Labels) -> Tensor:
    """Equal probabilities of the classes that cover cells (N, h, w), float32 (N, classes)."""
    present = (labels.reshape(len(labels), -1, 1) == np.arange(len(CLASSES))).any(1)
    shares = torch.from_numpy(present.astype(np.float32))
    return shares / shares.sum(1, keepdim=True)


def windows(labels: Labels, rng: np.random.Generator) -> Labels:
    """Corners (N, 2), in cells, of one window for each picture, around a cell of a thing."""
    corners = np.empty((len(labels), 2), int)
    for n, found in enumerate(labels):
        covered = np.argwhere(found >= 0)
        center = covered[rng.integers(len(covered))] + rng.integers(-1, 2, 2)
        corners[n] = np.clip(center - WINDOW // 2, 0, found.shape[0] - WINDOW)
    return corners


def cut(values: NDArray[np.generic], corners: Labels, side: int) -> NDArray[np.generic]:
    """Windows (N, side, side, …) of arrays (N, H, W, …) at corners (N, 2)."""
    return np.stack(
        [
            v[top : top + side, left : left + side]
            for v, (top, left) in zip(values, corners, strict=True)
        ]
    )


def draw_labeled(
    entry: ZooEntry, seed: int, progress: bool, side: int
) -> tuple[NDArray[np.uint8], Labels]:
    """Draw the training pictures, uint8 (N, H, W, 3), with the labels of their cells (N, side, side)."""
    images = np.empty((PICTURES, entry.input_size, entry.input_size, 3), np.uint8)
    labels = np.empty((PICTURES, side, side), int)
    scenes = draw_parallel(partial(training_picture, seed), PICTURES, progress=progress)
    for n, scene in enumerate(scenes):
        images[n], labels[n] = scene.image, cell_labels(scene, side)
    return images, labels


def training_picture(seed: int, n: int) -> Scene:
    """Training picture number ``n``."""
    return draw(np.random.default_rng([seed, n, _STREAM]))


@torch.no_grad()
def stem_maps(stem: nn.Module, images: NDArray[np.uint8], entry: ZooEntry) -> NDArray[np.float32]:
    """The maps of the stem (N, h, w, channels), which does not change in the training."""
    stem.eval()
    maps = [
        stem(normalize(images[first : first + BATCH], entry)).permute(0, 2, 3, 1)
        for first in range(0, len(images), BATCH)
    ]
    found: NDArray[np.float32] = torch.cat(maps).numpy()
    return found


def train_vit(
    entry: ZooEntry, net: VisionTransformer, *, steps: int, seed: int, progress: bool
) -> None:
    """Train a net in place; it is left in eval mode. The stem is that of `zoo/scenes`, and stays it."""
    stages = build("zoo/scenes").module[: len(net.stem)]  # type: ignore[index]
    net.stem.load_state_dict(stages.state_dict())
    side = net.positions.shape[1]
    images, labels = draw_labeled(entry, seed, progress, side)
    maps = stem_maps(net.stem, images, entry)
    rng = np.random.default_rng([seed, _STREAM])
    order = shuffled_batches(rng, PICTURES, BATCH)

    def batches() -> Iterator[tuple[tuple[Tensor, Tensor], Targets]]:
        for step in range(steps):
            chosen = next(order)
            seen, there = maps[chosen], labels[chosen]
            corners = np.zeros((len(chosen), 2), int)
            if step < WINDOW_SHARE * steps:
                corners = windows(there, rng)
                seen, there = cut(seen, corners, WINDOW), cut(there, corners, WINDOW)
            inputs = (torch.from_numpy(seen).permute(0, 3, 1, 2), torch.from_numpy(corners))
            yield inputs, (class_targets(there), torch.from_numpy(there).flatten(1))

    stream = batches()
    fit(
        _CellSupervision(net),
        lambda: next(stream),
        _loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
    )
