"""Checks of what is set as an explorer's traits, before it holds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...attribution.methods import get_method
from ...attribution.stance import FOR, NamedTarget, named_target, split_target
from ...attribution.targets import Contrast, Counterfactual
from ...errors import PictureError, PromptError
from ...masking.baselines import check_baseline
from ...masking.ranks import threshold
from ...models.vision_model import VisionModel
from .chosen_target import check_method
from .comparison import valid_compare
from .context import ExplorerContext
from .method_settings import MethodSettings, checked_settings
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

    def target(self, target: Any) -> NamedTarget | None:
        context = self._context
        if target is None or context.traits.is_known("target", target):
            known: NamedTarget | None = target
            return known
        model = context.requested_text()[1]
        index, stance = split_target(model, target)
        if not context.traits.is_restoring and stance != FOR:
            layer = context.values.layer or model.default_layer
            check_method(context.values.method, model, layer, index, stance)
        return named_target(model, index, stance)

    def text(self, text: str) -> str:
        if self._context.traits.is_known("text", text):
            return text
        return self._context.prompt.readable(text)

    def method(self, name: str) -> str:
        context = self._context
        chosen, model = get_method(name), context.model
        if not context.traits.is_restoring:
            layer = context.values.layer or model.default_layer
            if isinstance(context.values.target, (Contrast, Counterfactual)):
                check_method(name, model, layer, *split_target(model, context.values.target))
            else:
                chosen.check(model, layer)
        return name

    def settings(self, value: Any) -> MethodSettings:
        return checked_settings(value)

    def layer(self, name: str) -> str:
        model = self._context.model
        layer = model.layer(name).name
        if not self._context.traits.is_restoring:
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
