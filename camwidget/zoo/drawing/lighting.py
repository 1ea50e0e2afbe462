"""From a relief to a picture: colours from tones, light from heights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Field
from .palette import Ramp, lookup


@dataclass(frozen=True)
class Light:
    """Where the light stands: `azimuth` in radians clockwise from the right, seen on the picture.

    `raking` in [0, 1] says how strongly the relief shows.
    """

    azimuth: float
    raking: float

    @property
    def direction(self) -> tuple[float, float]:
        """Unit vector on the picture (x to the right, y down) that points to the light."""
        return float(np.cos(self.azimuth)), float(np.sin(self.azimuth))


@dataclass(frozen=True)
class Relief:
    """What a pattern is before it is lit; every array has the pixels' shape (H, W).

    Attributes:
        tone: place on the colour ramp, 0 dark to 1 light.
        height: elevation, in the pattern's periods.
        gloss: strength of the mirror-like highlight, 0 to 1.
        glint: extra white laid on top, 0 to 1 (bubbles bring their own highlights).
    """

    tone: Field
    height: Field
    gloss: float = 0.1
    glint: Field | None = None


def sun(rng: np.random.Generator) -> Light:
    """A light from above, most often from the upper left: what the eye expects of a relief."""
    return Light(float(rng.normal(-2.2, 0.45)), float(rng.uniform(0.7, 1.0)))


def shade(relief: Relief, ramp: Ramp, light: Light, pixel: float) -> NDArray[np.float32]:
    """Light a relief: float32 colours (H, W, 3), roughly in [0, 1].

    `pixel` is the side of a pixel in the pattern's periods.
    """
    lx, ly = light.direction
    down, right = np.gradient(relief.height)
    slope = np.float32(light.raking / pixel)
    # The surface normal is (-right, -down, 1); the light stands 45 degrees high.
    nx, ny = right * -slope, down * -slope
    length = np.sqrt(nx * nx + ny * ny + 1.0)
    facing = (nx * lx + ny * ly + 1.0) / (length * np.float32(1.41421))
    light_amount = 0.42 + 0.82 * np.clip(facing, 0.0, 1.0)
    colour = lookup(ramp, relief.tone) * light_amount[..., None]
    # Halfway between the light and the eye, for the highlight.
    shine = np.clip((nx * lx + ny * ly) * 0.3827 + 0.9239, 0.0, None) / length
    white = relief.gloss * shine**24
    if relief.glint is not None:
        white = white + relief.glint
    white = np.clip(white, 0.0, 1.0)[..., None]
    return np.asarray(colour + (1.0 - colour) * white, np.float32)
