"""Generator of clips of colored things that move or stand still, with the mask of each in every frame.

The class of a thing consists of its color and the direction in which it moves ("red moves left"). A thing that stands
still has no class, and one that moves in a part of the clip only is evidence in that part only: no single frame shows
the class, and neither does the look of a thing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..images.ground_truth import tight_box
from .drawing.backgrounds import background
from .drawing.composition import apply_camera, coordinates, draw_object
from .drawing.lighting import random_light
from .drawing.palette import random_ramps
from .drawing.scene_objects import COLORS, SHAPES, SceneObject, object_outline, object_surface
from .drawing.shapes import Outline, Silhouette
from .sample import Box, Sample

if TYPE_CHECKING:
    from PIL.Image import Image

DIRECTIONS: tuple[str, ...] = ("left", "right", "up", "down")
CLASSES: tuple[str, ...] = tuple(f"{c} moves {d}" for c, d in product(COLORS, DIRECTIONS))
STILL: tuple[str, ...] = tuple(f"{c} stands still" for c in COLORS)
"""Descriptions of things that stand still, which have no class."""
SIZE = 64
FRAMES = 12
MAX_THINGS = 4

_STEPS = dict(zip(DIRECTIONS, ((-1.0, 0.0), (1.0, 0.0), (0.0, -1.0), (0.0, 1.0)), strict=True))
"""Direction of a step, to the right and down."""

_RADII = (0.085, 0.12)
"""Range of the radius of a thing, as a fraction of the side."""
_SPEEDS = (0.026, 0.042)
"""Range of the way between two frames, as a fraction of the side: 1.7 to 2.7 pixels."""
_DURATION = (4, 8)
"""Range of the number of steps that a thing takes; before and after them, it stands still."""
_GAP, _MARGIN = 0.02, 0.02
"""Least distance of two things in any frame, and of a thing from the border, as fractions of the side."""
_TRIES = 12
"""Number of places that are tried for a thing before all are placed again, a little smaller."""
_STILL_SHARE = 0.35
"""Probability that a thing beside the first one stands still."""

_STREAM = 0x303E
"""Second word of the seed of every clip."""


def _no_masks() -> NDArray[np.bool_]:
    return np.zeros((0, 0, 0, 0), bool)


@dataclass(frozen=True, eq=False)
class MovingScene(Sample):
    """A clip of moving and still things.

    ``labels`` and ``masks`` are those of the things that move, with most evidence first.

    Attributes:
        image: the clip, uint8 (T, H, W, 3), RGB.
        masks: bool (n, T, H, W), the pixels of each moving thing in every frame, also before and after it moves.
        moving: bool (n, T), the frames in which each thing moves: it is elsewhere in the frame before or after.
        still: bool (m, T, H, W), the pixels of the things that stand still.
        still_colors: color of each thing that stands still.

    Example:
        >>> from camwidget import zoo
        >>> sample = zoo.samples("zoo/moves")[0]
        >>> sample.image.shape, sample.names, sample.still_colors
        ((12, 64, 64, 3), ('red moves left',), ('red',))
    """

    moving: NDArray[np.bool_] = field(default_factory=lambda: np.zeros((0, 0), bool))
    still: NDArray[np.bool_] = field(default_factory=_no_masks)
    still_colors: tuple[str, ...] = ()

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Bounding box of what each moving thing covers in the clip: (left, top, right, bottom)."""
        boxes = map(tight_box, np.asarray(self.masks.any(1)))
        return tuple(box for box in boxes if box is not None)

    def mask_of(self, label: int) -> NDArray[np.bool_]:
        """Find the pixels of all things of a class while they move.

        Args:
            label: class index.

        Returns:
            bool (T, H, W), all false if nothing of that color moves in that direction.
        """
        found = np.zeros(self.image.shape[:-1], bool)
        for own, mask, moving in zip(self.labels, self.masks, self.moving, strict=True):
            if own == label:
                found |= mask & moving[:, None, None]
        return found

    def pil(self) -> Image:
        """The clip as one PIL image, with the frames in rows."""
        from PIL import Image

        from ..images.film_strip import frame_grid

        return Image.fromarray(frame_grid(self.image))


@dataclass(frozen=True)
class _Thing:
    """A thing, and when and where it moves.

    Attributes:
        obj: color and shape.
        outline: its outline.
        radius: radius of the disc of equal area, as a fraction of the side.
        direction: "left", "right", "up" or "down"; None for a thing that stands still.
        speed: way between two frames, as a fraction of the side.
        first: the frame in which it begins to move.
        steps: number of steps.
        key: seed of what is random in its look.
    """

    obj: SceneObject
    outline: Outline
    radius: float
    direction: str | None
    speed: float
    first: int
    steps: int
    key: int

    @property
    def reach(self) -> float:
        """Radius of the disc that contains it."""
        return self.radius * float(self.outline.reach.max())

    @property
    def moving(self) -> NDArray[np.bool_]:
        """The frames in which it moves, bool (T,)."""
        frames = np.arange(FRAMES)
        return (frames >= self.first) & (frames <= self.first + self.steps) & (self.steps > 0)

    def way(self) -> NDArray[np.float64]:
        """How far it is from its first place in every frame, (T, 2): right and down."""
        step = (0.0, 0.0) if self.direction is None else _STEPS[self.direction]
        done = np.clip(np.arange(FRAMES) - self.first, 0, self.steps) * self.speed
        return np.asarray(done[:, None] * np.array(step))


def draw(
    seed: int | np.random.Generator,
    number: int | None = None,
    *,
    things: Sequence[str] | None = None,
    size: int = SIZE,
) -> MovingScene:
    """Draw one clip; equal arguments give equal clips.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        number: number of things, one to four; random if None. At least one of them moves.
        things: what each thing does, of ``CLASSES`` or ``STILL``, such as "red moves left" and "red stands still";
            random if None.
        size: side of a frame in pixels.

    Raises:
        ValueError: for a thing that is none of these, too many of them, or none that moves.

    Example:
        >>> from camwidget.zoo.moves import draw
        >>> clip = draw(0, things=["blue moves up", "blue stands still"])
        >>> clip.names, clip.masks.shape, clip.still.shape
        (('blue moves up',), (1, 12, 64, 64), (1, 12, 64, 64))
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    found = [_random_thing(rng, words) for words in _choose(rng, number, things)]
    found, starts = _place(rng, found)
    x, y = coordinates(size)
    light = random_light(rng)
    ground = background(rng, x, y, random_ramps(rng)[0], light, gray=0.4)
    colors = np.repeat(np.asarray(ground, np.float32)[None], FRAMES, 0)
    masks = np.zeros((len(found), FRAMES, size, size), bool)
    for thing, start, mask in zip(found, starts, masks, strict=True):
        for frame, (left, top) in enumerate(start + thing.way()):
            # A generator of its own for each frame, so that only the place changes.
            look = np.random.default_rng(thing.key)
            shape = Silhouette(float(left), float(top), thing.radius, thing.outline)
            surface = partial(object_surface, look, thing.obj)
            draw_object(look, colors[frame], mask[frame], x, y, shape, surface, light)
    image = apply_camera(rng, colors, x, y, light)
    return _scene(image, found, masks)


def _scene(
    image: NDArray[np.uint8], things: Sequence[_Thing], masks: NDArray[np.bool_]
) -> MovingScene:
    moving = np.array([thing.moving for thing in things])
    evidence = (masks & moving[:, :, None, None]).sum(axis=(1, 2, 3))
    movers = [int(n) for n in np.argsort(-evidence, kind="stable") if moving[n].any()]
    still = [n for n in range(len(things)) if not moving[n].any()]
    labels = [CLASSES.index(f"{things[n].obj.color} moves {things[n].direction}") for n in movers]
    return MovingScene(
        image,
        tuple(labels),
        masks[movers],
        CLASSES,
        moving[movers],
        masks[still],
        tuple(things[n].obj.color for n in still),
    )


def _choose(
    rng: np.random.Generator, number: int | None, things: Sequence[str] | None
) -> list[str]:
    """What each thing does."""
    if isinstance(things, str):
        raise ValueError(f"things is a sequence of descriptions, not {things!r}")
    if things is None:
        count = int(rng.integers(1, MAX_THINGS + 1)) if number is None else number
    else:
        count = len(things)
        if number not in (None, count):
            raise ValueError(f"{count} things, but number says {number}")
    if not 1 <= count <= MAX_THINGS:
        raise ValueError(f"a clip holds one to four things, not {count}")
    if things is not None:
        for words in things:
            if words not in CLASSES + STILL:
                raise ValueError(f"no thing {words!r}; there are {', '.join(CLASSES + STILL)}")
        if not set(things) & set(CLASSES):
            raise ValueError("nothing moves: at least one thing does")
        return list(things)
    stand = [False, *(rng.random(count - 1) < _STILL_SHARE).tolist()]
    return [str(rng.choice(STILL if s else CLASSES)) for s in stand]


def _random_thing(rng: np.random.Generator, words: str) -> _Thing:
    color, _, direction = words.split()
    obj = SceneObject(str(rng.choice(SHAPES)), color, "plain")
    steps = int(rng.integers(_DURATION[0], _DURATION[1] + 1))
    first = int(rng.integers(0, FRAMES - steps))
    moves = direction in _STEPS
    return _Thing(
        obj,
        object_outline(rng, obj),
        float(rng.uniform(*_RADII)),
        direction if moves else None,
        float(rng.uniform(*_SPEEDS)),
        first,
        steps if moves else 0,
        int(rng.integers(2**32)),
    )


def _place(
    rng: np.random.Generator, things: list[_Thing]
) -> tuple[list[_Thing], list[NDArray[np.float64]]]:
    """Places (2,) of things in the first frame, so that none touches another or the border in any frame.

    Where they find no room, all are tried again a little smaller.
    """
    while True:
        ways: list[NDArray[np.float64]] = []
        starts: list[NDArray[np.float64]] = []
        for n, thing in enumerate(things):
            way, edge = thing.way(), _MARGIN + thing.reach
            low, high = edge - way.min(0), 1.0 - edge - way.max(0)
            for _ in range(_TRIES):
                start = rng.uniform(low, high)
                apart = [
                    np.hypot(*(start + way - other).T).min() > thing.reach + before.reach + _GAP
                    for other, before in zip(ways, things[:n], strict=True)
                ]
                if all(apart):
                    ways.append(start + way)
                    starts.append(start)
                    break
            else:
                break
        if len(starts) == len(things):
            return things, starts
        things = [replace(thing, radius=0.97 * thing.radius) for thing in things]


def gallery() -> list[Sample]:
    """A few clips chosen by eye."""
    return [draw(seed, things=things) for seed, things in _GALLERY]


_GALLERY: tuple[tuple[int, tuple[str, ...]], ...] = (
    (2, ("red moves left", "red stands still")),
    (11, ("blue moves up", "yellow moves right")),
    (22, ("green moves down", "green moves up", "blue stands still")),
    (31, ("yellow moves left",)),
    (40, ("red moves right", "blue moves left", "green stands still")),
    (53, ("blue moves down", "blue stands still", "blue moves right")),
    (63, ("yellow moves up", "green moves left", "red stands still", "yellow stands still")),
    (72, ("green moves right",)),
)
