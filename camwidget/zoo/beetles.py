"""Beetles from above, of two classes that only the head tells apart, and a flower that misleads.

A stag beetle has two forked mandibles, a weevil one long curved snout; all else about them is
drawn from one distribution. Beside the beetle there may lie a daisy, which has nothing to do with
the class, except in a training set that makes it so: see `bias`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .drawing.anatomy import Body, grow
from .drawing.coats import Pose, coat, lay
from .drawing.daisies import Daisy, daisy
from .drawing.grounds import ground
from .drawing.lighting import sun
from .drawing.palette import pick
from .drawing.strokes import Discs, Oval, Stroke
from .drawing.studio import coordinates, expose
from .sample import Sample

CLASSES: tuple[str, ...] = ("stag beetle", "weevil")
SIZE = 128

_STREAM = 0xBEE7
"""Second word of the seed of every beetle."""
_GAP = 0.03
"""Least distance between a flower and the beetle, in picture sides."""
_MARGIN = 0.02
"""Least distance between either and the border, in picture sides."""


def _nowhere() -> NDArray[np.bool_]:
    return np.zeros((0, 0), bool)


@dataclass(frozen=True, eq=False)
class Beetle(Sample):
    """A picture of one beetle.

    Attributes:
        part: bool (H, W), its mandibles or its snout: all the evidence there is for its class.
        cue: bool (H, W), the flower; all false if there is none.
    """

    part: NDArray[np.bool_] = field(default_factory=_nowhere)
    cue: NDArray[np.bool_] = field(default_factory=_nowhere)

    @property
    def flower(self) -> bool:
        """Whether there is a flower."""
        return bool(self.cue.any())

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Where the evidence for a class is: bool (H, W), all false if the beetle is of another.

        None if it is no class of beetles.
        """
        if target not in CLASSES:
            return None
        return self.part if target == self.names[0] else np.zeros_like(self.part)

    def concepts(self) -> dict[str, NDArray[np.bool_]]:
        """Where each thing is that has a name: bool (H, W) by word, of those there are."""
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

    The label changes the head only, and the flower only itself: all else follows from the seed.

    Args:
        seed: an integer, or a generator to draw from (which is advanced).
        label: "stag beetle" or "weevil", or its index; random if left out.
        flower: whether a flower lies beside it; in half of the pictures if left out.
        size: side of the picture in pixels.

    Raises:
        ValueError: for an unknown class.
    """
    rng = (
        seed
        if isinstance(seed, np.random.Generator)
        else np.random.default_rng([int(seed), _STREAM])
    )
    # Drawn in any case, so that to give either argument moves nothing else.
    any_label, any_flower = int(rng.integers(len(CLASSES))), bool(rng.random() < 0.5)
    label = any_label if label is None else _index(label)
    flower = any_flower if flower is None else flower

    x, y = coordinates(size)
    light = sun(rng)
    body = grow(rng)
    pose = _pose(rng, body)
    blossom = _beside(rng, pose, body)
    behind, own = pick(rng, 2)
    colours = np.array(ground(rng, x, y, behind, light), np.float32)
    a, b = pose.local(x, y)
    before_head = np.hypot(a - 0.75, b) < 0.4
    clothes = coat(rng, own, float(np.clip(colours[before_head], 0.0, 1.0).mean()))
    cue = np.zeros((size, size), bool)
    if flower:
        cue = blossom.lay(colours, x, y, light) > 0.0
    laid = lay(colours, x, y, pose, body, body.parts[label], clothes, light)
    image = expose(rng, colours, x, y, light)
    return Beetle(image, (label,), laid.beetle[None], CLASSES, laid.part, cue)


def gallery() -> list[Sample]:
    """A few pictures chosen by eye, to be met first: both classes, with the flower and without."""
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
    """Discs that cover the body whichever part it has: room is kept for both."""
    forms: list[Oval | Stroke] = [body.wings, body.neck, body.head, *body.limbs]
    forms += [stroke for part in body.parts for stroke in part]
    return np.concatenate([form.discs() for form in forms])


def _pose(rng: np.random.Generator, body: Body) -> Pose:
    """Any turn and size, and a place where the whole body is in the picture."""
    unit, turn = float(rng.uniform(0.27, 0.34)), float(rng.uniform(0.0, 2.0 * np.pi))
    there = Pose(0.0, 0.0, unit, turn).picture(_discs(body))
    place = []
    for axis in (0, 1):
        low = _MARGIN - float((there[:, axis] - there[:, 2]).min())
        high = 1.0 - _MARGIN - float((there[:, axis] + there[:, 2]).max())
        place.append(float(rng.uniform(low, high)))
    return Pose(place[0], place[1], unit, turn)


def _beside(rng: np.random.Generator, pose: Pose, body: Body) -> Daisy:
    """A flower at a random place clear of the beetle, smaller where there is little room."""
    radius = float(rng.uniform(0.13, 0.165))
    there = pose.picture(_discs(body))
    edge = _MARGIN + radius
    places = rng.uniform(edge, 1.0 - edge, (200, 2))
    apart = np.hypot(*(places[:, None] - there[None, :, :2]).transpose(2, 0, 1))
    room = (apart - there[:, 2]).min(axis=1) - _GAP
    enough = np.flatnonzero(room >= radius)
    chosen = int(enough[0]) if len(enough) else int(room.argmax())
    x, y = places[chosen].tolist()
    return daisy(rng, x, y, min(radius, float(room[chosen])))
