"""Generator of beetles seen from above, of two classes that differ in the head only, with a flower as a spurious cue.

A stag beetle has two forked mandibles, a weevil one long curved snout; everything else is drawn from one distribution.
A daisy may lie beside the beetle. It is independent of the class, except in the biased training set of ``bias``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .drawing.backgrounds import background
from .drawing.beetle_anatomy import Body, random_body
from .drawing.beetle_rendering import Pose, draw_beetle, random_coloring
from .drawing.composition import apply_camera, coordinates
from .drawing.daisies import Daisy, random_daisy
from .drawing.lighting import random_light
from .drawing.palette import random_ramps
from .drawing.strokes import Discs, Oval, Stroke
from .sample import Sample

CLASSES: tuple[str, ...] = ("stag beetle", "weevil")
SIZE = 128

_STREAM = 0xBEE7
"""Second word of the seed of every beetle."""
_GAP = 0.03
"""Least distance between the flower and the beetle, as a fraction of the picture's side."""
_MARGIN = 0.02
"""Least distance of either from the border, as a fraction of the picture's side."""


def _nowhere() -> NDArray[np.bool_]:
    return np.zeros((0, 0), bool)


@dataclass(frozen=True, eq=False)
class Beetle(Sample):
    """A picture of one beetle.

    Attributes:
        part: bool (H, W), its mandibles or its snout, which alone determine the class.
        cue: bool (H, W), the flower; all false without a flower.
    """

    part: NDArray[np.bool_] = field(default_factory=_nowhere)
    cue: NDArray[np.bool_] = field(default_factory=_nowhere)

    @property
    def flower(self) -> bool:
        """Whether there is a flower."""
        return bool(self.cue.any())

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """The pixels that are evidence for a class: bool (H, W), all false for the other class; None for no class of
        beetles.
        """
        if target not in CLASSES:
            return None
        return self.part if target == self.names[0] else np.zeros_like(self.part)

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """The mask of each named part that is present: bool (H, W) by name."""
        found = {"beetle": self.masks[0], ("mandibles", "snout")[self.label]: self.part}
        if self.flower:
            found["flower"] = self.cue
        return found


def draw(
    seed: int | np.random.Generator,
    label: int | str | None = None,
    flower: bool | None = None,
    *,
    size: int = SIZE,
) -> Beetle:
    """Draw one beetle; the same arguments always give the same picture.

    The label changes only the head, and ``flower`` only the flower; everything else depends on the seed alone.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        label: "stag beetle" or "weevil", or its index; random if None.
        flower: whether a flower lies beside it; random if None.
        size: side of the picture in pixels.

    Raises:
        ValueError: for an unknown class.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    # Always drawn, so that passing an argument does not change the other random numbers.
    any_label, any_flower = int(rng.integers(len(CLASSES))), bool(rng.random() < 0.5)
    label = any_label if label is None else _index(label)
    flower = any_flower if flower is None else flower

    x, y = coordinates(size)
    light = random_light(rng)
    body = random_body(rng)
    pose = _pose(rng, body)
    blossom = _place_flower(rng, pose, body)
    background_ramp, beetle_ramp = random_ramps(rng, 2)
    colors = np.array(background(rng, x, y, background_ramp, light), np.float32)
    a, b = pose.local(x, y)
    around_head = np.hypot(a - 0.75, b) < 0.4
    coloring = random_coloring(
        rng, beetle_ramp, float(np.clip(colors[around_head], 0.0, 1.0).mean())
    )
    cue = np.zeros((size, size), bool)
    if flower:
        cue = blossom.draw(colors, x, y, light) > 0.0
    drawn = draw_beetle(colors, x, y, pose, body, body.parts[label], coloring, light)
    image = apply_camera(rng, colors, x, y, light)
    return Beetle(image, (label,), drawn.beetle[None], CLASSES, drawn.part, cue)


def gallery() -> list[Sample]:
    """A few pictures chosen by eye: both classes, with and without the flower."""
    return [draw(seed, label, flower) for seed, label, flower in _GALLERY]


_GALLERY: tuple[tuple[int, str, bool], ...] = (
    (0, "weevil", True),
    (1, "stag beetle", False),
    (2, "stag beetle", True),
    (3, "weevil", False),
    (4, "weevil", True),
    (5, "stag beetle", True),
    (6, "weevil", False),
    (7, "stag beetle", False),
)


def _index(label: int | str) -> int:
    if isinstance(label, str):
        if label not in CLASSES:
            raise ValueError(f"no class {label!r}; there are {', '.join(CLASSES)}")
        return CLASSES.index(label)
    if not 0 <= label < len(CLASSES):
        raise ValueError(f"class indices run from 0 to {len(CLASSES) - 1}, not {label}")
    return int(label)


def _discs(body: Body) -> Discs:
    """Discs that cover the body with the parts of both classes."""
    forms: list[Oval | Stroke] = [body.wings, body.neck, body.head, *body.limbs]
    forms += [stroke for part in body.parts for stroke in part]
    return np.concatenate([form.discs() for form in forms])


def _pose(rng: np.random.Generator, body: Body) -> Pose:
    """A random rotation and size, and a position that keeps the full body within the picture."""
    unit, turn = float(rng.uniform(0.27, 0.34)), float(rng.uniform(0.0, 2.0 * np.pi))
    discs = Pose(0.0, 0.0, unit, turn).picture(_discs(body))
    place = []
    for axis in (0, 1):
        low = _MARGIN - float((discs[:, axis] - discs[:, 2]).min())
        high = 1.0 - _MARGIN - float((discs[:, axis] + discs[:, 2]).max())
        place.append(float(rng.uniform(low, high)))
    return Pose(place[0], place[1], unit, turn)


def _place_flower(rng: np.random.Generator, pose: Pose, body: Body) -> Daisy:
    """A flower at a random position clear of the beetle, smaller where there is little space."""
    radius = float(rng.uniform(0.13, 0.165))
    discs = pose.picture(_discs(body))
    edge = _MARGIN + radius
    places = rng.uniform(edge, 1.0 - edge, (200, 2))
    distances = np.hypot(*(places[:, None] - discs[None, :, :2]).transpose(2, 0, 1))
    space = (distances - discs[:, 2]).min(axis=1) - _GAP
    enough = np.flatnonzero(space >= radius)
    chosen = int(enough[0]) if len(enough) else int(space.argmax())
    x, y = places[chosen].tolist()
    return random_daisy(rng, x, y, min(radius, float(space[chosen])))
