"""Generator of pictures of ten textures, with ground truth.

Kinds of pictures: ``full`` (one texture everywhere), ``single`` (one textured object on a background) and ``multiple``
(two to four textured objects that do not overlap).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import numpy as np

from .drawing.backgrounds import background
from .drawing.composition import Colors, apply_camera, coordinates, draw_object, resolve_overlaps
from .drawing.lighting import Light, random_light, shade
from .drawing.noise import Field
from .drawing.palette import Ramp, random_ramps
from .drawing.patterns import PATTERNS, PatternCoordinates
from .drawing.shapes import arrange
from .sample import Sample

Kind = Literal["full", "single", "multiple"]

KINDS: tuple[Kind, ...] = get_args(Kind)
CLASSES: tuple[str, ...] = tuple(PATTERNS)
SIZE = 192

_RADII = {2: (0.2, 0.26), 3: (0.165, 0.215), 4: (0.15, 0.185)}
"""Range of the objects' radius, as a fraction of the picture's side, by their number."""


def draw(
    seed: int | np.random.Generator,
    kind: Kind = "multiple",
    *,
    classes: Sequence[str | int] | None = None,
    size: int = SIZE,
) -> Sample:
    """Draw one picture; equal arguments give equal pictures.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        kind: "full", "single" or "multiple".
        classes: the class of each object, by name or index: one for "full" and "single", two to four for "multiple";
            random if None.
        size: side of the picture in pixels.

    Raises:
        ValueError: for an unknown kind or class, or a number of classes that the kind does not allow.
    """
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, not {kind!r}")
    if not isinstance(seed, np.random.Generator):
        # The kind is part of the seed, so that one seed gives different textures for different kinds.
        seed = np.random.default_rng([int(seed), KINDS.index(kind)])
    labels = _choose(seed, kind, classes)
    if kind == "full":
        return _draw_full(seed, labels[0], size)
    return _draw_objects(seed, labels, size)


def draw_instances(seed: int, number: int = 3, *, size: int = SIZE) -> Sample:
    """Draw several objects with one texture, which the seed chooses; equal arguments give equal pictures.

    Args:
        seed: an integer.
        number: number of objects, two to four.
        size: side of the picture in pixels.

    Raises:
        ValueError: for another number.
    """
    label = int(np.random.default_rng([int(seed), len(KINDS)]).integers(len(CLASSES)))
    return draw(seed, "multiple", classes=[label] * number, size=size)


def gallery() -> list[Sample]:
    """A few pictures chosen by eye."""
    return [draw(seed, kind, classes=classes) for kind, seed, classes in _GALLERY]


_GALLERY: tuple[tuple[Kind, int, tuple[str, ...]], ...] = (
    ("multiple", 302, ("polka-dotted", "waffled", "polka-dotted")),
    ("multiple", 303, ("knitted", "bubbly")),
    ("multiple", 306, ("crosshatched", "fibrous", "lined")),
    ("multiple", 307, ("honeycombed", "knitted", "bubbly")),
    ("multiple", 304, ("waffled", "veined", "zigzagged", "polka-dotted")),
    ("single", 301, ("veined",)),
    ("single", 300, ("bubbly",)),
    ("full", 300, ("knitted",)),
)


def _choose(rng: np.random.Generator, kind: Kind, classes: Sequence[str | int] | None) -> list[int]:
    fewest, most = (2, 4) if kind == "multiple" else (1, 1)
    if classes is None:
        n = int(rng.integers(fewest, most + 1))
        return [int(label) for label in rng.integers(len(CLASSES), size=n)]
    if isinstance(classes, str) or not fewest <= len(classes) <= most:
        number = "two to four" if kind == "multiple" else "one"
        raise ValueError(f"kind {kind!r} takes a sequence of {number} classes, not {classes!r}")
    return [_index(found) for found in classes]


def _index(found: str | int) -> int:
    if isinstance(found, str):
        if found not in CLASSES:
            raise ValueError(f"no class {found!r}; there are {', '.join(CLASSES)}")
        return CLASSES.index(found)
    if not 0 <= found < len(CLASSES):
        raise ValueError(f"class indices run from 0 to {len(CLASSES) - 1}, not {found}")
    return int(found)


def _draw_full(rng: np.random.Generator, label: int, size: int) -> Sample:
    x, y = coordinates(size)
    light, (ramp,) = random_light(rng), random_ramps(rng)
    colors = _texture(rng, label, x, y, (0.07, 0.15), ramp, light, size)
    masks = np.ones((1, size, size), bool)
    return Sample(apply_camera(rng, colors, x, y, light), (label,), masks, CLASSES)


def _draw_objects(rng: np.random.Generator, labels: list[int], size: int) -> Sample:
    x, y = coordinates(size)
    light = random_light(rng)
    background_ramp, *ramps = random_ramps(rng, len(labels) + 1)
    low, high = _RADII[len(labels)] if len(labels) > 1 else (0.22, 0.4)
    shapes = arrange(rng, sorted(rng.uniform(low, high, len(labels)), reverse=True))

    colors = background(rng, x, y, background_ramp, light)
    masks = np.zeros((len(labels), size, size), bool)
    for label, shape, ramp, mask in zip(labels, shapes, ramps, masks, strict=True):
        cover = partial(_cover, rng, label, ramp, light, size)
        draw_object(rng, colors, mask, x, y, shape, cover, light)
    resolve_overlaps(masks)

    order = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    image = apply_camera(rng, colors, x, y, light)
    return Sample(image, tuple(labels[n] for n in order), masks[order], CLASSES)


def _cover(
    rng: np.random.Generator, label: int, ramp: Ramp, light: Light, size: int, x: Field, y: Field
) -> Colors:
    """The texture of an object."""
    return _texture(rng, label, x, y, (0.055, 0.095), ramp, light, size)


def _texture(
    rng: np.random.Generator,
    label: int,
    x: Field,
    y: Field,
    periods: tuple[float, float],
    ramp: Ramp,
    light: Light,
    size: int,
) -> Colors:
    """One texture over the coordinates given: float32 (H, W, 3)."""
    period = float(np.exp(rng.uniform(*np.log(periods))))
    angle = float(rng.uniform(0.0, 2.0 * np.pi))
    # A large random offset, so that pictures show different parts of the lattice.
    away_x, away_y = rng.uniform(8.0, 40.0, 2).astype(np.float32) * np.float32(period)
    grid = PatternCoordinates.place(
        x + away_x, y + away_y, period=period, angle=angle, light=light, pixel=1.0 / size
    )
    relief = PATTERNS[CLASSES[label]](grid, rng)
    return shade(relief, ramp, light, grid.pixel)
