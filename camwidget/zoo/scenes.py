"""Scenes of one to five things on cluttered grounds, each thing known to the pixel.

A thing has a shape, a colour and a texture, and its class is all three: "red striped disc". No one of
them tells the class, so a model has to see them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .drawing.grounds import ground
from .drawing.lighting import sun
from .drawing.palette import pick
from .drawing.shapes import arrange
from .drawing.studio import coordinates, expose, lay, part
from .drawing.things import COLOURS, SHAPES, TEXTURES, THINGS, Thing, cover, form
from .sample import Sample

CLASSES: tuple[str, ...] = tuple(thing.name for thing in THINGS)
SIZE = 128
MOST = 5

CATEGORIES: dict[str, str] = {
    **dict.fromkeys(SHAPES, "shape"),
    **dict.fromkeys(COLOURS, "colour"),
    **dict.fromkeys(TEXTURES, "texture"),
}
"""Which kind of concept each word of `Scene.concepts` is."""

_RADII = {1: (0.15, 0.26), 2: (0.14, 0.22), 3: (0.13, 0.18), 4: (0.12, 0.15), 5: (0.11, 0.135)}
"""Radius of the things, in picture sides, by how many there are."""

_STREAM = 0x5CE0
"""Second word of the seed of every scene."""


@dataclass(frozen=True, eq=False)
class Scene(Sample):
    """A picture of things.

    Attributes:
        things: what each object is, in the order of `labels`.
    """

    things: tuple[Thing, ...] = ()

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """Where each shape, colour and texture is: bool (H, W) by word, of those there are."""
        found: dict[str, NDArray[np.bool_]] = {}
        for thing, mask in zip(self.things, self.masks, strict=True):
            for word in thing.words:
                found[word] = found[word] | mask if word in found else mask
        return found


def draw(
    seed: int | np.random.Generator,
    number: int | None = None,
    *,
    things: Sequence[str | int | Thing] | None = None,
    radii: Sequence[float] | None = None,
    size: int = SIZE,
) -> Scene:
    """Draw one scene; the same arguments always give the same picture.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: how many things, one to five; random if left out.
        things: what they are, by class name or index; random if left out.
        radii: radius of each, in picture sides (of the disc of the same area); random if left out.
        size: side of the picture in pixels.

    Raises:
        ValueError: for an unknown class, or more things than a scene can hold.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    chosen = _choose(rng, number, things)
    low, high = _RADII[len(chosen)]
    if radii is None:
        radii = rng.uniform(low, high, len(chosen)).tolist()
    elif len(radii) != len(chosen):
        raise ValueError(f"{len(radii)} radii for {len(chosen)} things")
    # The largest finds its place first.
    order = np.argsort(-np.asarray(radii), kind="stable")
    chosen, radii = [chosen[n] for n in order], [radii[n] for n in order]

    x, y = coordinates(size)
    light = sun(rng)
    shapes = arrange(rng, radii, [form(rng, thing) for thing in chosen])
    colours = ground(rng, x, y, pick(rng)[0], light, grey=0.4)
    masks = np.zeros((len(chosen), size, size), bool)
    for thing, shape, mask in zip(chosen, shapes, masks, strict=True):
        lay(rng, colours, mask, x, y, shape, partial(cover, rng, thing), light)
    part(masks)
    image = expose(rng, colours, x, y, light)
    by_area = np.argsort(-masks.sum(axis=(1, 2)), kind="stable")
    found = tuple(chosen[n] for n in by_area)
    return Scene(image, tuple(THINGS.index(t) for t in found), masks[by_area], CLASSES, found)


def _choose(
    rng: np.random.Generator, number: int | None, things: Sequence[str | int | Thing] | None
) -> list[Thing]:
    if isinstance(things, str):
        raise ValueError(f"things is a sequence of classes, not {things!r}")
    if things is None:
        count = int(rng.integers(1, MOST + 1)) if number is None else number
    else:
        count = len(things)
        if number not in (None, count):
            raise ValueError(f"{count} things, but number says {number}")
    if not 1 <= count <= MOST:
        raise ValueError(f"a scene holds one to five things, not {count}")
    if things is None:
        return [THINGS[n] for n in rng.integers(len(THINGS), size=count)]
    return [_thing(t) for t in things]


def _thing(found: str | int | Thing) -> Thing:
    if isinstance(found, Thing):
        return found
    if isinstance(found, str):
        if found not in CLASSES:
            raise ValueError(f"no class {found!r}; there are {', '.join(CLASSES)}")
        return THINGS[CLASSES.index(found)]
    if not 0 <= found < len(THINGS):
        raise ValueError(f"class indices run from 0 to {len(THINGS) - 1}, not {found}")
    return THINGS[found]


def gallery() -> list[Sample]:
    """A few scenes, to be met first."""
    return [draw(seed, things=things) for seed, things in _GALLERY]


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
