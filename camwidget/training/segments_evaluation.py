"""Evaluation of the segmenter of scenes: intersection over union by class, and maps of one of two things of a class."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from ..models.segmentation_model import SegmentationModel
from ..zoo.registry import ZooEntry
from ..zoo.scenes import MAX_OBJECTS
from ..zoo.segmented_scenes import CLASSES, draw
from .asked_evaluation import AskedFigures, add_maps, means_of, two_alike
from .cam_evaluation import batches, normalize, stacked
from .gradcam_evaluation import UNSEEN, model_of

LAYERS = ("late.stage3", "middle", "fine")
_PIXELS, _ASKED = 2, 20
"""Pixels are compared on one of so many pictures, maps on one of so many."""


def measure_segments(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Intersection over union over unseen scenes, and maps of scenes with two things of one class."""
    figures: dict[str, Any] = {
        "pixels": measure_pixels(found, net, pictures=pictures // _PIXELS, progress=progress)
    }
    model = model_of(found, net)
    assert isinstance(model, SegmentationModel)
    figures["two_of_a_class"] = measure_asked(model, pictures // _ASKED, progress=progress)
    return figures


@torch.no_grad()
def measure_pixels(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Share of pixels named rightly, and intersection over union of each class over all pictures."""
    count = len(CLASSES)
    table = np.zeros((count, count), np.int64)
    seeds = tqdm(range(UNSEEN, UNSEEN + pictures), "pixels", disable=not progress)
    for samples in batches(draw(seed, 1 + seed % MAX_OBJECTS) for seed in seeds):
        named = net(normalize(stacked(samples), found)).argmax(1).numpy()
        truth = np.stack([sample.segments() for sample in samples])
        table += np.bincount((count * truth + named).ravel(), minlength=count**2).reshape(
            table.shape
        )
    right = table.diagonal()
    ious = right / np.maximum(table.sum(0) + table.sum(1) - right, 1)
    return {
        "pictures": pictures,
        "right": round(float(right.sum() / table.sum()), 4),
        "mean_iou_of_things": round(float(ious[:-1].mean()), 4),
        "iou": {name: round(float(iou), 4) for name, iou in zip(CLASSES, ious, strict=True)},
    }


def measure_asked(
    model: SegmentationModel, pictures: int, *, progress: bool
) -> dict[str, dict[str, dict[str, float]]]:
    """Where the maps of a class lie that is asked about one of two things, by method and layer, and over both.

    The region is the mask of the thing asked about; for the whole class, the masks of both.

    Args:
        model: segmenter of scenes.
        pictures: number of scenes.
        progress: whether to show a progress bar.
    """
    asked: dict[str, AskedFigures] = {}
    of_class: dict[str, AskedFigures] = {}
    for n in tqdm(range(pictures), "asked", disable=not progress):
        scene = two_alike(UNSEEN + n)
        target = [scene.names[0]]
        for thing, region in enumerate(scene.masks):
            add_maps(asked, model.given(region=region), scene, target, LAYERS, [thing])
        both = model.given(region=scene.mask_of(scene.label))
        add_maps(of_class, both, scene, target, LAYERS)
    return means_of(asked, of_class)
