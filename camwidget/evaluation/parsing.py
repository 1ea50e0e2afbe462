"""Parsing of one element of a data set into picture, class and object locations."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._validation import encodable_text
from ..errors import DataError, TargetError
from ..images.array_pictures import transformed_beyond
from ..images.dataset_rows import ROW_KEYS, as_mapping, row_of_mapping
from ..images.ground_truth import GroundTruth
from ..models.vision_model import VisionModel
from .items import Item, parse_truth
from .labels import Labels

__all__ = ["ElementParser", "TruthLike", "element_name", "split_element"]

#: A function from (number, element of the data) to object locations: a mask, masks, boxes, or a sample.
TruthLike = Callable[[int, Any], Any]


@dataclass(frozen=True)
class ElementParser:
    """Parser of the elements of a data set."""

    labels: Labels
    truth: TruthLike | None

    def item(self, number: int, name: str, element: Any) -> Item:
        """Parse an element.

        Raises:
            DataError: if it is not valid, which indicates a fault of all the data.
        """
        picture, label, truth = split_element(element)
        if self.truth is not None:
            truth = self.truth(number, element)
        elif isinstance(label, Mapping):
            raise DataError(
                f"The class of {name} is a {type(label).__name__}, as of a set for detection: pass truth=…, a function "
                'of (number, element) that gives its boxes (n, 4) or masks (n, H, W), and target="predicted".'
            )
        truth = parse_truth(truth, of_clip=self.labels.model.frames is not None)
        if isinstance(label, Mapping) or label is None:
            label = _label_of(truth, self.labels.model)
        _check_range(picture, name)
        if isinstance(picture, (str, os.PathLike)):
            picture = Path(picture).expanduser()
        return Item(number, encodable_text(name), picture, self.labels.index(label, name), truth)


def split_element(element: Any) -> tuple[Any, Any, Any]:
    """Split an element into picture, class and truth; None for what it lacks."""
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
            "things. A clip that is a list of frames is passed as ([frame, …], class)."
        )
    return element, None, None


def _label_of(truth: Any, model: VisionModel) -> int | None:
    """The class of a sample with a label, if the model has that class."""
    label, classes = getattr(truth, "label", None), getattr(truth, "classes", None)
    if label is None:
        return None
    try:
        return model.class_index(label if classes is None else classes[label])
    except TargetError:
        return None


def _check_range(picture: Any, name: str) -> None:
    """Refuse a normalized tensor; it indicates that all tensors of the data are normalized.

    Raises:
        DataError: names the remedy.
    """
    if found := transformed_beyond(picture):
        raise DataError(f"The tensor of {name} {found}")


def element_name(element: Any, number: int) -> str:
    """The display name of an element: its file name, or its number."""
    picture = split_element(element)[0]
    if isinstance(picture, (str, os.PathLike)):
        return Path(picture).name
    return f"picture {number}"
