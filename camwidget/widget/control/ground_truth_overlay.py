"""``GroundTruthOverlay``: outlines of the ground truth, and the share of the map inside the evidence."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...attribution.explanation import Explanation
from ...images.ground_truth import GroundTruth, fit_mask, outline
from ...models.vision_model import VisionModel
from ...runtime.caches import BoundedCache, size_of
from ..view import sentences
from .cache import Picture

__all__ = ["GroundTruthOverlay"]


class _TrueEvidence(NamedTuple):
    """True evidence for a class, in pixels of the model's input."""

    mask: np.ndarray
    path: str
    is_there: bool  #: whether the picture has any, seen by the model or cropped away
    objects: int  #: number of objects that it touches


class GroundTruthOverlay:
    """Encodes the ground truth of pictures, fitted to the model's input.

    Args:
        model: its preprocessing resizes and crops the masks as it does the pictures.
    """

    def __init__(self, model: VisionModel) -> None:
        self._preprocess = model.preprocess
        self._masks: BoundedCache[list[np.ndarray]] = BoundedCache(32, size_of)
        self._paths: BoundedCache[list[str]] = BoundedCache(32, size_of)
        self._evidence: BoundedCache[_TrueEvidence | None] = BoundedCache(96, size_of)

    def forget(self) -> None:
        """Clear all caches."""
        for cache in (self._masks, self._paths, self._evidence):
            cache.clear()

    def payload(
        self, picture: Picture, model: VisionModel, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        """Encode a picture's ground truth for the browser; empty where it is not known.

        Args:
            picture: the picture shown.
            model: the model under its text.
            target: index of the class.
            explanation: the map; None if there is none.
        """
        truth = picture.truth
        if truth is None:
            return {}
        masks = self._masks.get(picture, lambda: [self._fitted(m) for m in truth.masks])
        paths = self._paths.get(picture, lambda: [outline(m) for m in masks])
        name = model.category(target)
        known = self._evidence.get(
            (picture, name, model.text), lambda: self._find(truth, name, model.text, masks)
        )
        return {
            "scene": picture.id,
            "objects": [p for p in paths if p],
            "evidence": "" if known is None else known.path,
            "summary": ""
            if known is None
            else sentences.truth(name, explanation, known.mask, known.is_there, known.objects),
        }

    def _find(
        self, truth: GroundTruth, name: str, text: str | None, masks: list[np.ndarray]
    ) -> _TrueEvidence | None:
        found = truth.evidence(name, text)
        if found is None:
            return None
        mask = self._fitted(found)
        touched = sum(bool((m & mask).any()) for m in masks)
        return _TrueEvidence(mask, outline(mask), bool(found.any()), touched)

    def _fitted(self, mask: np.ndarray) -> np.ndarray:
        return fit_mask(mask, self._preprocess)
