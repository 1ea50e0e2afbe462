"""Training of the detector of scenes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import generalized_box_iou_loss

from ..images.ground_truth import tight_box
from ..zoo.dense_nets import STRIDES, BoxNet
from ..zoo.registry import ZooEntry
from .fitting import fit
from .labeled_places import PlacedThings, frozen_stages, placed_batches, start_from_scenes

STEPS = 600
LEARNING_RATE = 3e-3
WEIGHT_DECAY = 0.02
_LARGE = 48
"""Length in pixels of a box's longer side from which on the coarse level detects it."""
_REACH = 1.5
"""Cells whose center is within so many cells of the box's center detect it, as in FCOS with center sampling."""

ABOUT: dict[str, Any] = {
    "description": "A small anchor-free detector with two levels of cells that finds the things in a scene: the "
    "first stages are those of zoo/scenes.",
    "data": "Pictures drawn by camwidget.zoo.scenes: one to five things of four shapes, four colors and three textures "
    "on plain or cluttered grounds; one picture in four shows two or three things of one class. Classes and boxes were "
    "used. The first two stages are those of zoo/scenes, unchanged; the others start there.",
    "known_faults": [
        "It was trained on drawn objects only; what it finds in photographs means little.",
        "A thing has one box: of boxes that overlap by more than half, whatever their class, the best is kept.",
        "Its score is how well it expects the box to fit: a box that is found for certain rarely scores above 0.95.",
    ],
    "license": "BSD-3-Clause",
}

Cells = tuple[Tensor, Tensor]
"""Class of each cell (N, K), −1 for none, and the box (N, K, 4) that it is to find."""


def cell_targets(things: PlacedThings) -> Cells:
    """What each cell of both levels is to find: the thing whose center is near, at the level of its size."""
    side = things.places.shape[1]
    labels: list[NDArray[np.int64]] = []
    boxes: list[NDArray[np.float32]] = []
    for places, present in zip(things.places, things.labels, strict=True):
        grids = [np.full((side // s, side // s), -1, np.int64) for s in STRIDES]
        found = [np.zeros((side // s, side // s, 4), np.float32) for s in STRIDES]
        for number, label in enumerate(present, 1):
            box = tight_box(places == number)
            assert box is not None
            left, top, right, bottom = box
            level = int(max(right - left, bottom - top) >= _LARGE)
            centers = (np.arange(side // STRIDES[level]) + 0.5) * STRIDES[level]
            reach = _REACH * STRIDES[level]
            rows = (abs(centers - 0.5 * (top + bottom)) < reach) & (centers > top)
            columns = (abs(centers - 0.5 * (left + right)) < reach) & (centers > left)
            rows &= centers < bottom
            columns &= centers < right
            near = rows[:, None] & columns
            grids[level][near] = label
            found[level][near] = box
        labels.append(np.concatenate([grid.ravel() for grid in grids]))
        boxes.append(np.concatenate([b.reshape(-1, 4) for b in found]))
    return torch.from_numpy(np.stack(labels)), torch.from_numpy(np.stack(boxes))


class _Cells(nn.Module):
    """The network in training: logits (N, K, classes) and boxes (N, K, 4) of all cells, given the map of ``early``."""

    def __init__(self, net: BoxNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, early: Tensor) -> Cells:
        levels = self.net.levels(early)
        logits, boxes = (
            torch.cat([level[i].flatten(2) for level in levels], 2).transpose(1, 2)
            for i in range(2)
        )
        return logits, boxes


def _loss(outputs: Cells, targets: Cells) -> Tensor:
    """Quality focal loss of the logits (Li et al. 2020, arXiv:2006.04388, eq. 2), and 1 − GIoU of the boxes.

    A cell's score is to be the intersection over union of its box with the thing's.
    """
    (logits, boxes), (labels, truth) = outputs, targets
    there = labels >= 0
    given, wanted = boxes[there], truth[there]
    misfit = generalized_box_iou_loss(given, wanted, reduction="mean")
    quality = torch.zeros_like(logits)
    quality[there, labels[there]] = _overlaps(given.detach(), wanted)
    focus = (quality - logits.sigmoid()) ** 2
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    total: Tensor = (focus * entropy).sum() / there.sum() + 2 * misfit
    return total


def _overlaps(a: Tensor, b: Tensor) -> Tensor:
    """Intersection over union of boxes (K, 4) with those of the same number."""
    sides = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    both = sides.prod(1)
    areas = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    ratio: Tensor = both / (areas - both)
    return ratio


def train_boxes(entry: ZooEntry, net: BoxNet, *, steps: int, seed: int, progress: bool) -> None:
    """Train a detector in place; it is left in eval mode."""
    start_from_scenes(net.early, net.late)
    first_stages = frozen_stages(entry)
    stream = placed_batches(seed, progress)

    def batch() -> tuple[Tensor, Cells]:
        things = next(stream)
        return first_stages(things.images)[1], cell_targets(things)

    fit(
        _Cells(net),
        batch,
        _loss,
        steps=steps,
        learning_rate=LEARNING_RATE,
        weight_decay=WEIGHT_DECAY,
        progress=progress,
        bfloat16=True,
    )
