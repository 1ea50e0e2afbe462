"""Ground truth that a picture carries: the masks of its objects and the evidence for each class."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from .._validation import check_filled
from ..errors import PictureError

if TYPE_CHECKING:
    # Imported for types only: the zoo draws its pictures without PyTorch.
    from .preprocess import Preprocess

__all__ = [
    "GroundTruth",
    "ObjectLocations",
    "find_objects",
    "fit_mask",
    "object_locations",
    "objects_of",
    "outline",
    "share_inside",
    "tight_box",
    "whereabouts",
]

Mask = NDArray[np.bool_]


@runtime_checkable
class GroundTruth(Protocol):
    """What a picture may carry along; the samples of the zoo do."""

    @property
    def image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3)."""

    @property
    def masks(self) -> Mask:
        """Where each object is, (n, H, W)."""

    def evidence(self, target: str, text: str | None = None) -> Mask | None:
        """Where the evidence for a class lies, (H, W); all false where it is not in the picture, None if unknown.

        Args:
            target: the class's name.
            text: the question or caption under which the model gives it; None for a model that takes none.
        """


@dataclass(frozen=True, eq=False)
class ObjectLocations:
    """Where the objects of one class are, at the model's size.

    Attributes:
        mask: bool (H, W), of all of them.
        boxes: int64 (n, 4), of each: left, top, right, bottom, the last two exclusive.
    """

    mask: Mask
    boxes: NDArray[np.int64]


def whereabouts(masks: Mask, preprocess: Preprocess) -> ObjectLocations:
    """Masks (n, H, W) of a picture's objects, fitted to the model's size; what is cropped away has no box."""
    # Without any object, an empty mask has the size that masks would have.
    drawn = masks if len(masks) else np.zeros((1, *masks.shape[1:]), bool)
    return object_locations(np.stack([fit_mask(mask, preprocess) for mask in drawn]))


def object_locations(masks: Mask) -> ObjectLocations:
    """Masks (n, H, W) of objects, at the model's size already."""
    boxes = [box for box in map(tight_box, masks) if box is not None]
    return ObjectLocations(np.asarray(masks.any(0)), np.array(boxes, dtype=np.int64).reshape(-1, 4))


def find_objects(
    truth: GroundTruth, target: str, text: str | None, preprocess: Preprocess
) -> ObjectLocations | None:
    """Where the objects of a class are at the model's size, by what a picture carries along; None if it cannot say.

    Args:
        truth: the picture's.
        target: the class's name.
        text: as in ``GroundTruth.evidence``.
        preprocess: of the model.
    """
    found = objects_of(truth, target, text)
    return None if found is None else whereabouts(found, preprocess)


def objects_of(truth: GroundTruth, target: str, text: str | None) -> Mask | None:
    """The objects of a class, bool (n, H, W), at the picture's own size; None if the truth cannot say."""
    evidence = truth.evidence(target, text)
    if evidence is None:
        return None
    parts = [mask & evidence for mask in truth.masks]
    # Evidence may lie where there is no object, such as on an empty ground.
    rest = evidence & ~np.logical_or.reduce(parts) if parts else evidence
    found = [part for part in (*parts, rest) if part.any()]
    return np.array(found, dtype=bool).reshape(-1, *evidence.shape)


def share_inside(saliency: np.ndarray, mask: Mask) -> float:
    """How much of the saliency lies inside a mask: the mass inside over all of it, in [0, 1].

    Args:
        saliency: (H, W), ≥ 0, such as ``explanation.saliency``.
        mask: bool (H, W).

    Returns:
        NaN for a map of all zeros, which lies nowhere.

    Raises:
        PictureError: if their sizes differ; ``fit_mask`` brings a mask to the model's size.
    """
    check_filled(saliency, "the saliency")
    check_filled(mask, "the mask", "False")
    if saliency.shape != mask.shape:
        raise PictureError(
            f"The saliency is {saliency.shape}, the mask {mask.shape}: bring it to the model's size with fit_mask."
        )
    total = float(saliency.sum(dtype=np.float64))
    inside = float(saliency[mask].sum(dtype=np.float64))
    # Summed in another order, all of it may be a little more than all of it.
    return min(1.0, inside / total) if total > 0 else math.nan


def fit_mask(mask: Mask, preprocess: Preprocess) -> Mask:
    """A mask (H, W) of a picture as bool (h, w) of the model's pixels of it: resized and cropped as the picture is."""
    check_filled(mask, "the mask", "False")
    painted = np.asarray(mask, dtype=np.uint8) * 255
    if preprocess.channels not in (1, 3):
        painted = np.repeat(painted[..., None], preprocess.channels, axis=-1)
    return preprocess.pixels(painted).mean(0).numpy() >= 0.5


def outline(mask: Mask) -> str:
    """The edge of a mask (H, W) as closed paths along the pixels' sides, in SVG's notation; the unit is a pixel.

    Exact: filled by the even-odd rule it is the mask again, at any zoom. Empty for an empty mask.
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
    """Left, top, right and bottom of what is true in a mask (H, W), the last two exclusive; None of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
