"""Parse one element of a data set into picture, class and objects' places."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError, TargetError
from ..images.array_pictures import transformed_beyond
from ..images.dataset_rows import ROW_KEYS, as_mapping, row_of_mapping
from ..images.ground_truth import GroundTruth
from ..models.vision_model import VisionModel
from .items import Item, as_truth
from .labels import Labels

__all__ = ["ElementParser", "TruthLike", "parts", "title"]

#: (number, element of the data) to where its objects are: a mask, masks, boxes, or a ground truth.
TruthLike = Callable[[int, Any], Any]


@dataclass(frozen=True)
class ElementParser:
    """How an element of the data is read: a picture, its class, and where its objects are."""

    labels: Labels
    truth: TruthLike | None

    def item(self, number: int, name: str, element: Any) -> Item:
        """An element as an item.

        Raises:
            DataError: if it makes no sense, which is a fault of the data as a whole.
        """
        picture, label, truth = parts(element)
        if self.truth is not None:
            truth = self.truth(number, element)
        elif isinstance(label, Mapping):
            raise DataError(
                f"The class of {name} is a {type(label).__name__}, as of a set for detection: pass truth=…, a function "
                'of (number, element) that gives its boxes (n, 4) or masks (n, H, W), and target="predicted".'
            )
        truth = as_truth(truth)
        if isinstance(label, Mapping) or label is None:
            label = _label_of(truth, self.labels.model)
        _check_range(picture, name)
        if isinstance(picture, (str, os.PathLike)):
            picture = Path(picture).expanduser()
        return Item(number, name, picture, self.labels.index(label, name), truth)


def parts(element: Any) -> tuple[Any, Any, Any]:
    """Picture, class and truth of an element; None for what it does not say."""
    element = as_mapping(element)
    if isinstance(element, GroundTruth):
        return element.image, None, element
    if isinstance(element, (tuple, list)) and 1 <= len(element) <= 3:
        picture, label, truth = (*element, None, None)[:3]
        if isinstance(picture, GroundTruth):
            return picture.image, label, picture if truth is None else truth
        return picture, label, truth
    if isinstance(element, Mapping):
        row = row_of_mapping(element)
        if row is None:
            raise DataError(
                f"The elements of the data are mappings of {', '.join(map(repr, element)) or 'nothing'}, and which "
                f"of these is the picture is not known: {ROW_KEYS}. Rename them, or pass (picture, class)."
            )
        return row.picture, row.label, None
    if isinstance(element, (tuple, list)):
        raise DataError(
            f"An element of the data is a picture, (picture, class) or (picture, class, truth), not {len(element)} "
            "things."
        )
    return element, None, None


def _label_of(truth: Any, model: VisionModel) -> int | None:
    """The class of a sample that knows its own, if it is a class of the model."""
    label, classes = getattr(truth, "label", None), getattr(truth, "classes", None)
    if label is None:
        return None
    try:
        return model.class_index(label if classes is None else classes[label])
    except TargetError:
        return None


def _check_range(picture: Any, name: str) -> None:
    """Refuse tensors that are normalised already: the whole set will be.

    Raises:
        DataError: names the remedy.
    """
    if found := transformed_beyond(picture):
        raise DataError(f"The tensor of {name} {found}")


def title(element: Any, number: int) -> str:
    """What to call an element: its file's name, if it has one."""
    picture = parts(element)[0]
    if isinstance(picture, (str, os.PathLike)):
        return Path(picture).name
    return f"picture {number}"
