"""Pixels of a masked picture: hidden by rank or by paint, or multiplied by a map.

Which pixels a fraction covers is decided in ``rank_rule``, what replaces them in ``baselines``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..errors import CamwidgetError, PictureError
from ..images.film_strip import as_strip
from .baselines import fill_pixels
from .rank_rule import SaliencyLike, hidden_by_rank, saliency_of, threshold
from .user_mask import HIDDEN, KEPT, as_paint

__all__ = [
    "MODES",
    "check_map_size",
    "hidden_pixels",
    "mask_pixels",
    "multiply_pixels",
    "paint_pixels",
]

#: Whether the pixels with the highest saliency are replaced, or all others.
MODES = ("remove", "keep")


def hidden_pixels(
    levels: np.ndarray,
    fractions: Sequence[float],
    mode: str = "remove",
    paint: np.ndarray | None = None,
    frames: int | None = None,
) -> torch.Tensor:
    """Select the masked pixels, by rank and by the user's paint.

    Args:
        levels: uint16 (H, W) from ``rank_levels``.
        fractions: each in [0, 1].
        mode: "remove" or "keep".
        paint: pixels that are masked or kept regardless of their rank, as in ``user_mask.as_paint``.
        frames: number of frames, if the levels are a clip's strip.

    Returns:
        bool (len(fractions), H, W).

    Raises:
        CamwidgetError: if there is no such mode.
    """
    if mode not in MODES:
        raise CamwidgetError(f"There is no mode {mode!r}: use {' or '.join(map(repr, MODES))}.")
    cuts = torch.tensor([threshold(f) for f in fractions])[:, None, None]
    hidden = hidden_by_rank(torch.from_numpy(levels.astype(np.int32)), cuts, keep=mode == "keep")
    parsed = as_paint(paint, levels.shape, frames)
    if parsed is None:
        return hidden
    return (hidden | torch.from_numpy(parsed == HIDDEN)) & torch.from_numpy(parsed != KEPT)


def mask_pixels(
    pixels: torch.Tensor,
    levels: np.ndarray,
    fractions: Sequence[float],
    *,
    mode: str = "remove",
    baseline: str = "blur",
    paint: np.ndarray | None = None,
    fill: torch.Tensor | None = None,
    frames: int | None = None,
) -> torch.Tensor:
    """Mask the top fractions of a picture, or all other pixels.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        levels: uint16 (H, W) from ``rank_levels``.
        fractions: each in [0, 1].
        mode: "remove" or "keep".
        baseline: replacement of masked pixels, as in ``fill_pixels``.
        paint: pixels that are masked or kept regardless of their rank: bool (H, W), or int (H, W) with 1, -1 and 0; see
            ``user_mask.as_paint``.
        fill: result of ``baseline_pixels`` for this baseline, (C, H, W), if already computed.
        frames: as in ``baseline_pixels``.

    Returns:
        float32 (len(fractions), C, H, W).

    Raises:
        PictureError: if the levels have another size than the pixels.
    """
    hidden = hidden_pixels(check_map_size(levels, pixels, frames), fractions, mode, paint, frames)
    replacement = fill_pixels(pixels, hidden, baseline, frames) if fill is None else fill
    return torch.where(hidden[:, None], replacement, pixels)


def check_map_size(levels: np.ndarray, pixels: torch.Tensor, frames: int | None) -> np.ndarray:
    """Return levels as they are; raise a ``PictureError`` if they have another size than the pixels.

    Those of a clip of ``frames`` frames, (T, H, W), are returned as the strip that its pixels are.
    """
    height, width = pixels.shape[-2:]
    found = levels
    if levels.ndim == 3 and len(levels) == frames:
        found = levels.reshape(-1, levels.shape[-1])
    if found.shape != (height, width):
        size = (height, width) if frames is None else (frames, height // frames, width)
        raise PictureError(
            f"The saliency is {levels.shape}, the model's input {size}: explain this picture with this model first."
        )
    return found


def paint_pixels(
    masked: torch.Tensor,
    pixels: torch.Tensor,
    paint: np.ndarray | None,
    baseline: str = "blur",
    frames: int | None = None,
) -> torch.Tensor:
    """Apply the user's paint to a masked picture: mask the hidden pixels and restore the kept ones.

    Args:
        masked: float32 (C, H, W) in [0, 1], such as the picture multiplied by its map.
        pixels: the original picture, float32 (C, H, W), from which replacements are computed.
        paint: as in ``mask_pixels``.
        baseline: replacement of masked pixels, as in ``fill_pixels``.
        frames: as in ``baseline_pixels``.

    Returns:
        float32 (C, H, W).
    """
    parsed = as_paint(paint, (pixels.shape[-2], pixels.shape[-1]), frames)
    if parsed is None:
        return masked
    hidden = torch.from_numpy(parsed == HIDDEN)
    fill = fill_pixels(pixels, hidden[None], baseline, frames)[0]
    return torch.where(hidden, fill, torch.where(torch.from_numpy(parsed == KEPT), pixels, masked))


def multiply_pixels(pixels: torch.Tensor, saliency: SaliencyLike) -> torch.Tensor:
    """Multiply a picture by its saliency (Grad-CAM++, section 4.1: ``E = L ∘ I``).

    The product is not rounded: a map that is low nearly everywhere would become 0 there at 8 bits. The screen rounds
    what it shows.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        saliency: (H, W) in [0, 1].

    Returns:
        float32 (C, H, W) in [0, 1], not rounded.

    Raises:
        CamwidgetError: if the saliency is not in [0, 1].
    """
    values = saliency_of(saliency).to(pixels.device)
    values = values if values.ndim == 2 else as_strip(values)
    if not bool(((values >= 0) & (values <= 1)).all()):
        raise CamwidgetError(
            "A picture is multiplied by a map in [0, 1], such as explanation.saliency: divide yours by its maximum."
        )
    return pixels * values
