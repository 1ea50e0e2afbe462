"""Ground truth that comes beside a picture: its class, and masks or boxes of its objects."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...evaluation.items import parse_truth
from ...evaluation.labels import Labels
from ...images.conversion import PictureLike, is_prepared, open_picture
from ...images.ground_truth import GroundTruth
from ...models.vision_model import VisionModel

__all__ = ["GivenTruth", "true_class", "truth_of"]


def true_class(label: Any, truth: GroundTruth | None, model: VisionModel) -> int | None:
    """Return the index of a picture's true class; None if it is not known, or no class of the model.

    Args:
        label: the class that came with the picture, as an index or a name; None without.
        truth: the picture's ground truth, which may have a class itself, as the zoo's samples have.
        model: under its text.
    """
    # Under a text, other classes have the numbers.
    if model.text is not None or model.scores == "value":
        return None
    if label is None:
        label, names = getattr(truth, "label", None), getattr(truth, "classes", None)
        label = label if label is None or names is None else names[label]
    return Labels(model, None, strict=False).index(label, "the picture")


def truth_of(source: PictureLike, label: Any, given: Any, model: VisionModel) -> GroundTruth | None:
    """Return the ground truth that was given as (picture, class, truth); None where there is none.

    Args:
        source: the picture.
        label: its class.
        given: a sample, a mask (H, W), masks (n, H, W) or boxes (n, 4); None without.
        model: to whose classes the label belongs.

    Raises:
        DataError: if ``given`` is none of these.
    """
    found = parse_truth(given)
    if found is None or isinstance(found, GroundTruth):
        return found
    if is_prepared(source):  # pixels of the model's input, which no mask of the picture fits
        return None
    index = true_class(label, None, model)
    return GivenTruth(source, found, None if index is None else model.classes[index])


class GivenTruth:
    """Masks or boxes that belong to a picture's class; where that is not known, to the class explained.

    Args:
        source: the picture.
        given: what ``parse_truth`` returns.
        name: the name of the class.
    """

    def __init__(self, source: PictureLike, given: Any, name: str | None) -> None:
        self._source, self._given, self._name = source, given, name

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The picture, (H, W, 3)."""
        return np.asarray(open_picture(self._source).convert("RGB"))

    @cached_property
    def masks(self) -> NDArray[np.bool_]:
        """Masks of the objects, (n, H, W).

        Raises:
            PictureError: if they have another size than the picture.
        """
        height, width = open_picture(self._source).size[::-1]
        if not isinstance(self._given, np.ndarray):
            boxes: NDArray[np.bool_] = self._given.masks(height, width)
            return boxes
        if self._given.shape[1:] != (height, width):
            raise PictureError(
                f"The masks are {tuple(self._given.shape[1:])}, the picture is {(height, width)}: masks have the "
                "height and width of their picture."
            )
        return self._given

    def evidence(self, target: str, text: str | None = None) -> NDArray[np.bool_] | None:
        """Where the objects are, bool (H, W); None for another class than theirs."""
        return np.asarray(self.masks.any(0)) if self._name in (None, target) else None
