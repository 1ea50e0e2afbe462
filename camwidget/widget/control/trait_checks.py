"""Validation of values that are assigned to an explorer's traits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..._validation import check_number
from ...analysis.localizing import check_share
from ...attribution.methods import get_method
from ...attribution.stance import FOR, NamedTarget, named_target, split_target
from ...attribution.targets import Contrast, Counterfactual
from ...errors import PictureError, PromptError, TargetError
from ...masking.baselines import check_baseline
from ...masking.rank_rule import threshold
from ...models.detection_model import check_question
from ...models.vision_model import VisionModel
from .chosen_target import check_method
from .comparison import valid_compare
from .context import ExplorerContext
from .finding_control import DetectionController, RegionController
from .method_settings import MethodSettings, checked_settings
from .paint import PaintController

__all__ = ["TraitChecks"]


class TraitChecks:
    """Validators of an explorer's traits: each returns the valid value, or raises an error that names the remedy.

    Args:
        context: the explorer's.
        paint: checks what is painted.
    """

    def __init__(self, context: ExplorerContext, paint: PaintController) -> None:
        self._context = context
        self._paint = paint

    def picture(self, number: int) -> int:
        """Return the number of a picture.

        Raises:
            PictureError: if there is no such picture.
        """
        count = len(self._context.pictures.all)
        if number != 0 and not 0 <= number < count:
            raise PictureError(f"There is no picture {number}: there are {count}, from 0.")
        return number

    def target(self, target: Any) -> NamedTarget | None:
        """Return the target with the names of its classes; None stands for the predicted class.

        Raises:
            TargetError: if the model has no such class under the requested text.
            MethodError: if the map of the method chosen says nothing of the target.
        """
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
        """Return a text as the model reads it.

        Raises:
            PromptError: if the model cannot read it, or takes no text.
        """
        prompt = self._context.prompt
        if self._context.traits.is_known("text", text):
            return text
        if prompt.trait == "text":
            return str(prompt.readable(text))
        if text == "":
            return text
        if prompt.trait != "references":
            raise PromptError(f"{prompt.model.name} takes no text beside the picture.")
        raise PromptError(f"{prompt.model.name} takes no text beside the picture: set references.")

    def references(self, value: Any) -> tuple[str | int, ...]:
        """Return references as the model has them.

        Raises:
            CamwidgetError: if the model cannot read one, or is not compared with references.
        """
        prompt = self._context.prompt
        if self._context.traits.is_known("references", value):
            return tuple(value)
        if prompt.trait == "references":
            read = prompt.readable(value)
            assert isinstance(read, tuple)
            return read
        if isinstance(value, (list, tuple)) and not value:
            return ()
        raise PromptError(
            f"{prompt.model.name} has classes of its own, and compares pictures with no references."
        )

    def region(self, value: Any) -> np.ndarray | None:
        """Return a region of the picture shown as bool (H, W); None for the whole picture.

        Raises:
            TargetError: if it is no mask of the picture's size, has no pixel, or the model is asked about no region.
        """
        context = self._context
        prompt = context.prompt
        if value is None or context.traits.is_same_known("region", value):
            return value
        if not isinstance(prompt, RegionController):
            raise TargetError(
                f"{prompt.model.name} has no scores of single pixels, so that no region can be asked about: "
                "leave region out."
            )
        region = prompt.readable(value)
        shape = self._paint.shape(context.picture)
        if region.shape != shape:
            raise TargetError(
                f"The region has {region.shape[0]}×{region.shape[1]} pixels (rows × columns), and the picture, as "
                f"{prompt.model.name} gets it, {shape[0]}×{shape[1]}: make it for ex.model.pixels(picture)."
            )
        return region.mask

    def about(self, question: str) -> str:
        """Return what is asked about detections.

        Raises:
            TargetError: if it is no such question, or the model has no detections.
        """
        self._check_detector("about", question, "score")
        return check_question(question)

    def least_score(self, score: float) -> float:
        """Return the least score of a picture's detections.

        Raises:
            TargetError: if it is not in [0, 1], or the model has no detections of its own.
        """
        prompt = self._context.prompt
        self._check_detector("least_score", score, 0.5)
        if isinstance(prompt, DetectionController) and not prompt.finds_for_itself:
            if score == prompt.least_score:
                return score
            raise TargetError(
                f"{prompt.model.name} follows the detections that it was given, whatever their score: leave "
                "least_score out, or give the model without them."
            )
        return check_number("least_score", score, 0, 1, error=TargetError)

    def _check_detector(self, name: str, value: Any, usual: Any) -> None:
        prompt = self._context.prompt
        if value != usual and not isinstance(prompt, DetectionController):
            raise TargetError(f"{prompt.model.name} finds no boxes: leave {name} out.")

    def method(self, name: str) -> str:
        """Return the name of a method that applies at the present layer, and to the present target.

        Raises:
            MethodError: if there is no such method, or it does not apply.
        """
        context = self._context
        chosen, model, traits = get_method(name), context.model, context.traits
        if not (traits.is_restoring or traits.is_known("method", name)):
            layer = context.values.layer or model.default_layer
            if isinstance(context.values.target, (Contrast, Counterfactual)):
                check_method(name, model, layer, *split_target(model, context.values.target))
            else:
                chosen.check(model, layer)
        return name

    def settings(self, value: Any) -> MethodSettings:
        """Return settings of methods without those that have their default.

        Raises:
            MethodError: if there is no such method or setting, or a value is out of its range.
        """
        return checked_settings(value)

    def layer(self, name: str) -> str:
        """Return the full name of a layer at which the present method applies.

        Raises:
            LayerError: if there is no such layer.
            MethodError: if the method does not apply at it.
        """
        model, traits = self._context.model, self._context.traits
        layer = model.layer(name).name
        if not (traits.is_restoring or traits.is_known("layer", name)):
            get_method(self._context.values.method).check(model, layer)
        return layer

    def fraction(self, fraction: float) -> float:
        """Return the masked share of the picture.

        Raises:
            CamwidgetError: if it is not in [0, 1].
        """
        threshold(fraction)
        return fraction

    def box_threshold(self, share: float) -> float:
        """Return the share of the map's maximum from which on a pixel counts for its box.

        Raises:
            CamwidgetError: if it is not in (0, 1].
        """
        return check_share("box_threshold", share)

    def baseline(self, name: str) -> str:
        """Return the name of a baseline.

        Raises:
            CamwidgetError: if there is no such baseline, or its library is not installed.
        """
        return check_baseline(name)

    def mask(self, paint: Any) -> np.ndarray | None:
        """Return paint as int8 (H, W) at the size of the picture shown; None for no paint.

        Raises:
            PictureError: if it is of another shape, or there is no picture.
        """
        return self._paint.checked(paint)

    def compare(self, compare: Any) -> dict[str, Any] | None:
        """Return how map B differs from map A, with complete names; None if nothing is compared.

        Raises:
            CamwidgetError: of the class that the explorer's own trait would raise.
        """
        context = self._context
        return valid_compare(
            compare, context.models, len(context.pictures.all), self._compared_model
        )

    def _compared_model(self, compare: Mapping[str, Any]) -> VisionModel | None:
        """Return B's model under its text; None if the text is not known yet, or cannot be read.

        None too while a state is restored, whose class may be one of another picture.
        """
        context = self._context
        if context.traits.is_restoring:
            return None
        prompt = context.prompts[compare.get("model", 0)]
        pictures, number = context.pictures.all, compare.get("picture", context.values.picture)
        if not prompt.is_asked or not number < len(pictures):
            return prompt.model
        text = prompt.carried(
            context.requested_text()[0], is_same_picture=number == context.values.picture
        )
        text = text or prompt.known(pictures[number])
        try:
            return None if text is None else prompt.outline(pictures[number], text)
        except PromptError:
            return None
