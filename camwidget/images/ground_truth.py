"""Ground truth of a picture: the masks of its objects, and the evidence for each class."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._validation import check_no_masked_values
from ..errors import PictureError

if TYPE_CHECKING:
    # Imported for types only: the zoo draws its pictures without PyTorch.
    from .preprocess import Preprocess

__all__ = [
    "GroundTruth",
    "ObjectLocations",
    "find_objects",
    "fit_mask",
    "locate_objects",
    "object_locations",
    "objects_of",
    "outline",
    "share_inside",
    "tight_box",
]

Mask = NDArray[np.bool_]


@runtime_checkable
class GroundTruth(Protocol):
    """Protocol of pictures with ground truth, such as the samples of the zoo."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3), or the clip, (T, H, W, 3)."""

    @property
    def masks(self) -> Mask:
        """Masks of the objects, (n, H, W), or (n, T, H, W) of a clip."""

    def evidence(self, target: str, text: str | None = None) -> Mask | None:
        """Return where the evidence for a class lies, (H, W); all False if it is not in the picture, None if unknown.

        Args:
            target: class name.
            text: question or caption under which the model predicts the class; None for a model without text.
        """


@dataclass(frozen=True, eq=False)
class ObjectLocations:
    """Locations of the objects of one class, at the model's size.

    Attributes:
        mask: union of the objects, bool (H, W).
        boxes: boxes of the objects, int64 (n, 4): left, top, right, bottom, the last two exclusive.
    """

    mask: Mask
    boxes: NDArray[np.int64]


def locate_objects(masks: Mask, preprocess: Preprocess) -> ObjectLocations:
    """Fit masks (n, H, W) of a picture's objects to the model's size, and return their locations.

    Objects that are cropped away have no box.
    """
    # Without objects, an empty mask defines the size.
    drawn = masks if len(masks) else np.zeros((1, *masks.shape[1:]), bool)
    return object_locations(np.stack([fit_mask(mask, preprocess) for mask in drawn]))


def object_locations(masks: Mask) -> ObjectLocations:
    """Return the locations of objects from masks (n, H, W) at the model's size."""
    boxes = [box for box in map(tight_box, masks) if box is not None]
    return ObjectLocations(np.asarray(masks.any(0)), np.array(boxes, dtype=np.int64).reshape(-1, 4))


def find_objects(
    truth: GroundTruth, target: str, text: str | None, preprocess: Preprocess
) -> ObjectLocations | None:
    """Return the locations of a class's objects at the model's size, from a picture's ground truth; None if unknown.

    Args:
        truth: ground truth of the picture.
        target: class name.
        text: as in ``GroundTruth.evidence``.
        preprocess: preprocessing of the model.
    """
    found = objects_of(truth, target, text)
    return None if found is None else locate_objects(found, preprocess)


def objects_of(truth: GroundTruth, target: str, text: str | None) -> Mask | None:
    """Return the masks of a class's objects, bool (n, H, W), at the picture's size; None if unknown."""
    evidence = truth.evidence(target, text)
    if evidence is None:
        return None
    parts = [mask & evidence for mask in truth.masks]
    # Evidence may lie outside the objects, such as on an empty background.
    rest = evidence & ~np.logical_or.reduce(parts) if parts else evidence
    found = [part for part in (*parts, rest) if part.any()]
    return np.array(found, dtype=bool).reshape(-1, *evidence.shape)


def share_inside(saliency: np.ndarray, mask: Mask) -> float:
    """Return the fraction of the saliency inside a mask, in [0, 1].

    Args:
        saliency: map (H, W), ≥ 0, such as ``explanation.saliency``.
        mask: bool (H, W).

    Returns:
        The fraction; NaN for a map of all zeros.

    Raises:
        PictureError: if the sizes differ; ``fit_mask`` brings a mask to the model's size.
    """
    check_no_masked_values(saliency, "the saliency")
    check_no_masked_values(mask, "the mask", "False")
    if saliency.shape != mask.shape:
        raise PictureError(
            f"The saliency is {saliency.shape}, the mask {mask.shape}: bring it to the model's size with fit_mask."
        )
    total = float(saliency.sum(dtype=np.float64))
    inside = float(saliency[mask].sum(dtype=np.float64))
    # Sums in another order may exceed the total by rounding.
    return min(1.0, inside / total) if total > 0 else math.nan


def fit_mask(mask: Mask, preprocess: Preprocess) -> Mask:
    """Resize and crop a mask (H, W) of a picture as the model's preprocessing does with the picture; bool (h, w)."""
    check_no_masked_values(mask, "the mask", "False")
    painted = np.asarray(mask, dtype=np.uint8) * 255
    if preprocess.channels not in (1, 3):
        painted = np.repeat(painted[..., None], preprocess.channels, axis=-1)
    return preprocess.pixels(painted).mean(0).numpy() >= 0.5


def outline(mask: Mask) -> str:
    """Return the edge of a mask (H, W) as closed paths along pixel sides in SVG notation; the unit is a pixel.

    The paths are exact: filled by the even-odd rule they give the mask at any zoom. Empty for an empty mask.
    """
    # Each side between a pixel inside and one outside, as a step with the inside on its right.
    inside = np.pad(np.asarray(mask, dtype=np.int8), 1)
    down = np.diff(inside, axis=0)[:, 1:-1]
    across = np.diff(inside, axis=1)[1:-1]
    steps: dict[tuple[int, int], deque[tuple[int, int]]] = {}

    for sides, start, end in (
        (down == 1, (0, 0), (1, 0)),  # the upper side, to the right
        (down == -1, (1, 0), (0, 0)),  # the lower side, to the left
        (across == 1, (0, 1), (0, 0)),  # the left side, up
        (across == -1, (0, 0), (0, 1)),  # the right side, down
    ):
        for y, x in np.argwhere(sides).tolist():
            ends = steps.setdefault((x + start[0], y + start[1]), deque())
            ends.append((x + end[0], y + end[1]))
    paths = []
    while steps:
        first = here = next(iter(steps))
        corners: list[tuple[int, int]] = []
        before: tuple[int, int] | None = None
        while True:
            after = steps[here].popleft()
            if not steps[here]:
                del steps[here]
            direction = (after[0] - here[0], after[1] - here[1])
            if direction != before:
                corners.append(here)
            before, here = direction, after
            if here == first:
                break
        paths.append("M" + "L".join(f"{x} {y}" for x, y in corners) + "Z")
    return "".join(paths)


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return the bounding box of a mask (H, W): left, top, right, bottom (exclusive); None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
