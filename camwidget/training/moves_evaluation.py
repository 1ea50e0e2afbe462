"""Evaluation of the classifier of moving things: accuracy, clips that stand still, and location of maps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from ..attribution.explaining import explain
from ..attribution.explanation import Explanations
from ..attribution.methods import list_methods
from ..images.ground_truth import share_inside
from ..models.vision_model import VisionModel
from ..zoo.drawing.scene_objects import COLORS
from ..zoo.moves import CLASSES, DIRECTIONS, MAX_THINGS, MovingScene, draw
from ..zoo.registry import ZooEntry
from .cam_evaluation import batches, stacked
from .gradcam_evaluation import UNSEEN, model_of
from .moves import normalize_clips

APPEARANCE = "by appearance"
"""A wrong explanation, for comparison: all things of the color in all frames, whether they move or not."""

_MAPS, _SLOW = 10, 50
"""Methods of a few passes are evaluated on one of so many clips, slow ones on one of so many."""
_LEFT_OUT = frozenset({"occlusion", "rise"})
"""Methods of hundreds of passes, which treat the model as a function of pixels, whatever it consists of."""


def measure_moves(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Accuracy over unseen clips and over the same with all frames alike, and location of maps by method."""
    return {
        **measure_answers(found, net, pictures=pictures, progress=progress),
        "methods": measure_maps(
            model_of(found, net), pictures // _MAPS, pictures // _SLOW, progress=progress
        ),
    }


@torch.no_grad()
def measure_answers(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, dict[str, float]]:
    """Results over ``pictures`` unseen clips, and over the same clips with their middle frame in place of every frame.

    Args:
        found: the model's entry.
        net: the network.
        pictures: number of clips.
        progress: whether to show a progress bar.
    """
    right: list[bool] = []
    share: list[float] = []
    exact: list[bool] = []
    highest: list[float] = []
    seeds = tqdm(range(UNSEEN, UNSEEN + pictures), "clips", disable=not progress)
    for samples in batches(draw(seed, 1 + seed % MAX_THINGS) for seed in seeds):
        clips = stacked(samples)
        middle = clips.shape[1] // 2
        frozen = np.repeat(clips[:, middle : middle + 1], clips.shape[1], 1)
        scores, still = (
            net(normalize_clips(each, found)).sigmoid().numpy() for each in (clips, frozen)
        )
        highest += still.max(1).tolist()
        for sample, row in zip(samples, scores, strict=True):
            present = set(sample.labels)
            order = np.argsort(-row, kind="stable").tolist()
            right.append(order[0] in present)
            share.append(len(present & set(order[: len(present)])) / len(present))
            exact.append(set(np.flatnonzero(row >= 0.5).tolist()) == present)
    return {
        "moving": {
            "clips": pictures,
            "accuracy": round(float(np.mean(right)), 4),
            "classes_found": round(float(np.mean(share)), 4),
            "exactly_the_classes": round(float(np.mean(exact)), 4),
        },
        "all_frames_alike": {
            "clips": pictures,
            "something_named": round(float(np.mean(np.array(highest) >= 0.5)), 4),
            "highest_probability": round(float(np.mean(highest)), 4),
        },
    }


def twins(seed: int) -> MovingScene:
    """A clip of a moving thing, one of its color that stands still, and one of its color that moves the other way.

    The first class is ``CLASSES[seed % 16]``, which is the one to be explained.
    """
    color, direction = divmod(seed % len(CLASSES), len(DIRECTIONS))
    other = CLASSES[color * len(DIRECTIONS) + (direction ^ 1)]
    things = [CLASSES[seed % len(CLASSES)], f"{COLORS[color]} stands still", other]
    return draw(seed, things=things)


@dataclass
class MovingMapFigures:
    """Results over some maps of ``twins``, one entry per map.

    Attributes:
        peak: whether the peak is in the thing asked about, in a frame in which it moves.
        inside: share of the map there.
        any_frame: share of the map in the thing in any frame.
        still: share in the thing of its color that stands still.
        other: share in the thing of its color that moves the other way.
    """

    peak: list[bool] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    any_frame: list[float] = field(default_factory=list)
    still: list[float] = field(default_factory=list)
    other: list[float] = field(default_factory=list)

    def add_map(self, saliency: NDArray[np.floating], scene: MovingScene, label: int) -> None:
        """Compare a map (T, H, W) of a class with the masks of a clip of ``twins``."""
        mask, thing = scene.mask_of(label), scene.labels.index(label)
        # Where a map is all zeros, its peak is nowhere.
        self.peak.append(bool(saliency.any() and mask.flat[int(saliency.argmax())]))
        places = (mask, scene.masks[thing], scene.still[0], scene.masks[1 - thing])
        for shares, place in zip(
            (self.inside, self.any_frame, self.still, self.other), places, strict=True
        ):
            shares.append(float(np.nan_to_num(share_inside(saliency, place))))

    def means(self) -> dict[str, float]:
        """The means, rounded for the model card."""
        return {
            "clips": len(self.peak),
            "peak_in_thing": round(float(np.mean(self.peak)), 4),
            "saliency_in_thing": round(float(np.mean(self.inside)), 4),
            "saliency_in_thing_in_any_frame": round(float(np.mean(self.any_frame)), 4),
            "saliency_in_still_thing": round(float(np.mean(self.still)), 4),
            "saliency_in_other_thing": round(float(np.mean(self.other)), 4),
        }


def measure_maps(
    model: VisionModel, clips: int, slow: int, *, progress: bool
) -> dict[str, dict[str, float]]:
    """Where the maps of a class lie in clips of ``twins``, by method, at the default layer and with default settings.

    Args:
        model: classifier of moving things.
        clips: number of clips for methods of a few passes.
        slow: number of clips for methods that run the model again.
        progress: whether to show a progress bar.
    """
    layer = model.default_layer
    methods = [m for m in list_methods() if m.name not in _LEFT_OUT and not m.reason(model, layer)]
    few = [m.name for m in methods if not m.slow]
    figures = {name: MovingMapFigures() for name in (*(m.name for m in methods), APPEARANCE)}
    for n in tqdm(range(clips), "maps", disable=not progress):
        scene, label = twins(UNSEEN + n), (UNSEEN + n) % len(CLASSES)
        names = [m.name for m in methods] if n < slow else few
        explained = explain(model, scene.image, label, names, progress=_silent)
        assert isinstance(explained, Explanations)
        for exp in explained:
            figures[exp.method].add_map(exp.saliency, scene, label)
        alike = np.asarray(scene.masks.any(0) | scene.still.any(0), np.float32)
        figures[APPEARANCE].add_map(alike, scene, label)
    return {name: figure.means() for name, figure in figures.items()}


def _silent(done: int, total: int) -> None:
    """Show nothing."""
