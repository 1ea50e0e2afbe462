"""Rendering of a beetle: its coloring and pattern, and its compositing onto a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .beetle_anatomy import Body
from .lighting import Light, Relief, shade
from .noise import Field, mix, step
from .palette import Ramp
from .strokes import Discs, Oval, Solid, Stroke

_PATTERNS = ("plain", "spotted", "striped", "banded")


@dataclass(frozen=True)
class BeetleColoring:
    """The coloring of one beetle.

    Attributes:
        ramp: colors from dark to light.
        wings: tone of the wing cases, in [0, 1].
        neck: tone of the shield in front of them.
        limbs: tone of the head and of all thin parts.
        pattern: "plain", "spotted", "striped" or "banded".
        contrast: difference of the pattern's tone from the wing cases.
        count: number of spots or bands along a wing case.
        gloss: strength of the highlights.
    """

    ramp: Ramp
    wings: float
    neck: float
    limbs: float
    pattern: str
    contrast: float
    count: float
    gloss: float


@dataclass(frozen=True)
class Pose:
    """Position, unit length (both as fractions of the picture's side) and rotation of a beetle."""

    x: float
    y: float
    unit: float
    turn: float

    def local(self, x: Field, y: Field) -> tuple[Field, Field]:
        """The beetle's coordinates of picture coordinates."""
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        dx, dy = (x - np.float32(self.x)) / self.unit, (y - np.float32(self.y)) / self.unit
        return dx * c + dy * s, dy * c - dx * s

    def picture(self, discs: Discs) -> Discs:
        """Discs in the beetle's coordinates, transformed to picture coordinates."""
        c, s = np.cos(self.turn), np.sin(self.turn)
        a, b, radius = discs.T
        return np.column_stack(
            [
                self.x + self.unit * (a * c - b * s),
                self.y + self.unit * (a * s + b * c),
                self.unit * radius,
            ]
        )


@dataclass(frozen=True)
class DrawnBeetle:
    """The visible pixels of a drawn beetle, bool (H, W): all of it, and its distinguishing part."""

    beetle: NDArray[np.bool_]
    part: NDArray[np.bool_]


def random_coloring(rng: np.random.Generator, ramp: Ramp, background: float) -> BeetleColoring:
    """A random coloring whose thin limbs contrast with a background of the given brightness in [0, 1]."""
    dark, light = rng.uniform(0.0, 0.14), rng.uniform(0.84, 1.0)
    wings = float(rng.uniform(0.32, 0.68))
    pattern = str(rng.choice(_PATTERNS, p=[0.46, 0.22, 0.16, 0.16]))
    contrast = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.22, 0.34))
    neck = float(np.clip(wings + rng.uniform(-0.28, 0.12), 0.12, 0.9))
    return BeetleColoring(
        ramp,
        wings,
        neck,
        float(dark if background > 0.4 else light),
        pattern,
        contrast,
        float(rng.uniform(2.4, 4.2)),
        float(rng.uniform(0.2, 0.6)),
    )


def _shifted(field: Field, down: int, right: int) -> Field:
    """A field shifted by integer pixels; the border values are repeated."""
    rows = np.clip(np.arange(field.shape[0]) - down, 0, field.shape[0] - 1)
    columns = np.clip(np.arange(field.shape[1]) - right, 0, field.shape[1] - 1)
    return field[np.ix_(rows, columns)]


def draw_beetle(
    colors: NDArray[np.float32],
    x: Field,
    y: Field,
    pose: Pose,
    body: Body,
    part: Sequence[Stroke],
    coloring: BeetleColoring,
    light: Light,
) -> DrawnBeetle:
    """Draw a beetle and its shadow onto a picture, in place.

    Args:
        colors: the picture, float32 (H, W, 3).
        x: horizontal picture coordinate of each pixel, (H, W).
        y: vertical picture coordinate of each pixel, (H, W).
        pose: position and rotation.
        body: the beetle's shapes.
        part: its mandibles or its snout.
        coloring: its coloring.
        light: direction of the light.

    Returns:
        The visible pixels.
    """
    a, b = pose.local(x, y)
    pixel = 1.0 / (len(x) * pose.unit)
    layers = _LayeredForms(a.shape, pixel)
    for limb in body.limbs:
        layers.add(limb.solid(a, b), coloring.limbs, 0.05)
    below = layers.outline.copy()
    part_depth = np.full(a.shape, -np.inf, np.float32)
    for stroke in part:
        solid = stroke.solid(a, b)
        layers.add(solid, coloring.limbs, 0.07)
        part_depth = np.maximum(part_depth, solid.inside)
    head = body.head.solid(a, b)
    layers.add(head, coloring.limbs, 0.14)
    layers.add(body.neck.solid(a, b), coloring.neck, 0.18)
    wings = body.wings.solid(a, b)
    tone = _wings(body.wings, coloring, a, b)
    seam = np.exp(-((b / 0.02) ** 2))
    layers.add(wings, tone - 0.25 * seam, 0.3, -0.04 * seam)

    # The silhouette, shifted away from the light by a few pixels, is the shadow.
    lx, ly = light.direction
    distance = 0.022 * len(x)
    shift = (round(-distance * ly), round(-distance * lx))
    shadow = step(_shifted(layers.outline, *shift), -0.11, 0.09)
    colors *= 1.0 - 0.5 * shadow[..., None]
    surface = shade(Relief(layers.tone, layers.height, coloring.gloss), coloring.ramp, light, pixel)
    alpha = step(layers.outline, -0.8 * pixel, 0.8 * pixel)[..., None]
    colors += (np.clip(surface, 0.0, 1.0) - colors) * alpha
    beetle = layers.outline > 0.0
    # The head covers the part, and pixels that an antenna covers more are not counted.
    return DrawnBeetle(beetle, (part_depth > 0.0) & (head.inside <= 0.0) & (part_depth >= below))


class _LayeredForms:
    """Tones and heights of layered shapes.

    Attributes:
        tone: tone of the topmost shape, (H, W).
        height: height of the topmost shape, (H, W).
        outline: distance to the outline of their union, positive inside, (H, W).
    """

    def __init__(self, shape: tuple[int, ...], pixel: float) -> None:
        self.tone = np.zeros(shape, np.float32)
        self.height = np.zeros(shape, np.float32)
        self.outline = np.full(shape, -np.inf, np.float32)
        self._pixel = pixel

    def add(
        self, solid: Solid, tone: float | Field, rise: float, dent: float | Field = 0.0
    ) -> None:
        """Add one shape on top, of height ``rise`` at its ridge, lowered by ``dent``."""
        alpha = step(solid.inside, -0.8 * self._pixel, 0.8 * self._pixel)
        # On an empty pixel, the soft edge has the shape's own tone.
        bare = self.outline < 0.0
        self.tone = mix(np.where(bare, tone, self.tone).astype(np.float32), tone, alpha)
        # A darker rim separates it from the shapes below.
        rim = 0.14 * (1.0 - step(solid.inside, 0.0, 2.5 * self._pixel))
        self.tone = np.asarray(self.tone - rim * alpha, np.float32)
        self.height = mix(self.height, rise * solid.rise + dent, alpha)
        np.maximum(self.outline, solid.inside, out=self.outline)


def _wings(wings: Oval, coloring: BeetleColoring, a: Field, b: Field) -> float | Field:
    """The tone of the wing cases, mirrored at the body's axis."""
    along = (a - wings.at) / wings.long * 0.5 + 0.5
    across = np.abs(b) / wings.wide
    if coloring.pattern == "spotted":
        u = along * coloring.count
        near = np.hypot((u - np.floor(u) - 0.5) / coloring.count * 2.0, across - 0.48)
        mark = 1.0 - step(near, 0.15, 0.22)
    elif coloring.pattern == "striped":
        mark = step(np.cos(across * 6.28 * 2.0), -0.2, 0.3)
    elif coloring.pattern == "banded":
        mark = step(np.cos((along + 0.06 * across) * 6.28 * (coloring.count - 1.2)), 0.0, 0.4)
    else:
        return coloring.wings
    return coloring.wings + coloring.contrast * mark
