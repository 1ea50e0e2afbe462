"""What is shown of a picture's ground truth: outlines, and how much of the map lies in the object."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..explanation import Explanation
from ..models import VisionModel
from ..truth import fit_mask, outline
from . import words
from .workbench import Picture, Recent

__all__ = ["Truths"]


class Truths:
    """Outlines of the pictures that carry their truth, at the model's own size.

    Args:
        model: whose geometry the masks go through.
    """

    def __init__(self, model: VisionModel) -> None:
        self._preprocess = model.preprocess
        self._masks: Recent[list[np.ndarray]] = Recent(32)
        self._paths: Recent[list[str]] = Recent(32)

    def wire(
        self, picture: Picture, model: VisionModel, target: int, explanation: Explanation | None
    ) -> dict[str, Any]:
        """A picture's truth as the browser wants it; empty where it is not known.

        Args:
            picture: whose.
            model: under its text.
            target: the class shown.
            explanation: its map; None while there is none.
        """
        truth = picture.truth
        if truth is None:
            return {}
        masks = self._masks.get(picture, lambda: [self._fitted(m) for m in truth.masks])
        paths = self._paths.get(picture, lambda: [outline(m) for m in masks])
        name = model.classes[target]
        found = truth.evidence(name, model.text)
        evidence = None if found is None else self._fitted(found)
        said = ""
        if evidence is not None and found is not None:
            count = sum(bool((m & evidence).any()) for m in masks)
            said = words.truth(name, explanation, evidence, bool(found.any()), count)
        return {
            "scene": picture.id,
            "objects": [p for p in paths if p],
            "evidence": "" if evidence is None else outline(evidence),
            "said": said,
        }

    def _fitted(self, mask: np.ndarray) -> np.ndarray:
        return fit_mask(mask, self._preprocess)
