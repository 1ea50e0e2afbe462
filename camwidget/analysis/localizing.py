"""Localization by maps: the bounding box of a map's strongest region, and seeds for segmentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..attribution.explanation import Explanation
from ..errors import CamwidgetError, PictureError
from ..images.boxes import overlaps
from ..images.ground_truth import tight_box
from ..masking.rank_rule import SaliencyLike, saliency_of

__all__ = [
    "BACKGROUND",
    "THRESHOLD",
    "UNKNOWN",
    "Localization",
    "best_overlap",
    "check_share",
    "localize",
    "overlap",
    "points_at",
    "segmentation_seeds",
]

#: Values of ``segmentation_seeds`` besides class indices.
UNKNOWN, BACKGROUND = -1, -2

#: The share of a map's maximum from which on a pixel counts for its box (Selvaraju et al. 2017).
THRESHOLD = 0.15

_NUMBERS = (int, float, np.number)

#: Tolerance of the pointing game: 15 of the 500 pixels of a photograph of PASCAL VOC.
_TOLERANCE = 15 / 500

#: 8-connectivity: the thin strokes of gradient maps often touch at corners only.
_NEIGHBORS = np.ones((3, 3), dtype=bool)


@dataclass(frozen=True, eq=False)
class Localization:
    """The region in which a map locates its class.

    Attributes:
        box: (left, top, right, bottom) in pixels, the last two exclusive.
        mask: bool (H, W), the connected region inside the box.
        peak: (row, column) of the map's maximum, the first one in reading order.

    Example:
        >>> import numpy as np
        >>> import camwidget as cw
        >>> saliency = np.zeros((4, 6), np.float32)
        >>> saliency[1:3, 2:5] = 1
        >>> cw.localize(saliency)
        Localization(box=(2, 1, 5, 3), peak=(1, 2))
    """

    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_] = field(repr=False)
    peak: tuple[int, int]


def localize(saliency: SaliencyLike, threshold: float = THRESHOLD) -> Localization | None:
    """Find the bounding box of the largest connected region above a share of a map's maximum.

    Weakly supervised localization as in Selvaraju et al. 2017 (Grad-CAM, arXiv:1610.02391, section 4.1) at 15 % of the
    maximum; Zhou et al. 2016 (CAM, arXiv:1512.04150, section 3.2) use 20 %. Pixels are 8-connected. Of regions of equal
    size, the first in reading order counts.

    Args:
        saliency: an explanation, or a saliency map (H, W), ≥ 0.
        threshold: the share of the maximum from which on a pixel counts, in (0, 1].

    Returns:
        Box, region and peak; None for a map of all zeros, which locates nothing.

    Raises:
        PictureError: if the saliency has not the shape (H, W), or a value is negative or not finite.
        CamwidgetError: if ``threshold`` is out of its range.

    Example:
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> explanation = cw.explain(model, cw.zoo.samples("zoo/textures")[0].image)
        >>> found = cw.localize(explanation, threshold=0.2)
        >>> left, top, right, bottom = found.box
        >>> 0 <= left < right <= 192 and bool(found.mask[found.peak])
        True
    """
    values = _check_saliency(saliency)
    high = _above(values, check_share("threshold", threshold))
    if not high.any():
        return None
    from scipy import ndimage  # not at the top: a map is shown before its parts are found

    parts, _ = ndimage.label(high, structure=_NEIGHBORS)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    mask = parts == sizes.argmax()
    box = tight_box(mask)
    assert box is not None
    peak = np.unravel_index(int(values.argmax()), values.shape)
    return Localization(box=box, mask=mask, peak=(int(peak[0]), int(peak[1])))


def best_overlap(box: Sequence[int], boxes: NDArray[np.int64]) -> float:
    """The highest intersection over union of a box with any of several boxes.

    Args:
        box: (left, top, right, bottom) in pixels, the last two exclusive.
        boxes: int64 (n, 4), in the same order.

    Returns:
        The IoU in [0, 1]; 0 if there are no boxes.
    """
    if not len(boxes):
        return 0.0
    # float64: in float32 areas above 2²⁴ pixels are rounded.
    own, others = torch.tensor([list(box)]).double(), torch.from_numpy(boxes).double()
    return float(overlaps(own, others).max())


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """The intersection over union of two masks (H, W), in [0, 1]; 0 if both are empty."""
    union = int((first | second).sum())
    return int((first & second).sum()) / union if union else 0.0


def points_at(
    peak: tuple[int, int], mask: NDArray[np.bool_], tolerance: float | None = None
) -> bool:
    """Whether a peak lies within a tolerance of a mask (the pointing game, Zhang et al. 2016, arXiv:1608.00507).

    Args:
        peak: (row, column).
        mask: bool (H, W), not empty.
        tolerance: distance in pixels. If None, 3 % of the longer side: the paper's 15 pixels on a photograph of 500.

    Returns:
        Whether the distance of the peak to the mask's nearest pixel is at most ``tolerance``.
    """
    reach = _TOLERANCE * max(mask.shape) if tolerance is None else tolerance
    rows, columns = np.nonzero(mask)
    return bool(((rows - peak[0]) ** 2 + (columns - peak[1]) ** 2).min() <= reach**2)


def segmentation_seeds(
    explanations: Sequence[Explanation], *, threshold: float = 0.2, background: float = 0.05
) -> NDArray[np.int64]:
    """Segmentation seeds for weak supervision, from the maps of several classes of one picture.

    The seeds of Kolesnikov and Lampert 2016 (SEC, arXiv:1603.06098), which Selvaraju et al. 2017 (Grad-CAM,
    arXiv:1610.02391) compute from Grad-CAM maps. A pixel is a seed of a class where its saliency is at least
    ``threshold`` of the map's maximum. Where several classes claim a pixel, the class with the fewest pixels gets it.
    SEC takes the background from a saliency of its own; here a pixel is background where every map is below
    ``background``.

    Args:
        explanations: of one picture, one for each class.
        threshold: share of a map's maximum from which on it claims a pixel, in (0, 1].
        background: share of a map's maximum below which a pixel may be background, in [0, threshold]; 0 for no
            background.

    Returns:
        int64 (H, W): the class index; ``BACKGROUND`` (-2) for background; ``UNKNOWN`` (-1) for all other pixels.

    Raises:
        CamwidgetError: if there is no explanation, if one has no class, if two have the same class or different
            pictures, or if a threshold is out of its range.

    Example:
        >>> import numpy as np
        >>> import camwidget as cw
        >>> model = cw.load(device="cpu")
        >>> sample = cw.zoo.samples("zoo/textures")[0]
        >>> explanations = cw.explain(model, sample.image, target=["polka-dotted", "waffled"])
        >>> seeds = cw.segmentation_seeds(explanations)
        >>> seeds.shape, np.unique(seeds).tolist()
        ((192, 192), [-2, -1, 6, 8])
    """
    if isinstance(explanations, Explanation) or not isinstance(explanations, Iterable):
        explanations = [explanations]
    explanations = list(explanations)
    if not explanations:
        raise CamwidgetError("segmentation_seeds needs at least one explanation.")
    for each in explanations:
        if not isinstance(each, Explanation):
            raise CamwidgetError(
                f"segmentation_seeds takes explanations, one for each class, not {type(each).__name__}."
            )
    threshold = check_share("threshold", threshold)
    if not (isinstance(background, _NUMBERS) and 0 <= background <= threshold):
        raise CamwidgetError(
            f"background is a number between 0 and the threshold {threshold}, not {background!r}."
        )
    first = explanations[0]
    if any(not np.array_equal(e.pixels, first.pixels) for e in explanations):
        raise CamwidgetError(
            "The explanations are of different pictures: select those of one with "
            "explanations.select(picture=…)."
        )
    indices = [e.target.index for e in explanations]
    if len(set(indices)) < len(indices):
        raise CamwidgetError(
            "Two maps are of the same class: keep one for each class, with explanations.select(method=…, layer=…) "
            "or average()."
        )
    claims: list[tuple[int, NDArray[np.bool_]]] = []
    seeds = np.full(first.saliency.shape, UNKNOWN, dtype=np.int64)
    empty = np.ones(seeds.shape, dtype=bool)
    for explanation, index in zip(explanations, indices, strict=True):
        if index is None:
            raise CamwidgetError(
                f"Segmentation seeds need maps of classes; {explanation.target.label!r} is not a "
                "class."
            )
        values = _check_saliency(explanation)
        claims.append((index, _above(values, threshold)))
        empty &= values < background * (values.max() or 1)
    seeds[empty] = BACKGROUND
    # The smallest region is written last, over the others.
    for index, claimed in sorted(claims, key=lambda claim: -int(claim[1].sum())):
        seeds[claimed] = index
    return seeds


def _above(values: NDArray[np.float32], share: float) -> NDArray[np.bool_]:
    """The pixels that reach a share of the maximum; none for a map of all zeros."""
    top = values.max()
    return np.asarray((values >= share * top) & (top > 0))


def _check_saliency(saliency: SaliencyLike) -> NDArray[np.float32]:
    values: NDArray[np.float32] = saliency_of(saliency).cpu().numpy()
    if values.ndim != 2 or not values.size:
        raise PictureError(f"Saliency has shape (H, W), not {values.shape}.")
    if not np.isfinite(values).all() or values.min() < 0:
        raise PictureError(
            "The saliency has values that are negative or not finite: use explanation.saliency, not raw."
        )
    return values


def check_share(name: str, value: Any) -> float:
    """Return a share of a map's maximum.

    Args:
        name: what is checked, for the message.
        value: the share, in (0, 1].

    Raises:
        CamwidgetError: if it is not in (0, 1].
    """
    if not (isinstance(value, _NUMBERS) and 0 < value <= 1):  # also refuses NaN
        raise CamwidgetError(f"{name} is a number above 0 and at most 1, not {value!r}.")
    return float(value)
