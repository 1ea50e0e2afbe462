"""Which of a model's classes are listed for a picture."""

from __future__ import annotations

import numpy as np
import torch

from .models import VisionModel

__all__ = ["listed_classes", "quantity_of"]


def listed_classes(model: VisionModel, whole: np.ndarray, target: int, most: int) -> list[int]:
    """The most probable classes, the target among them; words in reading order, and quantities in the model's.

    Args:
        model: under its text, if it takes one.
        whole: probabilities (classes,) of the whole picture.
        target: the class explained.
        most: how many, at least 1.
    """
    reading = model.reading
    by_text = reading is not None and reading.classes is not None
    every = np.arange(len(whole)) if by_text else model.ordered(torch.from_numpy(whole)).numpy()
    order: list[int] = every[:most].tolist()
    return order if target in order else [*order[:-1], target]


def quantity_of(model: VisionModel) -> dict[str, str]:
    """What the browser is told of numbers that are no probabilities: their unit. Empty of probabilities."""
    return {"unit": model.unit} if model.scores == "value" else {}
