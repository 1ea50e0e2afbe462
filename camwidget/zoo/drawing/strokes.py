"""Solid shapes with soft edges: ovals, and tapering strokes along a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Field

Points = NDArray[np.float32]
"""Points (n, 2), in the same unit as the coordinates."""
Discs = NDArray[np.float32]
"""Rows of (first coordinate, second, radius)."""


@dataclass(frozen=True)
class Solid:
    """A solid shape over some pixels; both arrays have the shape (H, W).

    Attributes:
        inside: distance to the outline, positive inside.
        rise: height, 0 at the outline and 1 on the ridge.
    """

    inside: Field
    rise: Field


@dataclass(frozen=True)
class Stroke:
    """A polyline with a thickness at each point.

    Attributes:
        points: the points, (n, 2), at least two.
        radii: half of the thickness at each point, (n,).
    """

    points: Points
    radii: NDArray[np.float32]

    def solid(self, a: Field, b: Field) -> Solid:
        """The form at the coordinates given."""
        inside = np.full(a.shape, -np.inf, np.float32)
        rise = np.zeros(a.shape, np.float32)
        pieces = zip(
            self.points[:-1], self.points[1:], self.radii[:-1], self.radii[1:], strict=True
        )
        for start, end, thick, thin in pieces:
            along = end - start
            da, db = a - start[0], b - start[1]
            t = np.clip((da * along[0] + db * along[1]) / (along @ along), 0.0, 1.0)
            away = np.hypot(da - t * along[0], db - t * along[1])
            radius = thick + t * (thin - thick)
            np.maximum(inside, radius - away, out=inside)
            np.maximum(rise, 1.0 - (away / radius) ** 2, out=rise)
        return Solid(inside, np.sqrt(rise))

    def discs(self) -> Discs:
        """Discs that cover it but for small notches."""
        every = np.column_stack([self.points, self.radii])
        between = 0.5 * (every[:-1] + every[1:])
        return np.concatenate([every, between])


@dataclass(frozen=True)
class Oval:
    """An egg shape along the first axis, symmetric about it.

    Attributes:
        at: center on the first axis.
        long: half of the length.
        wide: half of the width.
        taper: relative increase of the width at the front end.
    """

    at: float
    long: float
    wide: float
    taper: float = 0.0

    def solid(self, a: Field, b: Field) -> Solid:
        """The form at the coordinates given."""
        u = (a - np.float32(self.at)) / np.float32(self.long)
        wide = np.float32(self.wide) * (1.0 + np.float32(self.taper) * np.clip(u, -1.5, 1.5))
        v = b / wide
        rho = np.hypot(u, v)
        # To first order a distance is the value divided by the length of its gradient.
        slope = np.hypot(u / np.float32(self.long), v / wide) / np.maximum(rho, 1e-3)
        inside = (1.0 - rho) / np.maximum(slope, 1.0)
        return Solid(inside, np.sqrt(np.clip(1.0 - rho * rho, 0.0, 1.0)))

    def discs(self) -> Discs:
        """Discs that cover it, and little else."""
        u = np.linspace(-0.8, 0.8, 7)
        half = np.sqrt(1.0 - u * u) * self.wide * (1.0 + self.taper * u)
        a = self.at + self.long * u
        b = np.zeros_like(a)
        ends = np.minimum(half, self.long * (1.0 - np.abs(u)) + 0.08)
        middle = np.column_stack([a, b, ends])
        sides = [np.column_stack([a, side * half * 0.7, 0.33 * half]) for side in (-1, 1)]
        return np.concatenate([middle, *sides]).astype(np.float32)
