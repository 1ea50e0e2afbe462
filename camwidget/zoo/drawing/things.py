"""What stands in a scene: things of a shape, a colour and a texture, and what they are called."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from .noise import Field, step
from .shapes import Outline, Reach, disc, polygon, star, turned
from .studio import Colours

SHAPES: tuple[str, ...] = ("disc", "square", "triangle", "star")
COLOURS: tuple[str, ...] = ("red", "yellow", "green", "blue")
TEXTURES: tuple[str, ...] = ("plain", "striped", "dotted")

_FORMS: dict[str, Reach] = {
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
"""Range of the hue of every colour, in degrees."""


@dataclass(frozen=True)
class Thing:
    """What can be said of an object, apart from where it is."""

    shape: str
    colour: str
    texture: str

    @property
    def name(self) -> str:
        """As a person says it: "red striped disc"; a plain texture goes without saying."""
        texture = "" if self.texture == "plain" else f"{self.texture} "
        return f"{self.colour} {texture}{self.shape}"

    @property
    def words(self) -> tuple[str, ...]:
        """Shape, colour and texture."""
        return self.shape, self.colour, self.texture


THINGS: tuple[Thing, ...] = tuple(Thing(s, c, t) for s, c, t in product(SHAPES, COLOURS, TEXTURES))
"""Everything there is: each shape in each colour and texture."""


def form(rng: np.random.Generator, thing: Thing) -> Outline:
    """The thing's outline, turned at random."""
    return turned(rng, _FORMS[thing.shape])


def cover(rng: np.random.Generator, thing: Thing, x: Field, y: Field) -> Colours:
    """The thing's surface at picture coordinates."""
    hue = rng.uniform(*_HUES[thing.colour])
    paint = _rgb(hue, rng.uniform(0.72, 0.92), rng.uniform(0.78, 0.95))
    # The pattern is lighter or darker than the ground it is on, of a tint of the same colour.
    light = rng.random() < 0.5
    mark = _rgb(hue, 0.18, 0.97) if light else _rgb(hue, 0.9, 0.3)
    period = rng.uniform(0.056, 0.072)
    turn = rng.uniform(0.0, 2.0 * np.pi)
    c, s = np.float32(np.cos(turn) / period), np.float32(np.sin(turn) / period)
    u, v = x * c + y * s + np.float32(rng.random()), y * c - x * s + np.float32(rng.random())
    # Soft over one pixel of the usual size.
    blur = 0.5 / (128.0 * period)
    marked: Field
    if thing.texture == "striped":
        marked = step(0.25 - np.abs(u - np.floor(u) - 0.5), -blur, blur)
    elif thing.texture == "dotted":
        # Every other row is shifted by half, as dots are printed on cloth.
        u = np.asarray(u + 0.5 * (np.floor(v) % 2), np.float32)
        away = np.hypot(u - np.floor(u) - 0.5, v - np.floor(v) - 0.5)
        marked = step(0.31 - away, -blur, blur)
    else:
        marked = np.zeros(x.shape, np.float32)
    return np.asarray(paint + (mark - paint) * marked[..., None], np.float32)


def _rgb(hue: float, saturation: float, value: float) -> Colours:
    """A colour given by hue in degrees, saturation and value: float32 (3,)."""
    sector = np.mod(hue / 60.0 + np.array([5.0, 3.0, 1.0]), 6.0)
    fall = np.clip(np.minimum(sector, 4.0 - sector), 0.0, 1.0)
    return np.asarray(value * (1.0 - saturation * fall), np.float32)
