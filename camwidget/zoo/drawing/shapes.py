"""Silhouettes: closed outlines given by a radius for every angle."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .noise import Field, mix

Reach = NDArray[np.float64]
"""Relative radius at 512 even angles."""

_TURN = np.linspace(0.0, 2.0 * np.pi, 512, endpoint=False)


class Outline:
    """The form of a silhouette, without place or size: a relative radius at 512 even angles."""

    def __init__(self, reach: Reach) -> None:
        reach = reach / np.sqrt(np.mean(reach**2))
        slope = (np.roll(reach, -1) - np.roll(reach, 1)) * (256.0 / np.pi / 2.0)
        self.reach = reach.astype(np.float32)
        # Where the outline runs slantwise, the way along the ray is longer than the distance.
        self.slant = (1.0 / np.hypot(1.0, slope / reach)).astype(np.float32)
        across, down = reach * np.cos(_TURN), reach * np.sin(_TURN)
        self.extent = (
            float(across.min()),
            float(down.min()),
            float(across.max()),
            float(down.max()),
        )


@dataclass(frozen=True)
class Silhouette:
    """An outline round a centre; lengths are in whatever unit the centre is in.

    Attributes:
        x, y: the centre.
        radius: radius of the disc of the same area.
        outline: the form.
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
        here = first.astype(np.int32) & 511
        reach, slant = self.outline.reach, self.outline.slant
        edge = mix(reach[here], reach[(here + 1) & 511], t) * np.float32(self.radius)
        return np.asarray((edge - np.hypot(dx, dy)) * slant[here], np.float32)

    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the outline."""
        left, top, right, bottom = self.outline.extent
        return (
            self.x + self.radius * left,
            self.y + self.radius * top,
            self.x + self.radius * right,
            self.y + self.radius * bottom,
        )


def _smooth(outline: Reach, width: int) -> Reach:
    """Round the corners: a circular running mean, twice."""
    for _ in range(2):
        padded = np.concatenate([outline[-width:], outline, outline[:width]])
        kernel = np.full(2 * width + 1, 1.0 / (2 * width + 1))
        outline = np.convolve(padded, kernel, "valid")
    return outline


def _disc(rng: np.random.Generator) -> Reach:
    return disc()


def _blob(rng: np.random.Generator) -> Reach:
    outline = np.ones_like(_TURN)
    for waves, most in ((2, 0.16), (3, 0.13), (4, 0.07), (5, 0.04)):
        outline += rng.uniform(0.2, 1.0) * most * np.cos(waves * _TURN + rng.uniform(0.0, 6.28))
    return outline


def disc() -> Reach:
    """A disc."""
    return np.ones_like(_TURN)


def polygon(sides: int, rounding: int = 17) -> Reach:
    """A regular polygon with rounded corners."""
    sector = 2.0 * np.pi / sides
    within = np.mod(_TURN, sector) - sector / 2.0
    return _smooth(np.cos(sector / 2.0) / np.cos(within), rounding)


def star(points: int, deep: float, rounding: int = 9) -> Reach:
    """A star whose notches reach in to `deep` of its tips."""
    corner = np.abs(np.mod(_TURN * points / (2.0 * np.pi), 1.0) * 2.0 - 1.0)
    # Straight edges between the tips and the notches, in polar form.
    edge = deep / (deep + (1.0 - deep) * (1.0 - corner))
    return _smooth(edge, rounding)


def _polygon(rng: np.random.Generator) -> Reach:
    return polygon(int(rng.integers(3, 7)))


def _star(rng: np.random.Generator) -> Reach:
    return star(int(rng.integers(5, 8)), rng.uniform(0.5, 0.62))


def _flower(rng: np.random.Generator) -> Reach:
    petals = int(rng.integers(5, 9))
    return 1.0 + rng.uniform(0.07, 0.13) * np.cos(petals * _TURN)


def _egg(rng: np.random.Generator) -> Reach:
    long = rng.uniform(1.15, 1.4)
    ellipse = 1.0 / np.sqrt((np.cos(_TURN) / long) ** 2 + np.sin(_TURN) ** 2)
    return np.asarray(ellipse * (1.0 + rng.uniform(0.0, 0.14) * np.cos(_TURN)))


def _squircle(rng: np.random.Generator) -> Reach:
    power = rng.uniform(3.0, 5.0)
    long = rng.uniform(1.0, 1.35)
    c, s = np.abs(np.cos(_TURN)) / long, np.abs(np.sin(_TURN))
    return (c**power + s**power) ** (-1.0 / power)


_KINDS: tuple[tuple[Callable[[np.random.Generator], Reach], float], ...] = (
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
    return turned(rng, _KINDS[kind][0](rng))


def turned(rng: np.random.Generator, form: Reach) -> Outline:
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
                candidate = _somewhere(rng, form, radius * shrink, margin)
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


def _somewhere(rng: np.random.Generator, form: Outline, radius: float, margin: float) -> Silhouette:
    """The form at a random place within the unit square."""
    left, top, right, bottom = (radius * extent for extent in form.extent)
    x = _between(rng, margin - left, 1.0 - margin - right)
    y = _between(rng, margin - top, 1.0 - margin - bottom)
    return Silhouette(x, y, radius, form)


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(rng.uniform(low, high)) if low < high else 0.5 * (low + high)
