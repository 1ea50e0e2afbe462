"""Checks that explanations belong to the model, the text and the picture that they are used with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from ..errors import MetricError, PictureError
from ..images.conversion import shades
from ..models.vision_model import VisionModel
from .explanation import Explanation

__all__ = ["explained_class", "model_as_explained"]


def model_as_explained(model: VisionModel, explanations: Iterable[Explanation]) -> VisionModel:
    """Return the model with the text of the explanations, if it takes a text and has none.

    Raises:
        MetricError: if the explanations have several texts, or another text than the model.
    """
    if model.prompt is None:
        return model
    name, texts = model.prompt.name, {e.text for e in explanations}
    text = next(iter(texts)) if model.text is None else model.text
    if texts != {text}:
        listed = " and ".join(map(repr, sorted(map(str, texts))))
        raise MetricError(
            f"The explanations were made with the {name} {listed}, but the model has {model.text!r}: use "
            f"explanations of one {name} at a time, with model.given({name}=…)."
        )
    return model if text is None else model.given(**{name: text})


def explained_class(
    model: VisionModel, pixels: torch.Tensor, explanation: Explanation
) -> int | None:
    """Return the index of the explained class, after checking model and picture; None if the target is not a class.

    Args:
        model: the model with its text.
        pixels: of the picture, float32 (C, H, W) in [0, 1].
        explanation: from ``explain``.

    Raises:
        PictureError: if it is of another picture, or has another size.
        MetricError: if it is of another model.
    """
    size = tuple(pixels.shape[-2:])
    explanation = explanation.of_strip()
    if explanation.saliency.shape != size:
        raise PictureError(
            f"The saliency is {explanation.saliency.shape}, the model's input {size}: explain this picture with "
            "this model first."
        )
    if not np.array_equal(explanation.pixels, shades(pixels)):
        raise PictureError(
            "The explanation is of another picture: give the picture that was explained, or explain this one."
        )
    index, label = explanation.target.index, explanation.target.label
    is_known = index is None or (index < len(model.classes) and model.classes[index] == label)
    if explanation.model != model.name or not is_known:
        raise MetricError(
            f"The explanation of {label!r} is of another model, {explanation.model}, and this one is {model.name}: "
            "explain the picture with this model first, or pass explanation.saliency to functions that accept any map."
        )
    return index
