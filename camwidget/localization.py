"""Where a map is: the box around its strongest part, and its peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .explanation import Explanation

__all__ = ["Localization", "localize"]


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
