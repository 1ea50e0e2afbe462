"""Film strip: the layout of clips and their maps, frame below frame, in which they pass through code for pictures.

The frames of a clip lie one below the other, as on a film strip: pixels (C, T, H, W) become (C, T·H, W), and a map
(t, h, w) becomes (t·h, w). Neither changes the order of values in memory. Sums, means, maxima, ranks, gradients and
masks, pixel by pixel, are those of the whole clip then. What depends on neighbors does not take a strip for a
picture: enlarging a map (``enlarge``), and what is done frame by frame (``by_frame``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional as nnF

__all__ = [
    "as_clip",
    "as_strip",
    "by_frame",
    "enlarge",
    "enlarge_in_time",
    "frame_grid",
    "frame_numbers",
    "shown_frames",
]


def as_strip(values: torch.Tensor) -> torch.Tensor:
    """Return values (…, T, H, W) as a strip (…, T·H, W)."""
    return values.flatten(-3, -2)


def as_clip(strip: torch.Tensor, frames: int) -> torch.Tensor:
    """Return a strip (…, T·H, W) of T frames as (…, T, H, W)."""
    clip: torch.Tensor = strip.unflatten(-2, (frames, -1))
    return clip


def by_frame(
    function: Callable[[torch.Tensor], torch.Tensor], strip: torch.Tensor, frames: int | None
) -> torch.Tensor:
    """Apply a function of pictures (C, H, W) to each frame of a strip (C, T·H, W); to a picture itself without frames.

    Args:
        function: gives pixels of the same shape.
        strip: pixels of a picture, or of a strip of T frames.
        frames: T; None for a picture.

    Returns:
        Pixels of the same shape.
    """
    if frames is None:
        return function(strip)
    each = as_clip(strip, frames).unbind(-3)
    return as_strip(torch.stack([function(frame) for frame in each], -3))


def enlarge(
    maps: torch.Tensor, size: Sequence[int], frames: tuple[int, int] | None = None
) -> torch.Tensor:
    """Enlarge maps to the size of the picture by bilinear interpolation; those of a clip by trilinear interpolation.

    Args:
        maps: maps (N, h, w); of a clip, strips (N, t·h, w).
        size: height and width of the picture, or of the clip's strip.
        frames: number t of a map's frames and number T of the clip's; None for pictures.

    Returns:
        Maps (N, H, W); of a clip, strips (N, T·H, W).
    """
    if frames is None:
        return nnF.interpolate(
            maps[:, None], size=tuple(size), mode="bilinear", align_corners=False
        )[:, 0]
    few, many = frames
    volume = (many, size[0] // many, size[1])
    large = nnF.interpolate(
        as_clip(maps[:, None], few), size=volume, mode="trilinear", align_corners=False
    )
    return as_strip(large)[:, 0]


def enlarge_in_time(maps: torch.Tensor, frames: int) -> torch.Tensor:
    """Interpolate maps (t, h, w) linearly between their frames: (T, h, w), the first step of ``enlarge`` of a clip."""
    if len(maps) == frames:
        return maps
    size = (frames, *maps.shape[1:])
    return nnF.interpolate(maps[None, None], size=size, mode="trilinear", align_corners=False)[0, 0]


def frame_numbers(count: int, frames: int) -> list[int]:
    """Return which frames of a clip a model gets: those in the middle of as many equal parts of its time.

    Args:
        count: number of frames of the clip; fewer than the model takes are repeated.
        frames: number of frames that the model takes.

    Returns:
        The numbers of the frames, in order.
    """
    return [(2 * n + 1) * count // (2 * frames) for n in range(frames)]


def shown_frames(pixels: np.ndarray, frames: int | None) -> np.ndarray:
    """Return a strip (T·H, W, 3) with its frames in rows, as ``frame_grid``; a picture as it is."""
    return pixels if frames is None else frame_grid(pixels.reshape(frames, -1, *pixels.shape[1:]))


def frame_grid(frames: np.ndarray) -> np.ndarray:
    """Lay pictures (T, H, W, 3) out in rows of about as many as there are rows; white beside the last one."""
    columns = math.ceil(math.sqrt(len(frames)))
    rows = math.ceil(len(frames) / columns)
    blank = np.full((rows * columns - len(frames), *frames.shape[1:]), 255, frames.dtype)
    every = np.concatenate([frames, blank]).reshape(rows, columns, *frames.shape[1:])
    height, width = frames.shape[1:3]
    grid: np.ndarray = every.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return grid
