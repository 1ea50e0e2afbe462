"""A picture and its baselines as bytes for the browser."""

from __future__ import annotations

from typing import Any

import torch

from ..images.conversion import shades
from ..masking.baselines import BASELINES, baseline_pixels, uniform_baseline

__all__ = ["fill_of", "scene_of"]


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
