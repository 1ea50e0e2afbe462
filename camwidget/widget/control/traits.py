"""Traits of an explorer and their validation."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import ipywidgets
import numpy as np
import traitlets as t

from ...analysis.mask_curve import MaskCurve
from ...attribution.explanation import Explanation
from ...attribution.methods import get_method
from ...errors import PictureError, PromptError
from ...masking.baselines import check_baseline
from ...masking.ranks import threshold
from ...models.vision_model import VisionModel
from ...runtime.error_reports import error_text
from ..host.lifetime import HeldWhileShown
from ..view.display import Display
from .cache import Picture
from .comparison import ARRANGEMENTS, valid_compare
from .masked_prediction import MODES
from .paint import Brush, PaintTrait
from .prompt_control import PromptController

__all__ = ["ExplorerTraits"]


class ExplorerTraits(HeldWhileShown, ipywidgets.Box):
    """The traits of an explorer. ``Explorer`` says what they mean, and does what follows when one is set.

    Whoever sets one to what cannot be gets a named error, and the trait stays as it was.
    """

    picture = t.Int(0)
    target = t.Any(None, allow_none=True)
    method = t.Unicode("gradcam")
    layer = t.Unicode("")
    fraction = t.Float(0.0)
    mode = t.Enum(MODES, "remove")
    baseline = t.Unicode("blur")
    mask = PaintTrait(None, allow_none=True)
    text = t.Unicode("")
    outlines = t.Bool(False)
    boxes = t.Bool(False)
    compare = t.Any(None, allow_none=True)
    arrangement = t.Enum(ARRANGEMENTS, "side")
    explanation = t.Instance(Explanation, allow_none=True, read_only=True)
    curve = t.Instance(MaskCurve, allow_none=True, read_only=True)
    other = t.Instance(Explanation, allow_none=True, read_only=True)
    can_undo = t.Bool(False, read_only=True)
    can_redo = t.Bool(False, read_only=True)

    pictures: list[Picture]
    models: tuple[VisionModel, ...]
    _texts: PromptController
    _every: tuple[PromptController, ...]  #: of each model; the first is ``_texts``
    _screen: Display
    _brush: Brush
    #: Of this thread, the trait that is being set to what is on the screen already: (name, value).
    _stated: threading.local

    @property
    def _restoring(self) -> bool:
        """Whether this thread sets several traits together, which have been checked: nothing is asked until all are."""
        return getattr(self._stated, "restoring", False)

    @_restoring.setter
    def _restoring(self, value: bool) -> None:
        self._stated.restoring = value

    @property
    def model(self) -> VisionModel:
        """The model whose classes are shown, under the text in force."""
        return self._screen.model

    @t.validate("target")
    def _valid_target(self, proposal: Any) -> str | None:
        value = proposal["value"]
        if value is None or self._is_stated("target", value):
            return value
        model = self._asked()[1]
        return model.classes[model.class_index(value)]

    @t.validate("text")
    def _valid_text(self, proposal: Any) -> str:
        value = proposal["value"]
        return value if self._is_stated("text", value) else self._readable(value)

    def _readable(self, text: str) -> str:
        """A text as the model has it.

        Raises:
            PromptError: if it cannot be read.
        """
        model = self._texts.model
        if model.prompt is None:
            if text != "":
                raise PromptError(f"{model.name} takes no text beside the picture.")
            return text
        return model.given(**{model.prompt.name: text}).text or ""

    def _asked(self) -> tuple[str | None, VisionModel]:
        """The text that the present picture is to be explained under, and the model under it."""
        if not self.pictures or self._texts.model.prompt is None:
            return None, self.model
        picture = self.pictures[self.picture]
        # Of a text that the model has still to propose, nobody knows the classes: it is asked at once.
        model = self._texts.bench(picture, self._texts.known(picture)).model
        return model.text, model

    @t.validate("method")
    def _valid_method(self, proposal: Any) -> str:
        chosen = get_method(proposal["value"])
        if not self._restoring:
            chosen.check(self.model, self.layer or self.model.default_layer)
        return proposal["value"]

    @t.validate("layer")
    def _valid_layer(self, proposal: Any) -> str:
        name = self.model.layer(proposal["value"]).name
        if not self._restoring:
            get_method(self.method).check(self.model, name)
        return name

    @t.validate("fraction")
    def _valid_fraction(self, proposal: Any) -> float:
        threshold(proposal["value"])  # refuses what is not in [0, 1]
        return proposal["value"]

    @t.validate("baseline")
    def _valid_baseline(self, proposal: Any) -> str:
        return check_baseline(proposal["value"])

    @t.validate("mask")
    def _valid_mask(self, proposal: Any) -> np.ndarray | None:
        return self._brush.checked(proposal["value"])

    @t.validate("picture")
    def _valid_picture(self, proposal: Any) -> int:
        number = proposal["value"]
        if number != 0 and not 0 <= number < len(self.pictures):
            raise PictureError(
                f"There is no picture {number}: there are {len(self.pictures)}, from 0."
            )
        return number

    @t.validate("compare")
    def _valid_compare(self, proposal: Any) -> dict[str, Any] | None:
        return valid_compare(proposal["value"], self.models, len(self.pictures), self._other_model)

    def _other_model(self, compare: Mapping[str, Any]) -> VisionModel | None:
        """B's model under the text that it will have; None if that is not known yet, or cannot be read."""
        texts = self._every[compare.get("model", 0)]
        number = compare.get("picture", self.picture)
        if texts.model.prompt is None or not number < len(self.pictures):
            return texts.model
        picture = self.pictures[number]
        text = self._asked()[0] or texts.known(picture)
        try:
            return None if text is None else texts.bench(picture, text).model
        except PromptError:
            return None

    def _state(self, name: str, value: Any) -> None:
        """Set a trait to what is on the screen, or asked for, already: nothing is asked anew."""
        before = getattr(self._stated, "now", None)
        self._stated.now = (name, value)
        try:
            self._announce(name, value)
        finally:
            self._stated.now = before

    def _is_stated(self, name: str, value: Any) -> bool:
        return getattr(self._stated, "now", None) == (name, value)

    def _announce(self, name: str, value: Any) -> None:
        """Set a trait; what someone's observer raises is shown, and stops nothing else."""
        try:
            self.set_trait(name, value)
        except Exception as error:
            # Also what we raise on purpose: it is somebody's code that did not expect it.
            begin = f"An observer of {name!r} raised"
            self._screen.tell(error=error_text(error, self, begin=begin, known=()))
