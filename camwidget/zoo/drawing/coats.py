"""How a beetle is coloured and patterned, and how it is laid on a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .anatomy import Body
from .lighting import Light, Relief, shade
from .noise import Field, mix, step
from .palette import Ramp
from .strokes import Discs, Oval, Solid, Stroke

_PATTERNS = ("plain", "spotted", "striped", "banded")


@dataclass(frozen=True)
class Coat:
    """Colours of one beetle.

    Attributes:
        ramp: its colours from dark to light.
        wings, neck, limbs: tones of the wing cases, of the shield before them, and of the head
            and all that is thin.
        pattern: "plain", "spotted", "striped" or "banded".
        contrast: tone of the pattern, as a difference from the wing cases.
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
    """Where a beetle is: its middle and the length of its unit in picture sides, and its turn."""

    x: float
    y: float
    unit: float
    turn: float

    def local(self, x: Field, y: Field) -> tuple[Field, Field]:
        """The beetle's own coordinates of places on the picture."""
        c, s = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        dx, dy = (x - np.float32(self.x)) / self.unit, (y - np.float32(self.y)) / self.unit
        return dx * c + dy * s, dy * c - dx * s

    def picture(self, discs: Discs) -> Discs:
        """Discs in the beetle's coordinates, as they lie on the picture."""
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
class Laid:
    """Where a beetle was laid: bool (H, W) of all of it, and of the part that tells its class."""

    beetle: NDArray[np.bool_]
    part: NDArray[np.bool_]


def coat(rng: np.random.Generator, ramp: Ramp, behind: float) -> Coat:
    """A random coat whose thin limbs stand out from a ground of brightness `behind` in [0, 1]."""
    dark, light = rng.uniform(0.0, 0.14), rng.uniform(0.84, 1.0)
    wings = float(rng.uniform(0.32, 0.68))
    pattern = str(rng.choice(_PATTERNS, p=[0.46, 0.22, 0.16, 0.16]))
    contrast = float(rng.choice([-1.0, 1.0]) * rng.uniform(0.22, 0.34))
    neck = float(np.clip(wings + rng.uniform(-0.28, 0.12), 0.12, 0.9))
    return Coat(
        ramp,
        wings,
        neck,
        float(dark if behind > 0.4 else light),
        pattern,
        contrast,
        float(rng.uniform(2.4, 4.2)),
        float(rng.uniform(0.2, 0.6)),
    )


def _shifted(field: Field, down: int, right: int) -> Field:
    """A field moved by whole pixels; what comes in over the border is what is at the border."""
    rows = np.clip(np.arange(field.shape[0]) - down, 0, field.shape[0] - 1)
    columns = np.clip(np.arange(field.shape[1]) - right, 0, field.shape[1] - 1)
    return field[np.ix_(rows, columns)]


def lay(
    colours: NDArray[np.float32],
    x: Field,
    y: Field,
    pose: Pose,
    body: Body,
    part: Sequence[Stroke],
    coat: Coat,
    light: Light,
) -> Laid:
    """Lay a beetle and its shadow on a picture, float32 (H, W, 3), in place.

    Args:
        colours: the picture.
        x: picture coordinate of its pixels from the left, (H, W).
        y: the same from the top.
        pose: where the beetle goes.
        body: its forms.
        part: the mandibles or the snout it is to have.
        coat: its colours.
        light: where the light stands.
    """
    a, b = pose.local(x, y)
    pixel = 1.0 / (len(x) * pose.unit)
    paint = _Paint(a.shape, pixel)
    for limb in body.limbs:
        paint.add(limb.solid(a, b), coat.limbs, 0.05)
    below = paint.outline.copy()
    told = np.full(a.shape, -np.inf, np.float32)
    for stroke in part:
        solid = stroke.solid(a, b)
        paint.add(solid, coat.limbs, 0.07)
        told = np.maximum(told, solid.inside)
    head = body.head.solid(a, b)
    paint.add(head, coat.limbs, 0.14)
    paint.add(body.neck.solid(a, b), coat.neck, 0.18)
    wings = body.wings.solid(a, b)
    tone = _wings(body.wings, coat, a, b)
    seam = np.exp(-((b / 0.02) ** 2))
    paint.add(wings, tone - 0.25 * seam, 0.3, -0.04 * seam)

    # The silhouette, shifted away from the light by a few whole pixels, is its shadow.
    lx, ly = light.direction
    far = 0.022 * len(x)
    shift = (round(-far * ly), round(-far * lx))
    shadow = step(_shifted(paint.outline, *shift), -0.11, 0.09)
    colours *= 1.0 - 0.5 * shadow[..., None]
    surface = shade(Relief(paint.tone, paint.height, coat.gloss), coat.ramp, light, pixel)
    alpha = step(paint.outline, -0.8 * pixel, 0.8 * pixel)[..., None]
    colours += (np.clip(surface, 0.0, 1.0) - colours) * alpha
    beetle = paint.outline > 0.0
    # What lies under the head is not to be seen, nor what a feeler already was.
    return Laid(beetle, (told > 0.0) & (head.inside <= 0.0) & (told >= below))


class _Paint:
    """Tones and heights of forms laid over one another.

    Attributes:
        tone, height: of what lies on top, (H, W).
        outline: distance to the outline of them all, positive within, (H, W).
    """

    def __init__(self, shape: tuple[int, ...], pixel: float) -> None:
        self.tone = np.zeros(shape, np.float32)
        self.height = np.zeros(shape, np.float32)
        self.outline = np.full(shape, -np.inf, np.float32)
        self._pixel = pixel

    def add(
        self, solid: Solid, tone: float | Field, rise: float, dent: float | Field = 0.0
    ) -> None:
        """Lay one form on top, `rise` high on its ridge and dented by `dent`."""
        alpha = step(solid.inside, -0.8 * self._pixel, 0.8 * self._pixel)
        # Where nothing lies yet, the soft edge has the form's own tone.
        bare = self.outline < 0.0
        self.tone = mix(np.where(bare, tone, self.tone).astype(np.float32), tone, alpha)
        # A darker rim parts it from what lies below.
        rim = 0.14 * (1.0 - step(solid.inside, 0.0, 2.5 * self._pixel))
        self.tone = np.asarray(self.tone - rim * alpha, np.float32)
        self.height = mix(self.height, rise * solid.rise + dent, alpha)
        np.maximum(self.outline, solid.inside, out=self.outline)


def _wings(wings: Oval, coat: Coat, a: Field, b: Field) -> float | Field:
    """Tone of the wing cases; both sides mirror each other."""
    along = (a - wings.at) / wings.long * 0.5 + 0.5
    across = np.abs(b) / wings.wide
    if coat.pattern == "spotted":
        u = along * coat.count
        near = np.hypot((u - np.floor(u) - 0.5) / coat.count * 2.0, across - 0.48)
        mark = 1.0 - step(near, 0.15, 0.22)
    elif coat.pattern == "striped":
        mark = step(np.cos(across * 6.28 * 2.0), -0.2, 0.3)
    elif coat.pattern == "banded":
        mark = step(np.cos((along + 0.06 * across) * 6.28 * (coat.count - 1.2)), 0.0, 0.4)
    else:
        return coat.wings
    return coat.wings + coat.contrast * mark
