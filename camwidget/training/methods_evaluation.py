"""Evaluation of scene classifiers by explanation method: share of the map in the thing, and place of its peak."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn
from tqdm.auto import tqdm

from ..attribution.explaining import explain
from ..attribution.explanation import Explanations
from ..attribution.methods import list_methods
from ..models.vision_model import VisionModel
from ..zoo.registry import ZooEntry
from ..zoo.scenes import MAX_OBJECTS, draw
from .gradcam_evaluation import UNSEEN, MapFigures, measure_scenes, model_of

_GRADCAM, _ALL, _SLOW = 4, 25, 100
"""Grad-CAM is evaluated on one of so many pictures, all methods on one of so many, and slow ones on one of so many."""
_LEFT_OUT = frozenset({"occlusion", "rise", "part-occlusion", "kernelshap"})
"""Methods of hundreds of passes, which treat the model as a function of pixels, whatever it consists of."""


def measure_with_methods(
    found: ZooEntry, net: nn.Module, *, pictures: int, progress: bool
) -> dict[str, Any]:
    """The results of ``measure_scenes``, and those of every method that applies."""
    figures = measure_scenes(found, net, pictures=pictures // _GRADCAM, progress=progress)
    figures["methods"] = measure_methods(
        model_of(found, net), pictures // _ALL, pictures // _SLOW, progress=progress
    )
    return figures


def measure_methods(
    model: VisionModel, pictures: int, slow: int, *, progress: bool
) -> dict[str, dict[str, float]]:
    """Share of the map in the things of its class, and share of peaks on one, by method.

    The class explained is that of the largest thing, at the default layer and with the default settings.

    Args:
        model: classifier of scenes.
        pictures: number of pictures for methods of a few passes.
        slow: number of pictures for methods that run the model again.
        progress: whether to show a progress bar.
    """
    layer = model.default_layer
    methods = [m for m in list_methods() if m.name not in _LEFT_OUT and not m.reason(model, layer)]
    few = [m.name for m in methods if not m.slow]
    figures = {m.name: MapFigures() for m in methods}
    for n in tqdm(range(pictures), "methods", disable=not progress):
        sample = draw(UNSEEN + n, 1 + n % MAX_OBJECTS)
        names = list(figures) if n < slow else few
        explained = explain(model, sample.image, sample.label, names, progress=_silent)
        assert isinstance(explained, Explanations)
        for exp in explained:
            figures[exp.method].add_map(exp.saliency, sample.mask_of(sample.label))
    return {
        name: {
            "pictures": len(figure.peak),
            "peak_in_object": round(float(np.mean(figure.peak)), 4),
            "saliency_in_object": round(float(np.mean(figure.inside)), 4),
        }
        for name, figure in figures.items()
    }


def _silent(done: int, total: int) -> None:
    """Show nothing."""
