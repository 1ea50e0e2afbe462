"""Where the map shown is: its box and its peak, and whether the truth agrees where it is known."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..explanation import Explanation
from ..localization import localize
from ..models import VisionModel
from ..truth import Whereabouts
from . import words
from .judging import objects
from .workbench import Picture, Recent

__all__ = ["Boxes"]


class Boxes:
    """The box of a map by ``localize``, its peak, and what they hit."""

    def __init__(self) -> None:
        self._where: Recent[Whereabouts | None] = Recent(96)

    def wire(
        self, picture: Picture, model: VisionModel, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        """A map's box and peak as the browser wants them; empty where there is none.

        Args:
            picture: whose map it is.
            model: under its text.
            target: the map's class.
            explanation: the map; None while there is none.
        """
        found = None if explanation is None else localize(explanation)
        if found is None:
            return {}
        y, x = found.peak
        true = self._true(picture, model, target)
        known = true is not None and bool(len(true.boxes))
        hit, said = "", ""
        if true is not None and known:
            hit = "hit" if true.mask[y, x] else "miss"
            said = words.box(_overlap(found.box, true.boxes), len(true.boxes), hit == "hit")
        return {
            "scene": picture.id,
            "box": [int(side) for side in found.box],
            "peak": [int(x), int(y)],
            "hit": hit,
            "said": said,
        }

    def _true(self, picture: Picture, model: VisionModel, target: int) -> Whereabouts | None:
        key = (picture, model.classes[target], model.text)
        return self._where.get(key, lambda: objects(picture, model, target))


def _overlap(box: tuple[int, int, int, int], others: np.ndarray) -> float:
    """The largest intersection over union of a box with others (n, 4); all as left, top, right, bottom."""
    one = np.array(box)
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
    both = np.clip(high - low, 0, None).prod(1)
    either = (one[2:] - one[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - both
    return float((both / either).max())
