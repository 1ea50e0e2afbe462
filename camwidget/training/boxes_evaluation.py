"""Evaluation of the detector of scenes: average precision, and maps of one of two detections of a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..attribution.explaining import explain
from ..attribution.methods import get_method
from ..attribution.targets import FunctionTarget
from ..models.detection_model import DetectionModel
from ..models.detections import Detection
from ..zoo.registry import ZooEntry
from ..zoo.scenes import MAX_OBJECTS, Scene, draw
from .asked_evaluation import AskedFigures, add_map, add_maps, means_of, two_alike
from .average_precision import Precision, overlaps
from .cam_evaluation import batches, normalize, stacked
from .gradcam_evaluation import UNSEEN, model_of

LAYERS = ("late.stage3", "pyramid")
_LEAST = 0.05
"""Least score of a detection that counts for the average precision."""
_SURE = 0.5
"""Least score of a detection, as in ``DetectionModel.detections``."""
_PRECISION, _ASKED, _SLOW = 2, 20, 200
"""Precision is measured on one of so many pictures, maps on one of so many, those by RISE on one of so many."""
_MASKS, _MASK_CELLS = 500, 10
"""Number of RISE's masks, and cells on a side of their grid."""


@dataclass(frozen=True)
class ClassScore:
    """Callable from the detector's output to how many things of a class it finds: the sum of all scores, (N,)."""

    label: int

    def __call__(self, output: dict[str, Tensor]) -> Tensor:
        """Return the sum of the class's scores, (N,)."""
        return output["logits"][..., self.label].sigmoid().sum(1)


def measure_boxes(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """Average precision over unseen scenes, and maps of scenes with two things of one class."""
    figures: dict[str, Any] = {
        "detections": measure_detections(
            found, net, pictures=pictures // _PRECISION, progress=progress
        )
    }
    model = model_of(found, net)
    assert isinstance(model, DetectionModel)
    figures["two_of_a_class"] = measure_asked(
        model, pictures // _ASKED, pictures // _SLOW, progress=progress
    )
    return figures


@torch.no_grad()
def measure_detections(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, float]:
    """Mean average precision, and what is found with a score of at least a half."""
    precision = Precision()
    things = hits = shown = 0
    seeds = tqdm(range(UNSEEN, UNSEEN + pictures), "detections", disable=not progress)
    for samples in batches(draw(seed, 1 + seed % MAX_OBJECTS) for seed in seeds):
        output = net(normalize(stacked(samples), found))
        scores = output["logits"].sigmoid().numpy()
        centers, sides = np.split(output["pred_boxes"].numpy() * found.input_size, 2, axis=2)
        corners = np.concatenate([centers - sides / 2, centers + sides / 2], 2)
        for sample, boxes, of_cells in zip(samples, corners, scores, strict=True):
            cells, labels = np.nonzero(of_cells >= _LEAST)
            values = of_cells[cells, labels]
            truth = np.array(sample.boxes, float)
            precision.add(boxes[cells], values, labels, truth, sample.labels)
            sure = values >= _SURE
            same = labels[sure, None] == np.array(sample.labels)
            hit = same & (overlaps(boxes[cells[sure]], truth) >= _SURE)
            things, hits, shown = (
                things + len(truth),
                hits + int(hit.any(0).sum()),
                shown + sure.sum(),
            )
    return {
        "pictures": pictures,
        **precision.means(),
        "found": round(hits / things, 4),
        "shown_for_each_thing": round(float(shown) / things, 4),
    }


def measure_asked(
    model: DetectionModel, pictures: int, slow: int, *, progress: bool
) -> dict[str, dict[str, dict[str, float]]]:
    """Where the maps of one of two detections of a class lie, by method and layer, and those of the class.

    Scenes of which not both things are detected are left out.

    Args:
        model: detector of scenes.
        pictures: number of scenes for methods of one pass.
        slow: number of scenes for RISE, which is D-RISE of a detection.
        progress: whether to show a progress bar.
    """
    asked: dict[str, AskedFigures] = {}
    of_class: dict[str, AskedFigures] = {}
    rise = get_method("rise", masks=_MASKS, cells=_MASK_CELLS)
    for n in tqdm(range(pictures), "asked", disable=not progress):
        scene = two_alike(UNSEEN + n)
        both = detected(model, scene)
        if both is None:
            continue
        chosen = model.given(detections=list(both))
        add_maps(asked, chosen, scene, chosen.classes, LAYERS)
        add_maps(
            of_class, chosen, scene, [FunctionTarget(ClassScore(scene.label), "class")], LAYERS
        )
        if n < slow:
            maps = explain(chosen, scene.image, list(chosen.classes), rise, progress=_silent)
            for thing, exp in enumerate(maps):
                add_map(asked, "rise", exp.saliency, scene, thing)
    return means_of(asked, of_class)


def detected(model: DetectionModel, scene: Scene) -> tuple[Detection, ...] | None:
    """The detection of each thing of a scene; None if one is not detected, or not as what it is."""
    detections = model.detections(scene.image, _SURE)
    found = []
    for label, box in zip(scene.labels, scene.boxes, strict=True):
        own = [d for d in detections if d.label == label and _overlap(d, box) >= _SURE]
        if not own:
            return None
        found.append(max(own, key=lambda d: _overlap(d, box)))
    return tuple(found)


def _overlap(detection: Detection, box: tuple[int, int, int, int]) -> float:
    return float(overlaps(np.array([detection.box]), np.array([box], float))[0, 0])


def _silent(done: int, total: int) -> None:
    """Show nothing."""
