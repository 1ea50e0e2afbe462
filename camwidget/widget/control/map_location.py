"""``MapLocation``: the box and the peak of the map shown, and how they agree with the ground truth."""

from __future__ import annotations

from typing import Any

from ...analysis.localizing import THRESHOLD, best_overlap, localize, points_at
from ...attribution.explanation import Explanation
from ...images.ground_truth import ObjectLocations, find_objects
from ...models.vision_model import VisionModel
from ...runtime.caches import BoundedCache, size_of
from ..view import sentences
from .cache import Picture

__all__ = ["MapLocation", "objects_of_picture"]


def objects_of_picture(picture: Picture, model: VisionModel, target: int) -> ObjectLocations | None:
    """Locate the objects of a class, in pixels of the model's input; None if the picture has no ground truth."""
    if picture.truth is None:
        return None
    return find_objects(picture.truth, model.category(target), model.text, model.preprocess)


class MapLocation:
    """Encodes a map's box (by ``localize``) and peak, and compares them with the ground truth."""

    def __init__(self) -> None:
        self._where: BoundedCache[ObjectLocations | None] = BoundedCache(96, size_of)

    def forget(self) -> None:
        """Clear the cache."""
        self._where.clear()

    def payload(
        self,
        picture: Picture,
        model: VisionModel,
        target: int,
        explanation: Explanation | None,
        threshold: float = THRESHOLD,
    ) -> dict[str, Any]:
        """Encode a map's box and peak for the browser; empty where there is none.

        Args:
            picture: the picture explained.
            model: the model under its text.
            target: index of the class.
            explanation: the map; None if there is none.
            threshold: the share of its maximum from which on a pixel counts for the box.
        """
        # A box has no time.
        is_located = explanation is not None and model.frames is None
        found = localize(explanation, threshold) if is_located and explanation else None
        if found is None:
            return {}
        y, x = found.peak
        true = self._true(picture, model, target)
        hit, text = "", ""
        if true is not None and len(true.boxes):
            # By the rule of the pointing game, as in the metric of that name.
            hit = "hit" if points_at(found.peak, true.mask) else "miss"
            text = sentences.box(best_overlap(found.box, true.boxes), len(true.boxes), hit == "hit")
        return {
            "scene": picture.id,
            "box": [int(side) for side in found.box],
            "peak": [int(x), int(y)],
            "hit": hit,
            "summary": text,
        }

    def _true(self, picture: Picture, model: VisionModel, target: int) -> ObjectLocations | None:
        key = (picture, model.category(target), model.text)
        return self._where.get(key, lambda: objects_of_picture(picture, model, target))
