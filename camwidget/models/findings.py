"""``Findings``: where in a picture a model finds its classes, as boxes or as areas, for drawing and for following."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch

from .detections import Detection, FoundBoxes

if TYPE_CHECKING:
    from .vision_model import VisionModel

__all__ = [
    "LOST_BELOW",
    "Findings",
    "FindsInPicture",
    "FollowedBox",
    "areas_found",
    "boxes_followed",
    "is_asked_per_picture",
    "mean_inside",
]

#: Score × overlap below which a followed detection counts as lost: a score of a half, and an intersection over union of
#: a half. Of a detection whose own score is less than a half, half of that score.
LOST_BELOW = 0.25


@dataclass(frozen=True)
class FollowedBox:
    """The box of a picture that matches a chosen detection best.

    Attributes:
        box: left, top, right, bottom in pixels of the model's input.
        score: its score for the detection's class, in [0, 1].
        overlap: its intersection over union with the detection, in [0, 1].
        least: score × overlap below which the detection is lost.
    """

    box: tuple[float, float, float, float]
    score: float
    overlap: float
    least: float = LOST_BELOW

    @property
    def is_lost(self) -> bool:
        """Whether it matches the detection too little to be the same."""
        return self.score * self.overlap < self.least


@dataclass(frozen=True, eq=False)
class Findings:
    """Where in a picture a model finds its classes.

    Attributes:
        probabilities: of the classes, as ``VisionModel.probabilities`` has them, float64 (classes,).
        boxes: for each class, the box that matches it best, or None where the picture has none; empty for a model of
            areas.
        areas: index of the most probable class of every pixel, int64 (H, W); None for a model of boxes.
        shares: share of the asked region that is area of each class, (classes,); empty for a model of boxes.
        means: mean probability of each class over the asked region, (classes,); empty for a model of boxes.
        region: the asked region, bool (H, W); None for the whole picture, and for a model of boxes.
    """

    probabilities: np.ndarray
    boxes: tuple[FollowedBox | None, ...] = ()
    areas: np.ndarray | None = None
    shares: Sequence[float] = ()
    means: Sequence[float] = ()
    region: np.ndarray | None = None


def is_asked_per_picture(model: VisionModel) -> bool:
    """Return whether a model has a text, or detections, and thus classes, of its own for each picture."""
    has_own_text = model.prompt is not None and model.text is None
    return has_own_text or (isinstance(model, FindsInPicture) and not model.classes)


@runtime_checkable
class FindsInPicture(Protocol):
    """A model that says where in a picture its classes are."""

    def findings(self, pixels: torch.Tensor) -> Findings:
        """Return where the classes are in pixels (1, C, H, W) in [0, 1], by one forward pass without graph."""

    def exported_tensors(self, returned: Any, size: tuple[int, int]) -> dict[str, torch.Tensor]:
        """Return what a page that runs the model computes the findings of, by name.

        Args:
            returned: of ``VisionModel.run`` for one picture.
            size: rows and columns of its pixels.
        """

    def exported_logits(self, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the logits (1, classes) that belong to such tensors."""


def boxes_followed(
    found: FoundBoxes, detections: Sequence[Detection], probabilities: np.ndarray
) -> Findings:
    """Match the boxes of a picture with chosen detections.

    Args:
        found: the boxes.
        detections: those that are followed.
        probabilities: of the detections in the picture, (detections,).
    """
    boxes: list[FollowedBox | None] = []
    for detection in detections:
        products, overlaps = found.products(detection.box, detection.label)
        if not len(products) or float(products.max()) <= 0:
            boxes.append(None)
            continue
        best = int(products.argmax())
        left, top, right, bottom = (float(v) for v in found.boxes[best])
        overlap = float(overlaps[best])
        score = float(products[best]) / overlap
        least = min(LOST_BELOW, 0.5 * detection.score)
        boxes.append(FollowedBox((left, top, right, bottom), score, overlap, least))
    return Findings(probabilities, boxes=tuple(boxes))


def mean_inside(pixel_probabilities: torch.Tensor, region: np.ndarray | None) -> torch.Tensor:
    """Average probabilities of every pixel (classes, H, W) over a region, bool (H, W), or the whole picture."""
    if region is None:
        return pixel_probabilities.mean((1, 2))
    weights = torch.from_numpy(region).to(pixel_probabilities)
    return (pixel_probabilities * weights).sum((1, 2)) / weights.sum()


def areas_found(
    pixel_probabilities: torch.Tensor, region: np.ndarray | None, probabilities: np.ndarray
) -> Findings:
    """Find the areas of the classes.

    Args:
        pixel_probabilities: probabilities of every pixel at the size of the picture, (classes, H, W).
        region: the asked region, bool (H, W); None for the whole picture.
        probabilities: of the classes over the region, as the model has them.
    """
    areas: np.ndarray[Any, Any] = pixel_probabilities.argmax(0).cpu().numpy()
    inside = np.ones(areas.shape, bool) if region is None else region
    means = mean_inside(pixel_probabilities, region)
    counts = np.bincount(areas[inside], minlength=len(pixel_probabilities)) / inside.sum()
    return Findings(
        probabilities,
        areas=areas,
        shares=tuple(map(float, counts)),
        means=tuple(map(float, means)),
        region=region,
    )
