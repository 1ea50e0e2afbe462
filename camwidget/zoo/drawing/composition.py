"""Composition of pictures: objects drawn onto a background, and camera effects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from .lighting import Light
from .noise import Field, smooth_noise, step
from .shapes import Silhouette

Colors = NDArray[np.float32]
"""Float32 colors (H, W, 3), roughly in [0, 1]."""

Surface = Callable[[Field, Field], Colors]
"""What covers an object: from picture coordinates to colors."""


def coordinates(size: int) -> tuple[Field, Field]:
    """Picture coordinates in [0, 1] of every pixel's center, x and y."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    x, y = np.meshgrid(axis, axis)
    return x, y


def draw_object(
    rng: np.random.Generator,
    colors: Colors,
    mask: NDArray[np.bool_],
    x: Field,
    y: Field,
    shape: Silhouette,
    surface: Surface,
    light: Light,
) -> None:
    """Draw one object and its shadow onto a picture, and mark its pixels in ``mask``, in place."""
    size = len(x)
    reach = 0.08
    left, top, right, bottom = shape.box()
    rows = slice(max(0, int((top - reach) * size)), max(0, int((bottom + reach) * size) + 1))
    columns = slice(max(0, int((left - reach) * size)), max(0, int((right + reach) * size) + 1))
    wx, wy, window = x[rows, columns], y[rows, columns], colors[rows, columns]
    lx, ly = light.direction

    inside = shape.inside(wx, wy)
    blur = float(rng.uniform(0.02, 0.05))
    shadow = step(shape.inside(wx + 0.02 * lx, wy + 0.02 * ly), -blur, blur)
    window *= 1.0 - 0.5 * shadow[..., None]

    # The object is a low cushion: its texture shrinks towards the rim, which turns from the eye.
    dx, dy = (wx - shape.x) / shape.radius, (wy - shape.y) / shape.radius
    bulge = 1.0 + 0.1 * np.clip(dx * dx + dy * dy, 0.0, 2.0)
    cover = surface(shape.x + dx * bulge * shape.radius, shape.y + dy * bulge * shape.radius)
    rim = 1.0 - step(inside, 0.0, 0.3 * shape.radius)
    toward = dx * lx + dy * ly
    cover *= (1.0 + 0.1 * toward - rim * (0.22 - 0.3 * toward))[..., None]

    alpha = step(inside, -0.8 / size, 0.8 / size)[..., None]
    window += (np.clip(cover, 0.0, 1.0) - window) * alpha
    mask[rows, columns] = inside > 0.0


def resolve_overlaps(masks: NDArray[np.bool_]) -> None:
    """Assign each pixel of several masks to the object drawn last, in place; overlaps are at most a few pixels."""
    for n in range(len(masks) - 1):
        masks[n] &= ~masks[n + 1 :].any(axis=0)


def apply_camera(
    rng: np.random.Generator, colors: Colors, x: Field, y: Field, light: Light
) -> NDArray[np.uint8]:
    """Apply vignetting, exposure, contrast and noise to a picture (H, W, 3) or to frames (T, H, W, 3); uint8.

    Frames differ in their noise only.
    """
    lx, ly = light.direction
    fall = 1.0 + 0.16 * ((x - 0.5) * lx + (y - 0.5) * ly)
    fall += 0.04 * smooth_noise(rng, x.shape, 2.0)
    exposed = colors * (fall * rng.uniform(0.88, 1.1))[..., None]
    exposed = 0.5 + (exposed - 0.5) * rng.uniform(0.88, 1.08)
    grain = rng.standard_normal(colors.shape[:-1], np.float32) * rng.uniform(0.003, 0.016)
    return np.clip((exposed + grain[..., None]) * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
