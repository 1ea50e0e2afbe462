"""Traits of an explorer with their validators, and its properties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import traitlets as t

from ..analysis.localizing import THRESHOLD
from ..analysis.mask_curve import MaskCurve
from ..attribution.explanation import Explanation
from ..attribution.stance import NamedTarget
from ..models.vision_model import VisionModel
from . import _compat
from .control.cache import Picture
from .control.comparison import ARRANGEMENTS
from .control.method_settings import MethodSettings
from .control.paint import PaintTrait
from .explorer_parts import ExplorerParts
from .host.lifetime import HeldWhileShown
from .state.explorer_state import State, read_state
from .view.mask_settings import MODES

__all__ = ["ExplorerTraits"]


class _TargetTrait(t.Any):
    """Name of the class explained.

    It is the one shown until another is, so that setting it to the same is a request too: after another picture was
    chosen, whose predicted class is not known yet, or after the first map has failed. Observers are called then.

    Args:
        is_requested: (explorer, class) to whether a map of that class is requested.
    """

    def __init__(self, is_requested: Callable[[Any, str | None], bool]) -> None:
        super().__init__(None, allow_none=True)
        self._is_requested = is_requested

    def set(self, obj: t.HasTraits, value: Any) -> None:
        """Set the trait as every trait is, but call its observers also where it is not what is requested."""
        _compat.set_trait_if(
            self,
            obj,
            value,
            lambda before, after: before != after or not self._is_requested(obj, after),
        )


class ExplorerTraits(HeldWhileShown, ipywidgets.Box):
    """Traits and properties of an explorer; ``Explorer`` documents them.

    Setting a trait to an invalid value raises a ``CamwidgetError`` and leaves the trait as it was.
    """

    def _is_target_requested(self, target: NamedTarget | None) -> bool:
        return self._parts.requests.is_target_requested(target)

    picture = t.Int(0)
    target = _TargetTrait(_is_target_requested)
    method = t.Unicode("gradcam")
    settings: Any = t.Dict({})
    layer = t.Unicode("")
    fraction = t.Float(0.0)
    mode = t.Enum(MODES, "remove")
    baseline = t.Unicode("blur")
    mask = PaintTrait(None, allow_none=True)
    text = t.Unicode("")
    # ``Any`` takes None unchecked.
    references: Any = t.TraitType(())
    region = PaintTrait(None, allow_none=True)
    about = t.Unicode("score")
    least_score = t.Float(0.5)
    outlines = t.Bool(False)
    boxes = t.Bool(False)
    box_threshold = t.Float(THRESHOLD)
    compare = t.Any(None, allow_none=True)
    arrangement = t.Enum(ARRANGEMENTS, "side")
    explanation = t.Instance(Explanation, allow_none=True, read_only=True)
    curve = t.Instance(MaskCurve, allow_none=True, read_only=True)
    other = t.Instance(Explanation, allow_none=True, read_only=True)
    can_undo = t.Bool(False, read_only=True)
    can_redo = t.Bool(False, read_only=True)

    #: Set before any trait is.
    _parts: ExplorerParts

    @property
    def state(self) -> State:
        """All settings, of the map and of how it is drawn, as a small dict that JSON can store.

        Setting it restores the view, in this or another explorer; keys that are left out keep their values. All of it
        is checked before anything is set, and one map is requested at most.

        Raises:
            StateError: if a key is unknown, or a value is invalid; nothing is changed then.
        """
        return read_state(self._parts.state)

    @state.setter
    def state(self, wanted: State) -> None:
        self._parts.history.restore(wanted)

    @property
    def code(self) -> str:
        """Python code that shows the present view again, and computes the same without the widget.

        Objects that code cannot name, such as a module or an array of yours, are ``...`` with a comment.
        """
        return self._parts.writer.code()

    @property
    def pictures(self) -> list[Picture]:
        """All pictures of the explorer."""
        return self._parts.context.pictures.all

    @property
    def models(self) -> tuple[VisionModel, ...]:
        """All models."""
        return self._parts.context.models

    @property
    def model(self) -> VisionModel:
        """The model whose classes are listed, under the text of the map that is shown."""
        return self._parts.context.model

    @property
    def sentence(self) -> str:
        """The sentence below the slider: how masking the picture changes the class."""
        return str(self._parts.context.display.view.sentence)

    @property
    def difference(self) -> np.ndarray | None:
        """The map shown minus the compared map, each divided by its maximum: float32 (H, W) in [-1, 1].

        Of a clip (T, H, W). None while there is no compared map, and if the two maps are of different pixels.
        """
        return self._parts.requests.difference()

    @property
    def masked(self) -> np.ndarray:
        """The pixels that are replaced by the slider and by paint, bool (H, W).

        In the mode "multiply" only painted pixels are replaced.
        """
        return self._parts.requests.replaced()

    # -- validation ------------------------------------------------------------------------

    @t.validate("picture")
    def _valid_picture(self, proposal: Any) -> int:
        return self._parts.checks.picture(proposal["value"])

    @t.validate("target")
    def _valid_target(self, proposal: Any) -> NamedTarget | None:
        return self._parts.checks.target(proposal["value"])

    @t.validate("text")
    def _valid_text(self, proposal: Any) -> str:
        return self._parts.checks.text(proposal["value"])

    @t.validate("references")
    def _valid_references(self, proposal: Any) -> tuple[str | int, ...]:
        return self._parts.checks.references(proposal["value"])

    @t.validate("region")
    def _valid_region(self, proposal: Any) -> np.ndarray | None:
        return self._parts.checks.region(proposal["value"])

    @t.validate("about")
    def _valid_about(self, proposal: Any) -> str:
        return self._parts.checks.about(proposal["value"])

    @t.validate("least_score")
    def _valid_least_score(self, proposal: Any) -> float:
        return self._parts.checks.least_score(proposal["value"])

    @t.validate("method")
    def _valid_method(self, proposal: Any) -> str:
        return self._parts.checks.method(proposal["value"])

    @t.validate("settings")
    def _valid_settings(self, proposal: Any) -> MethodSettings:
        return self._parts.checks.settings(proposal["value"])

    @t.validate("layer")
    def _valid_layer(self, proposal: Any) -> str:
        return self._parts.checks.layer(proposal["value"])

    @t.validate("fraction")
    def _valid_fraction(self, proposal: Any) -> float:
        return self._parts.checks.fraction(proposal["value"])

    @t.validate("box_threshold")
    def _valid_box_threshold(self, proposal: Any) -> float:
        return self._parts.checks.box_threshold(proposal["value"])

    @t.validate("baseline")
    def _valid_baseline(self, proposal: Any) -> str:
        return self._parts.checks.baseline(proposal["value"])

    @t.validate("mask")
    def _valid_mask(self, proposal: Any) -> np.ndarray | None:
        return self._parts.checks.mask(proposal["value"])

    @t.validate("compare")
    def _valid_compare(self, proposal: Any) -> dict[str, Any] | None:
        return self._parts.checks.compare(proposal["value"])
