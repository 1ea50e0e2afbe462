"""A picture, its baselines and its parts as bytes for the browser."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..attribution.part_values import PartValues
from ..errors import PictureError
from ..images.conversion import shades
from ..masking.baselines import BASELINES, baseline_pixels, uniform_baseline
from ..masking.parts import Parts

__all__ = ["fill_of", "part_values_payload", "parts_payload", "scene_of"]

#: Most parts that the browser's labels can number.
_MOST_PARTS = 2**16


def scene_of(id: str, pixels: torch.Tensor, frames: int | None = None) -> dict[str, Any]:
    """The front end's ``scene``: pixels (C, H, W), of ``frames`` frames, with the replacements of masked pixels."""
    shown = shades(pixels)
    return {
        "id": id,
        "width": shown.shape[1],
        "height": shown.shape[0],
        "frames": frames or 1,
        "picture": shown.tobytes(),
        "fills": {name: fill_of(pixels, name, frames) for name in BASELINES},
    }


def fill_of(pixels: torch.Tensor, baseline: str, frames: int | None = None) -> bytes:
    """The replacement of masked pixels: RGB bytes of the full picture, or of one pixel for a constant color."""
    one = uniform_baseline(pixels, baseline)
    if one is not None:
        return shades(one).tobytes()
    fill = shades(baseline_pixels(pixels, baseline, frames))
    flat = bool((fill == fill[:1, :1]).all())
    return fill[0, 0].tobytes() if flat else fill.tobytes()


def parts_payload(parts: Parts) -> dict[str, Any]:
    """The parts of a picture: their number, and uint16 labels in reading order.

    Raises:
        PictureError: if there are more parts than uint16 can number.
    """
    if parts.count > _MOST_PARTS:
        raise PictureError(
            f"The picture has {parts.count} parts, and at most {_MOST_PARTS} can be shown: divide it into fewer."
        )
    height, width = parts.labels.shape
    labels = parts.labels.astype("<u2").tobytes()
    return {"width": width, "height": height, "count": parts.count, "labels": labels}


def part_values_payload(found: PartValues | None) -> dict[str, Any]:
    """The values of a map's parts and their standard errors, without one that is not known yet; empty without parts."""
    if found is None:
        return {}
    errors = [error if math.isfinite(error) else None for error in found.errors.tolist()]
    return {"values": found.values.tolist(), "errors": errors}
