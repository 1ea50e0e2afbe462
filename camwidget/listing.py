"""Which of a model's classes are listed for a picture."""

from __future__ import annotations

import numpy as np

from .models import VisionModel

__all__ = ["listed_classes"]


def listed_classes(model: VisionModel, whole: np.ndarray, target: int, most: int) -> list[int]:
    """The most probable classes, the target among them; words in reading order, where they are the classes.

    Args:
        model: under its text, if it takes one.
        whole: probabilities (classes,) of the whole picture.
        target: the class explained.
        most: how many, at least 1.
    """
    reading = model.reading
    by_text = reading is not None and reading.classes is not None
    every = np.arange(len(whole)) if by_text else np.argsort(-whole, kind="stable")
    order = every[:most].tolist()
    return order if target in order else [*order[:-1], target]
