"""Objects of scenes: combinations of a shape, a color and a texture, their names and their drawing."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from .composition import Colors
from .noise import Field, step
from .shapes import Outline, RadialProfile, disc, polygon, rotated, star

SHAPES: tuple[str, ...] = ("disc", "square", "triangle", "star")
COLORS: tuple[str, ...] = ("red", "yellow", "green", "blue")
TEXTURES: tuple[str, ...] = ("plain", "striped", "dotted")

_FORMS: dict[str, RadialProfile] = {
    "disc": disc(),
    "square": polygon(4, 9),
    "triangle": polygon(3, 9),
    "star": star(5, 0.48, 6),
}

_HUES: dict[str, tuple[float, float]] = {
    "red": (-8.0, 8.0),
    "yellow": (44.0, 56.0),
    "green": (105.0, 150.0),
    "blue": (208.0, 238.0),
}
"""Range of the hue of every color, in degrees."""


@dataclass(frozen=True)
class SceneObject:
    """Shape, color and texture of an object."""

    shape: str
    color: str
    texture: str

    @property
    def name(self) -> str:
        """The description, such as "red striped disc"; the texture "plain" is omitted."""
        texture = "" if self.texture == "plain" else f"{self.texture} "
        return f"{self.color} {texture}{self.shape}"

    @property
    def words(self) -> tuple[str, ...]:
        """Shape, color and texture."""
        return self.shape, self.color, self.texture


OBJECTS: tuple[SceneObject, ...] = tuple(
    SceneObject(s, c, t) for s, c, t in product(SHAPES, COLORS, TEXTURES)
)
"""All objects: each shape in each color and texture."""


def object_outline(rng: np.random.Generator, obj: SceneObject) -> Outline:
    """The object's outline, rotated at random."""
    return rotated(rng, _FORMS[obj.shape])


def object_surface(rng: np.random.Generator, obj: SceneObject, x: Field, y: Field) -> Colors:
    """The object's colors at picture coordinates, float32 (H, W, 3)."""
    hue = rng.uniform(*_HUES[obj.color])
    paint = _rgb(hue, rng.uniform(0.72, 0.92), rng.uniform(0.78, 0.95))
    # The pattern is lighter or darker than the object, in a tint of the same color.
    light = rng.random() < 0.5
    mark = _rgb(hue, 0.18, 0.97) if light else _rgb(hue, 0.9, 0.3)
    period = rng.uniform(0.056, 0.072)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    c, s = np.float32(np.cos(turn) / period), np.float32(np.sin(turn) / period)
    u, v = x * c + y * s + np.float32(rng.random()), y * c - x * s + np.float32(rng.random())
    # Soft over one pixel of the usual size.
    blur = 0.5 / (128.0 * period)
    marked: Field
    if obj.texture == "striped":
        marked = step(0.25 - np.abs(u - np.floor(u) - 0.5), -blur, blur)
    elif obj.texture == "dotted":
        # Every other row is shifted by half, as dots are printed on cloth.
        u = np.asarray(u + 0.5 * (np.floor(v) % 2), np.float32)
        away = np.hypot(u - np.floor(u) - 0.5, v - np.floor(v) - 0.5)
        marked = step(0.31 - away, -blur, blur)
    else:
        marked = np.zeros(x.shape, np.float32)
    return np.asarray(paint + (mark - paint) * marked[..., None], np.float32)


def _rgb(hue: float, saturation: float, value: float) -> Colors:
    """A color given by hue in degrees, saturation and value: float32 (3,)."""
    sector = np.mod(hue / 60.0 + np.array([5.0, 3.0, 1.0]), 6.0)
    fall = np.clip(np.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return np.asarray(value * (1.0 - saturation * fall), np.float32)
