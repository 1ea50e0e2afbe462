"""Silhouettes: closed outlines given by a radius for every angle, and their placement."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Field, mix

RadialProfile = NDArray[np.float64]
"""Relative radius at 512 even angles."""

_ANGLES = np.linspace(0.0, 2.0 * np.pi, 512, endpoint=False)


class Outline:
    """The shape of a silhouette without position and size: relative radii at 512 equidistant angles."""

    def __init__(self, reach: RadialProfile) -> None:
        reach = reach / np.sqrt(np.mean(reach**2))
        slope = (np.roll(reach, -1) - np.roll(reach, 1)) * (256.0 / np.pi / 2.0)
        self.reach = reach.astype(np.float32)
        # Along an oblique outline, the distance along the ray exceeds the distance to the outline.
        self.slant = (1.0 / np.hypot(1.0, slope / reach)).astype(np.float32)
        across, down = reach * np.cos(_ANGLES), reach * np.sin(_ANGLES)
        self.extent = (
            float(across.min()),
            float(down.min()),
            float(across.max()),
            float(down.max()),
        )


@dataclass(frozen=True)
class Silhouette:
    """An outline with position and size, in any unit.

    Attributes:
        x: horizontal center.
        y: vertical center.
        radius: radius of the disc of equal area.
        outline: the shape.
    """

    x: float
    y: float
    radius: float
    outline: Outline

    def inside(self, x: Field, y: Field) -> Field:
        """Distance to the outline, positive within; near the outline, nearly exact."""
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        at = np.arctan2(dy, dx) * np.float32(256.0 / np.pi)
        first = np.floor(at)
        t = at - first
        index = first.astype(np.int32) & 511
        reach, slant = self.outline.reach, self.outline.slant
        edge = mix(reach[index], reach[(index + 1) & 511], t) * np.float32(self.radius)
        return np.asarray((edge - np.hypot(dx, dy)) * slant[index], np.float32)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the outline."""
        left, top, right, bottom = self.outline.extent
        return (
            self.x + self.radius * left,
            self.y + self.radius * top,
            self.x + self.radius * right,
            self.y + self.radius * bottom,
        )


def _smooth(outline: RadialProfile, width: int) -> RadialProfile:
    """Round the corners: a circular running mean, twice."""
    for _ in range(2):
        padded = np.concatenate([outline[-width:], outline, outline[:width]])
        kernel = np.full(2 * width + 1, 1.0 / (2 * width + 1))
        outline = np.convolve(padded, kernel, "valid")
    return outline


def _disc(rng: np.random.Generator) -> RadialProfile:
    return disc()


def _blob(rng: np.random.Generator) -> RadialProfile:
    outline = np.ones_like(_ANGLES)
    for waves, most in ((2, 0.16), (3, 0.13), (4, 0.07), (5, 0.04)):
        outline += rng.uniform(0.2, 1.0) * most * np.cos(waves * _ANGLES + rng.uniform(0.0, 6.28))
    return outline


def disc() -> RadialProfile:
    """A disc."""
    return np.ones_like(_ANGLES)


def polygon(sides: int, rounding: int = 17) -> RadialProfile:
    """A regular polygon with rounded corners."""
    sector = 2.0 * np.pi / sides
    within = np.mod(_ANGLES, sector) - sector / 2.0
    return _smooth(np.cos(sector / 2.0) / np.cos(within), rounding)


def star(points: int, deep: float, rounding: int = 9) -> RadialProfile:
    """A star whose notches reach in to `deep` of its tips."""
    corner = np.abs(np.mod(_ANGLES * points / (2.0 * np.pi), 1.0) * 2.0 - 1.0)
    # Straight edges between the tips and the notches, in polar form.
    edge = deep / (deep + (1.0 - deep) * (1.0 - corner))
    return _smooth(edge, rounding)


def _polygon(rng: np.random.Generator) -> RadialProfile:
    return polygon(int(rng.integers(3, 7)))


def _star(rng: np.random.Generator) -> RadialProfile:
    return star(int(rng.integers(5, 8)), rng.uniform(0.5, 0.62))


def _flower(rng: np.random.Generator) -> RadialProfile:
    petals = int(rng.integers(5, 9))
    return 1.0 + rng.uniform(0.07, 0.13) * np.cos(petals * _ANGLES)


def _egg(rng: np.random.Generator) -> RadialProfile:
    long = rng.uniform(1.15, 1.4)
    ellipse = 1.0 / np.sqrt((np.cos(_ANGLES) / long) ** 2 + np.sin(_ANGLES) ** 2)
    return np.asarray(ellipse * (1.0 + rng.uniform(0.0, 0.14) * np.cos(_ANGLES)))


def _squircle(rng: np.random.Generator) -> RadialProfile:
    power = rng.uniform(3.0, 5.0)
    long = rng.uniform(1.0, 1.35)
    c, s = np.abs(np.cos(_ANGLES)) / long, np.abs(np.sin(_ANGLES))
    return (c**power + s**power) ** (-1.0 / power)


_KINDS: tuple[tuple[Callable[[np.random.Generator], RadialProfile], float], ...] = (
    (_blob, 0.28),
    (_disc, 0.1),
    (_polygon, 0.18),
    (_star, 0.1),
    (_flower, 0.1),
    (_egg, 0.12),
    (_squircle, 0.12),
)


def outline(rng: np.random.Generator) -> Outline:
    """A random form, turned at random."""
    kind = rng.choice(len(_KINDS), p=[share for _, share in _KINDS])
    return rotated(rng, _KINDS[kind][0](rng))


def rotated(rng: np.random.Generator, form: RadialProfile) -> Outline:
    """A form, turned at random."""
    return Outline(np.roll(form, int(rng.integers(512))))


def arrange(
    rng: np.random.Generator,
    radii: list[float],
    outlines: list[Outline] | None = None,
    *,
    gap: float = 0.03,
    margin: float = 0.025,
) -> list[Silhouette]:
    """Place one outline for each radius in the unit square, none touching another.

    The outlines are random if left out. Where they find no room, all are tried again a little smaller.
    """
    axis = (np.arange(32, dtype=np.float32) + 0.5) / 32.0
    x, y = np.meshgrid(axis, axis)
    outlines = [outline(rng) for _ in radii] if outlines is None else outlines
    shrink = 1.0
    while True:
        taken = np.full_like(x, -1.0)
        placed: list[Silhouette] = []
        for form, radius in zip(outlines, radii, strict=True):
            for _ in range(12):
                candidate = _place_randomly(rng, form, radius * shrink, margin)
                inside = candidate.inside(x, y)
                if not np.any((inside > -gap) & (taken > 0.0)):
                    placed.append(candidate)
                    taken = np.maximum(taken, inside)
                    break
            else:
                break
        if len(placed) == len(radii):
            return placed
        shrink *= 0.97


def _place_randomly(
    rng: np.random.Generator, form: Outline, radius: float, margin: float
) -> Silhouette:
    """The form at a random place within the unit square."""
    left, top, right, bottom = (radius * extent for extent in form.extent)
    x = _between(rng, margin - left, 1.0 - margin - right)
    y = _between(rng, margin - top, 1.0 - margin - bottom)
    return Silhouette(x, y, radius, form)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high)) if low < high else 0.5 * (low + high)
