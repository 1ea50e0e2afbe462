"""Localization metrics: whether a map lies on the ground-truth object."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..analysis.correlation import wide
from ..analysis.localizing import best_overlap, localize, overlap, points_at
from ..images.ground_truth import ObjectLocations, share_inside
from .cases import Case
from .registry import Score, metric
from .settings import real

__all__: list[str] = []

_SELVARAJU = "Selvaraju et al. 2017, Grad-CAM, arXiv:1610.02391"
_ZHANG = "Zhang et al. 2016, Excitation Backprop, arXiv:1608.00507"
_RUSSAKOVSKY = "Russakovsky et al. 2015, ILSVRC, arXiv:1409.0575 (single-object localisation)"


def _of_objects(function: Callable[..., float | Score]) -> Callable[..., float | Score]:
    """A metric of (case, where the objects are, …) as one of a case; of a class that is not there it has no score."""

    @wraps(function)
    def score(case: Case, **settings: Any) -> float | Score:
        where = case.whereabouts
        assert where is not None, "checked before"
        if not where.mask.any():
            return Score(math.nan, f"{case.name} is not in the picture")
        return function(case, where, **settings)

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
    needs=("truth",),
)
@_of_objects
def pointing(case: Case, where: ObjectLocations, *, tolerance: float | None = None) -> float:
    """1 if the map's peak is at most ``tolerance`` away from an object of the class, else 0.

    The mean over pictures, or over classes and then of these, is the paper's accuracy. Of several peaks the first in
    reading order counts.

    Args:
        case: the map.
        where: the objects.
        tolerance: in pixels of the model's. The paper takes 15, of photographs about 500 pixels long; of a small input
            that would be most of the picture. The same share, 3 % of the longer side, if None.
    """
    return float(_is_hit(case, where, tolerance))


@metric(
    "pointing-recall",
    label="Pointing game with abstention",
    citation=f"{_SELVARAJU}, on the pointing game: recall",
    summary="Whether the map points at its class, or says that there is none where there is none.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth",),
    takes_empty=True,
)
def pointing_recall(
    case: Case, *, threshold: float = 0.0, tolerance: float | None = None
) -> float | Score:
    """Of a class that is in the picture as ``pointing``, if the map does not abstain; of one that is not, 1 if it does.

    A map abstains where its greatest raw value is not above the threshold. The paper asks this of the maps of the top
    five predictions, present or not, and does not say which threshold it took. Raw values are compared, since saliency
    always has 1 as its maximum; they are of the method's, the layer's and the model's own scale, and so is the
    threshold. At 0 a map abstains if it has no positive evidence.

    Args:
        case: the map. One from elsewhere has no raw values, and abstains if it is empty.
        threshold: in raw values, at least 0.
        tolerance: as in ``pointing``.
    """
    threshold = real("threshold", threshold, 0)
    where = case.whereabouts
    assert where is not None, "checked before"
    peak = float(case.saliency.max()) if case.peak is None else case.peak
    abstains = case.is_empty or peak <= threshold
    if not where.mask.any():
        return float(abstains)
    return 0.0 if abstains else float(_is_hit(case, where, tolerance))


def _is_hit(case: Case, where: ObjectLocations, tolerance: float | None) -> bool:
    reach = None if tolerance is None else real("tolerance", tolerance, 0)
    peak = divmod(int(case.saliency.argmax()), case.saliency.shape[1])
    return points_at(peak, where.mask, reach)


# -- the whole map ----------------------------------------------------------------------------


@metric(
    "energy",
    label="Energy-based pointing game",
    citation="Wang et al. 2020, Score-CAM, arXiv:1910.01279 (energy-based pointing game)",
    summary="How much of the saliency lies on objects of the class.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth",),
)
@_of_objects
def energy(case: Case, where: ObjectLocations) -> float:
    """``Σ_inside L / Σ L``: the share of the saliency inside; the paper takes boxes, here the masks count."""
    return share_inside(case.saliency.cpu().numpy(), where.mask)


@metric(
    "inside-outside",
    label="Inside to outside",
    citation=f"{_SELVARAJU}, on dense captions: the ratio of mean activation inside and outside the box",
    summary="How many times as much saliency a pixel has on the object as beside it.",
    group="truth",
    range=(0, 1000),
    better="higher",
    needs=("truth",),
)
@_of_objects
def inside_outside(case: Case, where: ObjectLocations) -> float | Score:
    """The mean saliency inside over the mean outside: 1 for a map that does not heed the object.

    Nothing at all outside would be infinitely good, and one such picture would be the mean of all: outside counts as
    no less than a thousandth of the map's maximum, as in the cards of the zoo.
    """
    if where.mask.all():
        return Score(math.nan, f"{case.name} fills the picture: there is no outside")
    return inside_to_outside(case.saliency, where.mask)


def inside_to_outside(saliency: torch.Tensor, mask: NDArray[np.bool_]) -> float:
    """The mean saliency (H, W) inside a mask over that outside, which counts as a thousandth at least."""
    place = torch.from_numpy(mask).to(saliency.device)
    inside, outside = (float(wide(saliency[m]).mean()) for m in (place, ~place))
    return inside / max(outside, 1e-3)


@metric(
    "iou",
    label="Mask overlap",
    citation=f"the threshold as in {_SELVARAJU}, section 4.1; intersection over union with the object's mask",
    summary="How well the object is covered by where the map is above a share of its maximum.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth",),
)
@_of_objects
def iou(case: Case, where: ObjectLocations, *, threshold: float = 0.15) -> float:
    """``|M ∩ T| / |M ∪ T|``, M being where the saliency is at least ``threshold`` of its maximum, T the object.

    Args:
        case: the map.
        where: the objects.
        threshold: a share of the maximum in (0, 1]. 15 %, as ``localization`` takes; other thresholds may fit a method
            or a layer better, so that methods are best compared at several.
    """
    share = _share(threshold)
    high = case.saliency >= share * case.saliency.max()
    return overlap(high.cpu().numpy(), where.mask)


# -- the box ----------------------------------------------------------------------------------


@metric(
    "localization",
    label="Localisation",
    citation=f"{_SELVARAJU}, section 4.1; intersection over union of boxes",
    summary="How well the box around the map's largest part fits the box of an object.",
    group="truth",
    range=(0, 1),
    better="higher",
    needs=("truth",),
)
@_of_objects
def localization(case: Case, where: ObjectLocations, *, threshold: float = 0.15) -> float:
    """The intersection over union of the map's box (``localize``) with that of the object it fits best.

    Args:
        case: the map.
        where: the objects.
        threshold: as in ``localize``: 15 % of the maximum, as for Grad-CAM; 20 % for CAM.
    """
    found = localize(case.saliency, _share(threshold))
    return 0.0 if found is None else best_overlap(found.box, where.boxes)


def _error(case: Case, where: ObjectLocations, top: int, threshold: float) -> float | Score:
    label = case.subject.label
    if case.target != label:
        assert label is not None, "checked before"
        name = case.subject.model.classes[label]
        return Score(math.nan, f"the map is of {case.name}, the picture of {name}")
    if case.subject.model.scores == "value":
        return Score(math.nan, "quantities are not ranked")
    whole = case.subject.whole
    is_named = label in whole.topk(min(top, len(whole))).indices.tolist()
    found = localize(case.saliency, _share(threshold))
    is_found = found is not None and best_overlap(found.box, where.boxes) >= 0.5
    return float(not (is_named and is_found))


@metric(
    "top1-localization",
    label="Top-1 localisation error",
    citation=f"{_RUSSAKOVSKY}; {_SELVARAJU}, section 4.1",
    summary="Whether the model misses the picture's class, or the map's box misses its object.",
    group="truth",
    range=(0, 1),
    better="lower",
    needs=("truth", "label"),
)
@_of_objects
def top1_localization(
    case: Case, where: ObjectLocations, *, threshold: float = 0.15
) -> float | Score:
    """0 if the label is the top prediction and the box of its map overlaps an object's by at least half, else 1.

    The mean over pictures is the top-1 localisation error. Overlap is intersection over union.

    Args:
        case: the map, of the picture's class.
        where: the objects.
        threshold: as in ``localize``.
    """
    return _error(case, where, 1, threshold)


@metric(
    "top5-localization",
    label="Top-5 localisation error",
    citation=f"{_RUSSAKOVSKY}; {_SELVARAJU}, section 4.1",
    summary="Whether the picture's class is not among the top five, or the map's box misses its object.",
    group="truth",
    range=(0, 1),
    better="lower",
    needs=("truth", "label"),
)
@_of_objects
def top5_localization(
    case: Case, where: ObjectLocations, *, threshold: float = 0.15
) -> float | Score:
    """As ``top1-localization``, with the label among the top five predictions."""
    return _error(case, where, 5, threshold)


def _share(threshold: float) -> float:
    """A threshold as a share of a map's maximum; at 0 it would be the whole picture.

    Raises:
        MetricError: if it is none.
    """
    return real("threshold", threshold, 1e-6, 1)
