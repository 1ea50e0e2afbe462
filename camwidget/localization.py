"""Where a map is: the box around its strongest part, and its peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .explanation import Explanation

__all__ = ["Localization", "best_overlap", "localize"]


@dataclass(frozen=True, eq=False)
class Localization:
    """Where a map is.

    Attributes:
        box: left, top, right, bottom of the largest component, the last two exclusive.
        mask: bool (H, W), that component.
        peak: y and x of the largest value.
    """

    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]
    peak: tuple[int, int]


def localize(saliency: np.ndarray | Explanation, threshold: float = 0.15) -> Localization | None:
    """The tight box around the largest component at or above a part of the maximum; None for a map of all zeros."""
    values = saliency.saliency if isinstance(saliency, Explanation) else np.asarray(saliency)
    if not values.max() > 0:
        return None
    labels, _ = ndimage.label(values >= threshold * values.max())
    mask = labels == np.bincount(labels[labels > 0]).argmax()
    ys, xs = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    y, x = np.unravel_index(int(values.argmax()), values.shape)
    box = (int(xs[0]), int(ys[0]), int(xs[-1]) + 1, int(ys[-1]) + 1)
    return Localization(box, mask, (int(y), int(x)))


def best_overlap(box: Sequence[int], boxes: NDArray[np.int64]) -> float:
    """The intersection over union of a box with the one of several (n, 4) that fits best; 0 if there is none."""
    if not len(boxes):
        return 0.0
    one = np.array(box)
    low, high = np.maximum(one[:2], boxes[:, :2]), np.minimum(one[2:], boxes[:, 2:])
    both = np.clip(high - low, 0, None).prod(1)
    either = (one[2:] - one[:2]).prod() + (boxes[:, 2:] - boxes[:, :2]).prod(1) - both
    return float((both / either).max())
