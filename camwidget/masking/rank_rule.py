"""Rank rule: which pixels of a picture are the top fraction of a saliency map.

The browser has the same rule, so that it shows exactly the picture that the model gets: pixels are ranked by decreasing
saliency (ties in reading order), the ranks are spread over 65536 levels, and the top fraction q is where
``level < floor(q · 65536 + ½)``. In a picture of up to 65536 pixels, no two pixels have the same level.
"""

from __future__ import annotations

import math
from typing import Protocol, TypeAlias

import numpy as np
import torch

from .._validation import check_no_masked_values, is_number
from ..errors import CamwidgetError, PictureError

__all__ = [
    "LEVELS",
    "SaliencyLike",
    "hidden_by_rank",
    "levels_of",
    "rank_levels",
    "saliency_of",
    "threshold",
    "top_mask",
]

LEVELS = 65536


class _HasSaliency(Protocol):
    @property
    def saliency(self) -> np.ndarray: ...


#: A saliency map (H, W) in [0, 1], of a clip (T, H, W), or an object with such a map as its attribute ``saliency``.
SaliencyLike: TypeAlias = "np.ndarray | torch.Tensor | _HasSaliency"


def saliency_of(saliency: SaliencyLike) -> torch.Tensor:
    """Return a saliency map as a float32 tensor, on its device.

    Args:
        saliency: array or tensor (H, W), or an explanation; of a clip (T, H, W).

    Returns:
        float32 of the same shape.

    Raises:
        PictureError: if the argument is neither an array nor an explanation.
    """
    values = getattr(saliency, "saliency", saliency)
    if isinstance(values, torch.Tensor):
        return values.detach().float()
    check_no_masked_values(values, "the map")
    try:
        return torch.from_numpy(np.array(values, dtype=np.float32))
    except (TypeError, ValueError) as error:
        raise PictureError(
            f"A map was expected, (H, W) or an explanation from camwidget.explain, not {type(saliency).__name__}."
        ) from error


def levels_of(saliency: torch.Tensor) -> torch.Tensor:
    """Rank the pixels of several maps.

    Args:
        saliency: finite maps (N, H, W).

    Returns:
        The level of every pixel, int32 (N, H, W) in [0, 65535], on the same device; 0 has the most evidence.
    """
    flat = saliency.flatten(1)
    order = flat.argsort(dim=1, descending=True, stable=True)
    count = flat.shape[1]
    level = (torch.arange(count, device=flat.device) * LEVELS // count).to(torch.int32)
    levels = torch.empty_like(order, dtype=torch.int32)
    return levels.scatter_(1, order, level.expand_as(order)).reshape(saliency.shape)


def rank_levels(saliency: SaliencyLike) -> np.ndarray:
    """Rank the pixels of one map; those of a clip's map over all frames together.

    Args:
        saliency: map (H, W), or an explanation; of a clip (T, H, W).

    Returns:
        The level of every pixel, uint16 of the map's shape; 0 has the most evidence.

    Raises:
        PictureError: if the map has another shape, or is not finite.
    """
    values = saliency_of(saliency)
    if values.ndim not in (2, 3):
        raise PictureError(
            f"Saliency has shape (H, W), or (T, H, W) of a clip, not {tuple(values.shape)}."
        )
    if not torch.isfinite(values).all():
        raise PictureError("Saliency contains NaN or infinity.")
    return levels_of(values[None])[0].cpu().numpy().astype(np.uint16)


def threshold(fraction: float) -> int:
    """Return the level below which pixels belong to the top fraction.

    Args:
        fraction: fraction of the pixels, in [0, 1].

    Returns:
        An integer from 0 to 65536.

    Raises:
        CamwidgetError: if the fraction is not a number in [0, 1].
    """
    if not is_number(fraction, 0, 1):
        raise CamwidgetError(f"A fraction is a number between 0 and 1, not {fraction!r}.")
    return math.floor(fraction * LEVELS + 0.5)


def hidden_by_rank(
    levels: torch.Tensor, cut: int | torch.Tensor, *, keep: bool = False
) -> torch.Tensor:
    """Which pixels are hidden, bool of the shape of ``levels``.

    Args:
        levels: the level of every pixel.
        cut: from ``threshold``: pixels below it are the top fraction; a tensor has several, to be broadcast.
        keep: whether the top fraction stays, and all else is hidden.
    """
    top = levels < cut
    return ~top if keep else top


def top_mask(saliency: SaliencyLike, fraction: float) -> np.ndarray:
    """Return the mask of the pixels with the most evidence.

    Args:
        saliency: map (H, W), or an explanation; of a clip (T, H, W).
        fraction: fraction of the pixels, in [0, 1].

    Returns:
        bool of the map's shape, True for the top fraction.

    Raises:
        PictureError: if the map has another shape, or is not finite.
        CamwidgetError: if the fraction is not a number in [0, 1].
    """
    return rank_levels(saliency) < threshold(fraction)
