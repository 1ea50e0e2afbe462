"""Lighting: conversion of a relief (tones and heights) to colors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Field
from .palette import Ramp, lookup


@dataclass(frozen=True)
class Light:
    """Direction and strength of the light.

    Attributes:
        azimuth: direction in radians, clockwise from the right.
        raking: strength of the relief's shading, in [0, 1].
    """

    azimuth: float
    raking: float

    @property
    def direction(self) -> tuple[float, float]:
        """The unit vector (x to the right, y down) towards the light."""
        return float(np.cos(self.azimuth)), float(np.sin(self.azimuth))


@dataclass(frozen=True)
class Relief:
    """A pattern before lighting; arrays have the shape (H, W).

    Attributes:
        tone: position on the color ramp, 0 (dark) to 1 (light).
        height: elevation, in periods of the pattern.
        gloss: strength of the specular highlight, in [0, 1].
        glint: added white, in [0, 1], for patterns with highlights of their own.
    """

    tone: Field
    height: Field
    gloss: float = 0.1
    glint: Field | None = None


def random_light(rng: np.random.Generator) -> Light:
    """A random light from above, most often from the upper left, as is usual for perceiving relief."""
    return Light(float(rng.normal(-2.2, 0.45)), float(rng.uniform(0.7, 1.0)))


def shade(relief: Relief, ramp: Ramp, light: Light, pixel: float) -> NDArray[np.float32]:
    """Shade a relief.

    Args:
        relief: tones and heights.
        ramp: color ramp.
        light: direction of the light.
        pixel: side of a pixel, in periods of the pattern.

    Returns:
        float32 (H, W, 3), roughly in [0, 1].
    """
    lx, ly = light.direction
    down, right = np.gradient(relief.height)
    slope = np.float32(light.raking / pixel)
    # The surface normal is (-right, -down, 1); the light stands 45 degrees high.
    nx, ny = right * -slope, down * -slope
    length = np.sqrt(nx * nx + ny * ny + 1.0)
    facing = (nx * lx + ny * ly + 1.0) / (length * np.float32(1.41421))
    light_amount = 0.42 + 0.82 * np.clip(facing, 0.0, 1.0)
    color = lookup(ramp, relief.tone) * light_amount[..., None]
    # Halfway between the light and the eye, for the highlight.
    shine = np.clip((nx * lx + ny * ly) * 0.3827 + 0.9239, 0.0, None) / length
    white = relief.gloss * shine**24
    if relief.glint is not None:
        white = white + relief.glint
    white = np.clip(white, 0.0, 1.0)[..., None]
    return np.asarray(color + (1.0 - color) * white, np.float32)
