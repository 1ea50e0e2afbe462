"""Boxes: their corners in other notations, and how much they overlap.

They are torchvision's functions of the same purpose, written out because importing torchvision takes seconds.
"""

from __future__ import annotations

import torch

__all__ = ["NOTATIONS", "corners", "overlaps"]

#: Notations of boxes: corners, a corner with width and height, the middle with width and height.
NOTATIONS = ("xyxy", "xywh", "cxcywh")


def corners(boxes: torch.Tensor, notation: str) -> torch.Tensor:
    """Return boxes as left, top, right, bottom.

    Args:
        boxes: (…, 4).
        notation: one of ``NOTATIONS``.
    """
    if notation == "xyxy":
        return boxes
    place, size = boxes[..., :2], boxes[..., 2:]
    start = place - 0.5 * size if notation == "cxcywh" else place
    return torch.cat([start, start + size], -1)


def overlaps(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Return the intersection over union of each pair of two lists of boxes.

    Args:
        first: left, top, right, bottom (n, 4).
        second: the same (m, 4).

    Returns:
        Shape (n, m), at least in float32: areas are too large for half precision.
    """
    first, second = (b if b.dtype == torch.float64 else b.float() for b in (first, second))
    starts = torch.maximum(first[:, None, :2], second[:, :2])
    stops = torch.minimum(first[:, None, 2:], second[:, 2:])
    common = (stops - starts).clamp(min=0).prod(-1)
    areas = [(b[:, 2:] - b[:, :2]).prod(-1) for b in (first, second)]
    return common / (areas[0][:, None] + areas[1] - common)
