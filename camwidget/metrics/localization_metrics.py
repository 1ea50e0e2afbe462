"""Localization metrics: whether a map lies on the ground-truth object."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..analysis.correlation import as_float64
from ..analysis.localizing import best_overlap, localize, overlap, points_at
from ..images.ground_truth import ObjectLocations, share_inside
from .cases import Case
from .registry import Score, metric
from .settings import check_number

__all__: list[str] = []

_SELVARAJU = "Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391"
_ZHANG = "Zhang et al. 2016, Excitation Backprop, arXiv:1608.00507"
_RUSSAKOVSKY = "Russakovsky et al. 2015, ILSVRC, arXiv:1409.0575 (single-object localization)"


def _of_objects(function: Callable[..., float | Score]) -> Callable[..., float | Score]:
    """Turn a function of (case, objects, **settings) into a metric; NaN for a class that is not in the picture."""

    @wraps(function)
    def score(case: Case, **settings: Any) -> float | Score:
        objects = case.locations
        assert objects is not None, "checked by missing_requirement"
        if not objects.mask.any():
            return Score(math.nan, f"{case.name} is not in the picture")
        return function(case, objects, **settings)

    return score


# -- the peak ---------------------------------------------------------------------------------


@metric(
    "pointing",
    label="Pointing game",
    citation=f"{_ZHANG}, on the pointing game",
    summary="Whether the map's highest point is on an object of the class.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth", "picture"),
)
@_of_objects
def pointing(case: Case, objects: ObjectLocations, *, tolerance: float | None = None) -> float:
    """Whether the map's peak lies on an object of the class (pointing game).

    1 if the peak is at most ``tolerance`` away from an object, else 0. The paper's accuracy is the mean over pictures,
    or over classes first. Of several peaks, the first in reading order counts.

    Args:
        case: the map.
        objects: locations of the class's objects.
        tolerance: distance in pixels of the model's input, ≥ 0. If None, 3 % of the longer side: the paper's 15 pixels
            on photographs of about 500. On a small input, 15 pixels would be most of the picture.
    """
    return float(_is_hit(case, objects, tolerance))


@metric(
    "pointing-recall",
    label="Pointing game with abstention",
    citation=f"{_SELVARAJU}, on the pointing game: recall",
    summary="Whether the map's peak is on its class, or the map is empty where the class is absent.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth", "picture"),
    takes_empty=True,
)
def pointing_recall(
    case: Case, *, threshold: float = 0.0, tolerance: float | None = None
) -> float | Score:
    """The pointing game with abstention.

    For a class in the picture: 1 if the map does not abstain and its peak lies on an object, else 0. For an absent
    class: 1 if the map abstains, else 0. A map abstains if its raw maximum is not above ``threshold``. The paper
    evaluates the maps of the top five predictions, present or not, and does not state its threshold. Raw values are
    compared, because the maximum of the saliency is always 1; their scale is that of the method, the layer and the
    model. With a threshold of 0, a map without positive evidence abstains.

    Args:
        case: the map. A map from elsewhere has no raw values, and abstains if it is all zeros.
        threshold: threshold of the raw maximum, ≥ 0.
        tolerance: as in ``pointing``.
    """
    threshold = check_number("threshold", threshold, 0)
    objects = case.locations
    assert objects is not None, "checked by missing_requirement"
    peak = float(case.saliency.max()) if case.peak is None else case.peak
    abstains = case.is_empty or peak <= threshold
    if not objects.mask.any():
        return float(abstains)
    return 0.0 if abstains else float(_is_hit(case, objects, tolerance))


def _is_hit(case: Case, objects: ObjectLocations, tolerance: float | None) -> bool:
    reach = None if tolerance is None else check_number("tolerance", tolerance, 0)
    peak = divmod(int(case.saliency.argmax()), case.saliency.shape[1])
    return points_at(peak, objects.mask, reach)


# -- full map ---------------------------------------------------------------------------------


@metric(
    "energy",
    label="Energy-based pointing game",
    citation="Wang et al. 2020, Score-CAM, arXiv:1910.01279 (energy-based pointing game)",
    summary="The share of the saliency on objects of the class.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth",),
)
@_of_objects
def energy(case: Case, objects: ObjectLocations) -> float:
    """The share of the saliency inside the objects of the class (energy-based pointing game).

    ``Σ_inside L / Σ L``; the paper uses boxes, here the objects' masks count.
    """
    return share_inside(case.saliency.cpu().numpy(), objects.mask)


@metric(
    "inside-outside",
    label="Inside to outside",
    citation=f"{_SELVARAJU}, on dense captions: the ratio of mean activation inside and outside the box",
    summary="The mean saliency on the object divided by that outside it.",
    group="truth",
    range=(0, 1000),
    better="higher",
    needs=("truth",),
)
@_of_objects
def inside_outside(case: Case, objects: ObjectLocations) -> float | Score:
    """The ratio of the mean saliency inside and outside the objects.

    1 for a map that ignores the object. The mean outside counts as at least a thousandth of the map's maximum: without
    this bound, one picture with no saliency outside would dominate the mean. The model cards of the zoo use the same
    bound.
    """
    if objects.mask.all():
        return Score(math.nan, f"{case.name} fills the picture: there is no outside")
    return inside_to_outside(case.saliency, objects.mask)


def inside_to_outside(saliency: torch.Tensor, mask: NDArray[np.bool_]) -> float:
    """The mean of a saliency map (H, W) inside a mask over the mean outside, which counts as at least 0.001."""
    place = torch.from_numpy(mask).to(saliency.device)
    inside, outside = (float(as_float64(saliency[m]).mean()) for m in (place, ~place))
    return inside / max(outside, 1e-3)


@metric(
    "iou",
    label="Mask overlap",
    citation=f"the threshold as in {_SELVARAJU}, section 4.1; intersection over union with the object's mask",
    summary="How well the region above a share of the map's maximum overlaps the object.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth", "picture"),
)
@_of_objects
def iou(case: Case, objects: ObjectLocations, *, threshold: float = 0.15) -> float:
    """The intersection over union of the thresholded map with the objects.

    ``|M ∩ T| / |M ∪ T|``, with M the pixels whose saliency is at least ``threshold`` of the maximum, and T the objects.

    Args:
        case: the map.
        objects: locations of the class's objects.
        threshold: share of the maximum, in (0, 1]. The default is that of ``localization``; the best threshold depends
            on method and layer, so compare methods at several.
    """
    share = _share(threshold)
    high = case.saliency >= share * case.saliency.max()
    return overlap(high.cpu().numpy(), objects.mask)


# -- the box ----------------------------------------------------------------------------------


@metric(
    "localization",
    label="Localization",
    citation=f"{_SELVARAJU}, section 4.1; intersection over union of boxes",
    summary="How well the box around the map's largest part fits the box of an object.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth", "picture"),
)
@_of_objects
def localization(case: Case, objects: ObjectLocations, *, threshold: float = 0.15) -> float:
    """The intersection over union of the map's box (see ``localize``) with the best fitting object's box.

    Args:
        case: the map.
        objects: locations of the class's objects.
        threshold: share of the maximum, in (0, 1]: 15 % as for Grad-CAM; CAM uses 20 %.
    """
    found = localize(case.saliency, _share(threshold))
    return 0.0 if found is None else best_overlap(found.box, objects.boxes)


def _error(case: Case, objects: ObjectLocations, top: int, threshold: float) -> float | Score:
    label = case.subject.label
    if case.target != label:
        assert label is not None, "checked by missing_requirement"
        name = case.subject.model.classes[label]
        return Score(math.nan, f"the map is of {case.name}, the picture of {name}")
    if case.subject.model.scores == "value":
        return Score(math.nan, "quantities are not ranked")
    probabilities = case.subject.probabilities
    is_named = label in probabilities.topk(min(top, len(probabilities))).indices.tolist()
    found = localize(case.saliency, _share(threshold))
    is_found = found is not None and best_overlap(found.box, objects.boxes) >= 0.5
    return float(not (is_named and is_found))


@metric(
    "top1-localization",
    label="Top-1 localization error",
    citation=f"{_RUSSAKOVSKY}; {_SELVARAJU}, section 4.1",
    summary="Whether the model misses the picture's class, or the map's box misses its object.",
    group="truth",
    range=(0, 1),
    better="lower",
    needs=("truth", "label", "picture"),
)
@_of_objects
def top1_localization(
    case: Case, objects: ObjectLocations, *, threshold: float = 0.15
) -> float | Score:
    """The top-1 localization error.

    0 if the label is the top prediction and the map's box has an intersection over union of at least 0.5 with an
    object's box, else 1. The mean over pictures is the error rate.

    Args:
        case: the map of the picture's class.
        objects: locations of the class's objects.
        threshold: as in ``localize``.
    """
    return _error(case, objects, 1, threshold)


@metric(
    "top5-localization",
    label="Top-5 localization error",
    citation=f"{_RUSSAKOVSKY}; {_SELVARAJU}, section 4.1",
    summary="Whether the picture's class is not among the top five, or the map's box misses its object.",
    group="truth",
    range=(0, 1),
    better="lower",
    needs=("truth", "label", "picture"),
)
@_of_objects
def top5_localization(
    case: Case, objects: ObjectLocations, *, threshold: float = 0.15
) -> float | Score:
    """The top-5 localization error: as ``top1-localization``, with the label among the top five predictions."""
    return _error(case, objects, 5, threshold)


def _share(threshold: float) -> float:
    """Check a threshold as a share of a map's maximum; 0 would select the full picture.

    Raises:
        MetricError: if it is out of its range.
    """
    return check_number("threshold", threshold, 1e-6, 1)
