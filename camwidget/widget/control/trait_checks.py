"""Checks of what is set as an explorer's traits, before it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...attribution.methods import get_method
from ...errors import PictureError, PromptError
from ...masking.baselines import check_baseline
from ...masking.ranks import threshold
from ...models.vision_model import VisionModel
from .comparison import valid_compare
from .context import ExplorerContext
from .paint import PaintController

__all__ = ["TraitChecks"]


class TraitChecks:
    """Checks each trait of an explorer. A method returns the value that holds, or raises an error with the remedy.

    Args:
        context: the explorer's.
        paint: checks what is painted.
    """

    def __init__(self, context: ExplorerContext, paint: PaintController) -> None:
        self._context = context
        self._paint = paint

    def picture(self, number: int) -> int:
        count = len(self._context.pictures.all)
        if number != 0 and not 0 <= number < count:
            raise PictureError(f"There is no picture {number}: there are {count}, from 0.")
        return number

    def target(self, target: Any) -> str | None:
        if target is None or self._context.traits.is_known("target", target):
            return target
        model = self._context.requested_text()[1]
        return model.classes[model.class_index(target)]

    def text(self, text: str) -> str:
        if self._context.traits.is_known("text", text):
            return text
        return self._context.prompt.readable(text)

    def method(self, name: str) -> str:
        chosen, model, traits = get_method(name), self._context.model, self._context.traits
        if not (traits.is_restoring or traits.is_known("method", name)):
            chosen.check(model, self._context.values.layer or model.default_layer)
        return name

    def layer(self, name: str) -> str:
        model, traits = self._context.model, self._context.traits
        layer = model.layer(name).name
        if not (traits.is_restoring or traits.is_known("layer", name)):
            get_method(self._context.values.method).check(model, layer)
        return layer

    def fraction(self, fraction: float) -> float:
        threshold(fraction)  # refuses what is not in [0, 1]
        return fraction

    def baseline(self, name: str) -> str:
        return check_baseline(name)

    def mask(self, paint: Any) -> np.ndarray | None:
        return self._paint.checked(paint)

    def compare(self, compare: Any) -> dict[str, Any] | None:
        context = self._context
        return valid_compare(
            compare, context.models, len(context.pictures.all), self._compared_model
        )

    def _compared_model(self, compare: Mapping[str, Any]) -> VisionModel | None:
        """B's model under the text that it will have; None if that is not known yet, or cannot be read."""
        context = self._context
        prompt = context.prompts[compare.get("model", 0)]
        pictures, number = context.pictures.all, compare.get("picture", context.values.picture)
        if prompt.model.prompt is None or not number < len(pictures):
            return prompt.model
        text = context.requested_text()[0] or prompt.known(pictures[number])
        try:
            return None if text is None else prompt.cache(pictures[number], text).model
        except PromptError:
            return None
