"""Data of a saliency map on its way: the request, its resolved inputs, the result, and the worker's jobs for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np

from ..._registry import Options
from ...attribution.explanation import Explanation
from ...attribution.methods import Method
from ...attribution.stance import FOR, Stance, explained_class, stance_of
from ...models.vision_model import VisionModel
from .cache import ModelCache, Picture
from .method_settings import configured

__all__ = ["COMPARED_JOBS", "MAIN_JOBS", "Given", "MapInputs", "MapJobs", "MapRequest", "MapResult"]

#: What a model is given beside the picture: a text; or references, each a text, a name, or the number of a picture.
Given: TypeAlias = str | tuple[str | int, ...]


class MapRequest(NamedTuple):
    """A request for the main map. ``options`` are settings of the method.

    ``target`` is a class, and None stands for the predicted one; ``stance`` is whether the map is for it, against
    it, or for it rather than another. ``text`` None stands for the picture's own text, which the model may not
    have proposed yet. The classes depend on the text: a request with a target has the text too. Of a model that
    compares pictures with references, these are its ``text``.
    """

    picture: Picture
    target: int | None
    method: str
    layer: str
    text: Given | None = None
    stance: Stance = FOR
    options: Options = ()


@dataclass(frozen=True)
class MapInputs:
    """Inputs of a map: a request with its text, class and layer looked up.

    Attributes:
        cache: of the model under the text.
        picture: the picture explained.
        target: index of the class; None for the predicted one.
        method: name of the method.
        layer: name of the layer.
        stance: whether the map is for the class, against it, or for it rather than another.
        options: settings of the method.
        has_paint: whether paint on the picture shown applies, which needs the same pixels.
    """

    cache: ModelCache
    picture: Picture
    target: int | None
    method: str
    layer: str
    stance: Stance = FOR
    options: Options = ()
    has_paint: bool = True

    @property
    def configured(self) -> Method:
        """The method with its settings."""
        return configured(self.method, self.options)


M_co = TypeVar("M_co", bound=MapInputs, covariant=True)


@dataclass(frozen=True, eq=False)
class MapResult(Generic[M_co]):
    """A finished map.

    Attributes:
        inputs: the inputs that it was computed from.
        explanation: the map.
        unmasked: probabilities, or quantities, of the unmasked picture, float64 (classes,).
    """

    inputs: M_co
    explanation: Explanation
    unmasked: np.ndarray

    @property
    def target(self) -> int:
        """Index of the class explained."""
        return explained_class(self.explanation.target)

    @property
    def stance(self) -> Stance:
        """Whether the map is for the class, against it, or for it rather than another."""
        return stance_of(self.explanation.target)

    @property
    def model(self) -> VisionModel:
        """The model explained, under its text."""
        return self.inputs.cache.model


class MapJobs(NamedTuple):
    """Names of a map controller's jobs on the worker."""

    quick: str  #: a map by one forward pass
    slow: str  #: a map by many passes, which is shown while it grows
    prediction: str  #: the prediction at the slider's position
    curve: str  #: the predictions along the curve


MAIN_JOBS = MapJobs("map", "grow", "mask", "curve")
COMPARED_JOBS = MapJobs("compared map", "compared grow", "compared mask", "compared curve")
