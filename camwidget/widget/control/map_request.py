"""Data of a saliency map on its way: the request, its resolved inputs, the result, and the worker's jobs for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeAlias, TypeVar

import numpy as np

from ..._registry import Options
from ...attribution.explanation import Explanation
from ...attribution.methods import Method
from ...attribution.stance import FOR, Stance, explained_class, stance_of
from ...masking.user_mask import decode, encode
from ...models.detections import Detection
from ...models.vision_model import VisionModel
from .cache import ModelCache, Picture
from .method_settings import configured

__all__ = [
    "COMPARED_JOBS",
    "MAIN_JOBS",
    "WHOLE",
    "Detections",
    "Given",
    "MapInputs",
    "MapJobs",
    "MapRequest",
    "MapResult",
    "Region",
]


@dataclass(frozen=True)
class Detections:
    """Detections of a picture, which are its classes; what is asked about them, and the least score of a picture's."""

    chosen: tuple[Detection, ...]
    about: str = "score"
    least_score: float = 0.5


@dataclass(frozen=True)
class Region:
    """Pixels that are asked about: the shape (H, W) of the picture, and runs of ``user_mask.encode``."""

    shape: tuple[int, int]
    runs: tuple[int, ...]

    @classmethod
    def of(cls, mask: np.ndarray | None) -> Region:
        """Encode a mask, bool (H, W), or None for the whole picture."""
        if mask is None:
            return WHOLE
        height, width = mask.shape
        return cls((height, width), tuple(encode(mask.astype(np.int8))))

    @property
    def mask(self) -> np.ndarray | None:
        """The pixels, bool (H, W), read-only; None for the whole picture."""
        paint = decode(self.runs, self.shape)
        if paint is None:
            return None
        mask: np.ndarray = paint > 0
        mask.flags.writeable = False
        return mask


#: The region that is the whole picture.
WHOLE = Region((0, 0), ())

#: What a model is given beside the picture: a text; references, each a text, a name, or the number of a picture; the
#: detections that are its classes; or a region that is asked about.
Given: TypeAlias = str | tuple[str | int, ...] | Detections | Region


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
        fraction: the fraction that is masked where it is not the slider's; None where it is.
    """

    cache: ModelCache
    picture: Picture
    target: int | None
    method: str
    layer: str
    stance: Stance = FOR
    options: Options = ()
    has_paint: bool = True
    fraction: float | None = field(default=None, kw_only=True)

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
