"""Random daisies: two rings of petals around a golden center."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lighting import Light
from .noise import Field, step

_PETALS = np.array(
    [[0.99, 0.98, 0.95], [1.0, 0.95, 0.86], [0.99, 0.84, 0.88], [0.93, 0.89, 1.0]], np.float32
)
"""Colors of the petals: white, cream, pink, lilac."""
_HEART = np.array([0.97, 0.75, 0.12], np.float32)


@dataclass(frozen=True)
class Daisy:
    """One flower; lengths are fractions of the picture's side.

    Attributes:
        x: horizontal position.
        y: vertical position.
        radius: radius of the flower.
        turn: direction of the first petal, in radians.
        lengths: length of each petal relative to the radius; one row each for the lower and the upper ring.
        color: color of the petals, RGB in [0, 1].
    """

    x: float
    y: float
    radius: float
    turn: float
    lengths: NDArray[np.float32]
    color: NDArray[np.float32]

    def draw(self, colors: NDArray[np.float32], x: Field, y: Field, light: Light) -> Field:
        """Draw the flower and its shadow onto a picture, float32 (H, W, 3), in place.

        Returns:
            The distance to its outline, as a fraction of the picture's side, positive inside, (H, W).
        """
        u, v = (x - self.x) / self.radius, (y - self.y) / self.radius
        lx, ly = light.direction
        rho = np.hypot(u, v)
        pixel = 1.0 / (len(x) * self.radius)
        angle = np.arctan2(v, u) - self.turn
        shadow = 1.0 - step(np.hypot(u + 0.12 * lx, v + 0.12 * ly), 0.7, 1.12)
        colors *= 1.0 - 0.4 * shadow[..., None]

        outline = np.full(x.shape, -np.inf, np.float32)
        for ring, shade in ((0, 0.8), (1, 1.0)):
            inside, ridge = self._petals(rho, angle, ring)
            lit = shade * (0.86 + 0.14 * ridge) * (1.0 + 0.07 * (u * lx + v * ly))
            # Petals are darker near the center.
            lit *= 0.8 + 0.2 * step(rho, 0.25, 0.5)
            _over(colors, lit[..., None] * self.color, step(inside, -0.8 * pixel, 0.8 * pixel))
            outline = np.maximum(outline, inside)
        heart = 0.3 - rho
        toward = (u * lx + v * ly) / 0.3
        dots = 0.06 * np.cos(44.0 * u) * np.cos(44.0 * v)
        lit = 0.95 + 0.2 * toward + dots - 0.25 * step(rho, 0.15, 0.3)
        _over(colors, lit[..., None] * _HEART, step(heart, -0.8 * pixel, 0.8 * pixel))
        return np.asarray(np.maximum(outline, heart) * self.radius, np.float32)

    def _petals(self, rho: Field, angle: Field, ring: int) -> tuple[Field, Field]:
        """The distance to the outline of one ring, and the proximity to the middle line of a petal."""
        count = self.lengths.shape[1]
        sector = 2.0 * np.pi / count
        at = angle / sector + 0.5 * ring
        number = np.round(at)
        away = (at - number) * sector
        along, across = rho * np.cos(away), rho * np.sin(away)
        tip = self.lengths[ring][number.astype(int) % count]
        half = 0.5 * (tip - 0.2)
        wide = np.float32(0.62 * np.tan(0.5 * sector))
        # A blunt tip: fourth power along the petal, second across it.
        form = (((along - 0.2) / half - 1.0) ** 4 + (across / wide) ** 2) ** 0.5
        return (1.0 - form) * wide * 0.7, np.clip(1.0 - np.abs(across) / wide, 0.0, 1.0)


def random_daisy(rng: np.random.Generator, x: float, y: float, radius: float) -> Daisy:
    """A random flower at a given position."""
    petals = int(rng.integers(9, 14))
    color = _PETALS[rng.choice(len(_PETALS), p=[0.5, 0.2, 0.15, 0.15])]
    lengths = rng.uniform(0.88, 1.0, (2, petals)).astype(np.float32)
    return Daisy(x, y, radius, float(rng.uniform(0.0, 6.28)), lengths, color)


def _over(
    colors: NDArray[np.float32], paint: NDArray[np.floating], alpha: NDArray[np.floating]
) -> None:
    """Blend a color over a picture with opacity ``alpha`` (H, W), in place."""
    colors += (np.clip(paint, 0.0, 1.0) - colors) * alpha[..., None]
