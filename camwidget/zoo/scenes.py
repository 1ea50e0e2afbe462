"""Generator of scenes of one to five objects on cluttered backgrounds, with the mask of each object.

The class of an object consists of shape, color and texture ("red striped disc"), so that a model has to combine them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .drawing.backgrounds import background
from .drawing.composition import apply_camera, coordinates, draw_object, resolve_overlaps
from .drawing.lighting import random_light
from .drawing.palette import random_ramps
from .drawing.scene_objects import (
    COLORS,
    OBJECTS,
    SHAPES,
    TEXTURES,
    SceneObject,
    object_outline,
    object_surface,
)
from .drawing.shapes import arrange
from .sample import Sample

CLASSES: tuple[str, ...] = tuple(obj.name for obj in OBJECTS)
SIZE = 128
MAX_OBJECTS = 5

CATEGORIES: dict[str, str] = {
    **dict.fromkeys(SHAPES, "shape"),
    **dict.fromkeys(COLORS, "color"),
    **dict.fromkeys(TEXTURES, "texture"),
}
"""Category of each concept of ``Scene.concepts``."""

_RADII = {1: (0.15, 0.26), 2: (0.14, 0.22), 3: (0.13, 0.18), 4: (0.12, 0.15), 5: (0.11, 0.135)}
"""Range of the objects' radius, as a fraction of the picture's side, by their number."""

_STREAM = 0x5CE0
"""Second word of the seed of every scene."""

_ALIKE = 1
"""Third word of the seed of the class in ``draw_instances``."""


@dataclass(frozen=True, eq=False)
class Scene(Sample):
    """A picture of several objects.

    Attributes:
        objects: shape, color and texture of each object, in the order of ``labels``.
    """

    objects: tuple[SceneObject, ...] = ()

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """The mask of each shape, color and texture that is present: bool (H, W) by word."""
        found: dict[str, NDArray[np.bool_]] = {}
        for obj, mask in zip(self.objects, self.masks, strict=True):
            for word in obj.words:
                found[word] = found[word] | mask if word in found else mask
        return found


def draw(
    seed: int | np.random.Generator,
    number: int | None = None,
    *,
    objects: Sequence[str | int | SceneObject] | None = None,
    radii: Sequence[float] | None = None,
    size: int = SIZE,
) -> Scene:
    """Draw one scene; equal arguments give equal pictures.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: number of objects, one to five; random if None.
        objects: the objects, by class name or index; random if None.
        radii: radius of each object (of the disc of equal area), as a fraction of the picture's side; random if None.
        size: side of the picture in pixels.

    Raises:
        ValueError: for an unknown class, or too many objects.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    chosen = _choose(rng, number, objects)
    low, high = _RADII[len(chosen)]
    if radii is None:
        radii = rng.uniform(low, high, len(chosen)).tolist()
    elif len(radii) != len(chosen):
        raise ValueError(f"{len(radii)} radii for {len(chosen)} objects")
    # The largest object is placed first.
    order = np.argsort(-np.asarray(radii), kind="stable")
    chosen, radii = [chosen[n] for n in order], [radii[n] for n in order]

    x, y = coordinates(size)
    light = random_light(rng)
    shapes = arrange(rng, radii, [object_outline(rng, obj) for obj in chosen])
    colors = background(rng, x, y, random_ramps(rng)[0], light, gray=0.4)
    masks = np.zeros((len(chosen), size, size), bool)
    for obj, shape, mask in zip(chosen, shapes, masks, strict=True):
        draw_object(rng, colors, mask, x, y, shape, partial(object_surface, rng, obj), light)
    resolve_overlaps(masks)
    image = apply_camera(rng, colors, x, y, light)
    by_area = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    found = tuple(chosen[n] for n in by_area)
    return Scene(image, tuple(OBJECTS.index(t) for t in found), masks[by_area], CLASSES, found)


def draw_instances(seed: int, number: int = 3, *, size: int = SIZE) -> Scene:
    """Draw a scene of several objects of one class, which the seed chooses; equal arguments give equal pictures.

    Args:
        seed: an integer.
        number: number of objects, one to five.
        size: side of the picture in pixels.

    Raises:
        ValueError: for another number.
    """
    label = int(np.random.default_rng([int(seed), _STREAM, _ALIKE]).integers(len(OBJECTS)))
    return draw(seed, objects=[label] * number, size=size)


def _choose(
    rng: np.random.Generator, number: int | None, objects: Sequence[str | int | SceneObject] | None
) -> list[SceneObject]:
    if isinstance(objects, str):
        raise ValueError(f"objects is a sequence of classes, not {objects!r}")
    if objects is None:
        count = int(rng.integers(1, MAX_OBJECTS + 1)) if number is None else number
    else:
        count = len(objects)
        if number not in (None, count):
            raise ValueError(f"{count} objects, but number says {number}")
    if not 1 <= count <= MAX_OBJECTS:
        raise ValueError(f"a scene holds one to five objects, not {count}")
    if objects is None:
        return [OBJECTS[n] for n in rng.integers(len(OBJECTS), size=count)]
    return [_parse_object(t) for t in objects]


def _parse_object(found: str | int | SceneObject) -> SceneObject:
    if isinstance(found, SceneObject):
        return found
    if isinstance(found, str):
        if found not in CLASSES:
            raise ValueError(f"no class {found!r}; there are {', '.join(CLASSES)}")
        return OBJECTS[CLASSES.index(found)]
    if not 0 <= found < len(OBJECTS):
        raise ValueError(f"class indices run from 0 to {len(OBJECTS) - 1}, not {found}")
    return OBJECTS[found]


def gallery() -> list[Sample]:
    """A few scenes chosen by eye."""
    return [draw(seed, objects=objects) for seed, objects in _GALLERY]


_GALLERY: tuple[tuple[int, tuple[str, ...]], ...] = (
    (3, ("red striped disc", "blue star", "yellow dotted square")),
    (11, ("green striped star", "red triangle")),
    (5, ("blue dotted disc", "blue dotted disc", "yellow triangle", "red star")),
    (8, ("yellow star",)),
    (21, ("green square", "red dotted triangle", "blue striped square", "yellow disc")),
    (13, ("red star", "green dotted disc")),
    (2, ("blue triangle", "yellow striped disc", "red square", "green star", "red disc")),
    (34, ("blue striped square",)),
)
