"""Evaluation of scene classifiers: accuracy, and location of their Grad-CAM maps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm.auto import tqdm

from ..attribution.methods import get_method
from ..attribution.targets import ClassTarget, PerPictureTarget
from ..attribution.trace import Trace
from ..images.ground_truth import share_inside
from ..loading.loader import embedded
from ..models.vision_model import VisionModel
from ..zoo.registry import ZooEntry, build
from ..zoo.scenes import MAX_OBJECTS, Scene, draw

UNSEEN = 1_000_000
"""First test seed."""

_BATCH = 50
_THRESHOLD = 0.2
"""Share of the map's maximum from which on a pixel counts as object (Zhou et al. 2016, section 3.2)."""


@dataclass
class MapFigures:
    """Results over some pictures, one entry per picture, or per class present in a picture.

    Attributes:
        right: whether the predicted class is present.
        found: share of the n present classes among the n highest scores.
        peak: whether the class's map has its peak inside an object of the class.
        inside: share of the map's mass inside the class's objects.
        iou: intersection over union of these objects with the map above a fifth of its maximum.
        extent: share of these objects that it covers.
    """

    right: list[bool] = field(default_factory=list)
    found: list[float] = field(default_factory=list)
    peak: list[bool] = field(default_factory=list)
    inside: list[float] = field(default_factory=list)
    iou: list[float] = field(default_factory=list)
    extent: list[float] = field(default_factory=list)

    def add_map(self, saliency: NDArray[np.floating], mask: NDArray[np.bool_]) -> None:
        """Compare a map (H, W) with the mask of its class."""
        covered = saliency >= _THRESHOLD * max(float(saliency.max()), 1e-12)
        both = float((covered & mask).sum())
        self.peak.append(bool(mask.flat[int(saliency.argmax())]))
        self.inside.append(float(np.nan_to_num(share_inside(saliency, mask))))
        self.iou.append(both / float((covered | mask).sum()))
        self.extent.append(both / float(mask.sum()))

    def means(self) -> dict[str, float]:
        """The means, rounded for the model card."""
        return {
            "accuracy": round(float(np.mean(self.right)), 4),
            "classes_found": round(float(np.mean(self.found)), 4),
            "peak_in_object": round(float(np.mean(self.peak)), 4),
            "saliency_in_object": round(float(np.mean(self.inside)), 4),
            "iou": round(float(np.mean(self.iou)), 4),
            "extent": round(float(np.mean(self.extent)), 4),
        }


def model_of(found: ZooEntry, net: nn.Module) -> VisionModel:
    """A trained network as a model to be explained."""
    return embedded(found.with_weights(net, card={}))


def class_maps(
    model: VisionModel, samples: list[Scene]
) -> tuple[NDArray[np.floating], list[dict[int, NDArray[np.floating]]]]:
    """Scores (N, classes), and for each picture the Grad-CAM saliency (H, W) of every class present."""
    layer = model.default_layer
    trace = Trace(model, model.pixels([s.image for s in samples]), [layer])
    maps: list[dict[int, NDArray[np.floating]]] = [{} for _ in samples]
    present = [sorted(set(s.labels)) for s in samples]
    for turn in range(max(map(len, present))):
        labels = [p[min(turn, len(p) - 1)] for p in present]
        targets = PerPictureTarget(tuple(ClassTarget(i, model.classes[i]) for i in labels))
        cells = get_method("gradcam").compute(trace, targets, layer)
        large = torch.nn.functional.interpolate(
            cells[:, None].relu(), size=trace.pixels.shape[2:], mode="bilinear"
        )
        for found, label, saliency in zip(maps, labels, large[:, 0].numpy(), strict=True):
            found[label] = saliency
    return trace.logits.numpy(), maps


def measure_scenes(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Results over ``pictures`` test seeds: for all scenes, those with one object, and those with several."""
    model = model_of(found, net)
    groups = {"all": MapFigures(), "one": MapFigures(), "several": MapFigures()}
    for samples in _batches(pictures, f"checking {found.name}", progress):
        scores, maps = class_maps(model, samples)
        for sample, row, by_label in zip(samples, scores, maps, strict=True):
            order = np.argsort(-row, kind="stable").tolist()
            present = set(sample.labels)
            for group in (groups["all"], groups["one" if len(sample.labels) == 1 else "several"]):
                group.right.append(order[0] in present)
                group.found.append(len(present & set(order[: len(present)])) / len(present))
                for label, saliency in by_label.items():
                    group.add_map(saliency, sample.mask_of(label))
    return {name: {"pictures": len(group.right), **group.means()} for name, group in groups.items()}


def measure_against_scenes(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """The results of ``measure_scenes``, and a comparison with `zoo/scenes` where both predict the same class."""
    figures = measure_scenes(found, net, pictures=pictures, progress=progress)
    strong = embedded(build("zoo/scenes"))
    weak = model_of(found, net)
    agree: list[bool] = []
    agree_on_single: list[bool] = []
    both = {"zoo/scenes": MapFigures(), found.name: MapFigures()}
    for samples in _batches(pictures, "comparing", progress):
        outputs = [class_maps(model, samples) for model in (strong, weak)]
        for n, sample in enumerate(samples):
            top = [int(scores[n].argmax()) for scores, _ in outputs]
            agree.append(top[0] == top[1])
            if len(sample.labels) == 1:
                agree_on_single.append(agree[-1])
            if top[0] != top[1] or top[0] not in sample.labels:
                continue
            for figure, (_, maps) in zip(both.values(), outputs, strict=True):
                figure.add_map(maps[n][top[0]], sample.mask_of(top[0]))
    figures["beside_scenes"] = {
        "pictures": pictures,
        "same_answer": round(float(np.mean(agree)), 4),
        "same_answer_of_one_thing": round(float(np.mean(agree_on_single)), 4),
        "same_right_answer": len(both["zoo/scenes"].inside),
        **{
            f"saliency_in_object_{name.removeprefix('zoo/')}": round(float(np.mean(f.inside)), 4)
            for name, f in both.items()
        },
    }
    return figures


def _batches(pictures: int, label: str, progress: bool) -> Iterator[list[Scene]]:
    for first in tqdm(range(0, pictures, _BATCH), label, disable=not progress):
        seeds = range(UNSEEN + first, UNSEEN + min(first + _BATCH, pictures))
        yield [draw(seed, 1 + seed % MAX_OBJECTS) for seed in seeds]
