"""Items of a data set: one picture with its label and the locations of its objects."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .._validation import check_no_masked_values
from ..errors import DataError, PictureError
from ..images.array_pictures import check_tensor
from ..images.boxes import NOTATIONS, corners
from ..images.clips import clip_size
from ..images.conversion import is_prepared
from ..images.ground_truth import (
    GroundTruth,
    ObjectLocations,
    locate_objects,
    object_locations,
    objects_of,
)
from ..metrics.measuring import place_asked_about
from ..models.vision_model import VisionModel

__all__ = ["Item", "OpenedItem", "open_item", "parse_truth"]

Masks = NDArray[np.bool_]

#: Boxes of which no coordinate is above this are relative: in pixels they would all lie in one. A little above 1, which
#: rounding may leave.
_RELATIVE = 1 + 1e-4


@dataclass(frozen=True, eq=False)
class BoxRegions:
    """Bounding boxes of objects, float64 (n, 4): left, top, right, bottom, in the picture's own pixels."""

    corners: NDArray[np.float64]

    def masks(self, height: int, width: int) -> Masks:
        """The boxes as masks (n, H, W) that include every pixel a box touches."""
        masks = np.zeros((len(self.corners), height, width), bool)
        for mask, (left, top, right, bottom) in zip(masks, self.corners, strict=True):
            rows = slice(max(0, int(np.floor(top))), max(0, int(np.ceil(bottom))))
            mask[rows, max(0, int(np.floor(left))) : max(0, int(np.ceil(right)))] = True
        return masks


@dataclass(frozen=True, eq=False)
class Item:
    """One picture of a data set, not yet opened.

    Attributes:
        number: index in the data.
        name: name for display.
        picture: a path, or the picture itself.
        label: index of the true class; None if unknown.
        truth: masks bool (n, H, W), boxes, or a sample with a ground truth; None if unknown.
        error: why the data could not provide the picture; empty if it could.
    """

    number: int
    name: str
    picture: Any = None
    label: int | None = None
    truth: Masks | BoxRegions | GroundTruth | None = None
    error: str = ""


def parse_truth(value: Any, *, of_clip: bool = False) -> Masks | BoxRegions | GroundTruth | None:
    """Parse a user's object locations.

    Args:
        value: a mask (H, W), masks (n, H, W), boxes (n, 4), a sample with a ground truth, or None. Of a clip, a mask
            (T, H, W) or masks (n, T, H, W), and no boxes.
        of_clip: whether the picture is a clip.

    Returns:
        Masks, boxes or the sample; None for None.

    Raises:
        DataError: if ``value`` is none of these.
    """
    if value is None or isinstance(value, GroundTruth):
        return value
    try:
        if isinstance(value, torch.Tensor):
            check_tensor(value, "truth")
            value = _corners_of(value).numpy(force=True)
        check_no_masked_values(value, "the truth")
    except PictureError as error:
        raise DataError(str(error)) from None
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(None)
    is_number = array.dtype == np.bool_ or np.issubdtype(array.dtype, np.number)
    if array.size == 0 and array.ndim == 1:
        array = array.reshape(0, 4)
    few, many = (3, 4) if of_clip else (2, 3)
    is_boxes = is_number and array.dtype != np.bool_ and array.shape[-1:] == (4,)
    if is_boxes and array.ndim <= 2 and not of_clip:
        corners = array.reshape(-1, 4).astype(np.float64)
        # NaN compares as false.
        proper = (corners[:, :2] <= corners[:, 2:]).all(1) & np.isfinite(corners).all(1)
        if not proper.all():
            raise DataError(
                "Boxes are (left, top, right, bottom) in pixels, left ≤ right and top ≤ bottom; found "
                f"{corners[~proper][0].tolist()}. Boxes of (x, y, width, height) are turned by adding x and y to the "
                "last two."
            )
        if 0 < corners.max(initial=0) <= _RELATIVE:
            raise DataError(
                "Boxes are (left, top, right, bottom) in the picture's own pixels; here all coordinates lie between 0 "
                f"and 1, as relative ones do, such as {corners[0].tolist()}: multiply left and right by the picture's "
                "width, top and bottom by its height."
            )
        return BoxRegions(corners)
    is_sized = is_number and array.ndim in (few, many)
    if is_sized and set(np.unique(array).tolist()) <= {0, 1}:
        masks = array.astype(bool)
        return masks if masks.ndim == many else masks[None]
    hint = ""
    if is_sized:
        hint = " Convert other values to bool first: mask > 0, or mask == class for a map of class numbers."
    elif isinstance(value, Mapping):
        hint = " Pass one entry of the mapping, such as its boxes."
    if of_clip:
        raise DataError(
            "The location of objects in a clip is a mask (T, H, W) of 0 and 1, masks (n, T, H, W), or a sample with "
            f"masks; found {_description(value, array)}.{hint}"
        )
    raise DataError(
        f"The location of objects is a mask (H, W) of 0 and 1, masks (n, H, W), boxes (n, 4) as (left, top, right, "
        f"bottom), or a sample with masks; found {_description(value, array)}.{hint}"
    )


def _corners_of(tensor: torch.Tensor) -> torch.Tensor:
    """Convert torchvision's bounding boxes to (left, top, right, bottom); other tensors are unchanged."""
    # Torchvision takes seconds to import: without it there are no boxes of its.
    library = sys.modules.get("torchvision.tv_tensors")
    if library is None or not isinstance(tensor, library.BoundingBoxes):
        return tensor
    notation = tensor.format.value.lower()
    if notation not in NOTATIONS:
        raise DataError(
            f"Boxes of the notation {tensor.format.value} are not upright: pass masks (n, H, W) instead."
        )
    return corners(tensor.as_subclass(torch.Tensor), notation)


def _description(value: Any, array: np.ndarray) -> str:
    numbers = np.issubdtype(array.dtype, np.number) or array.dtype == np.bool_
    return (
        f"{array.dtype} of shape {array.shape}" if numbers and array.ndim else type(value).__name__
    )


@dataclass(frozen=True, eq=False)
class OpenedItem:
    """A picture at the model's input size.

    Attributes:
        item: the picture's item.
        pixels: float32 (C, H, W) in [0, 1] on the CPU; of a clip, the strip (C, T·H, W).
        locate: maps a model and a class index to the locations of the class's objects; to None if they are unknown.
    """

    item: Item
    pixels: torch.Tensor
    locate: Callable[[VisionModel, int], ObjectLocations | None]


def open_item(item: Item, model: VisionModel) -> OpenedItem:
    """Read a picture.

    Raises:
        PictureError: if it cannot be read, or its masks have another size.
    """
    if item.error:
        raise PictureError(item.error)
    if is_prepared(item.picture):
        pixels = model.preprocess.pixels(item.picture)
        height, width = int(pixels.shape[-2]), int(pixels.shape[-1])
        frames = model.frames
        size = (height, width) if frames is None else (frames, height // frames, width)
        return OpenedItem(item, pixels, _object_locator(item, size, is_pixels=True))
    if model.frames is not None:
        pixels = model.preprocess.pixels(item.picture)
        # The clip is read again for its own size, which only its masks are compared with.
        own = (
            () if item.truth is None else clip_size(item.picture, model.preprocess.of_frames().read)
        )
        return OpenedItem(item, pixels, _object_locator(item, own, is_pixels=False))
    name = item.name if isinstance(item.picture, (bytes, Path)) else None
    picture = model.preprocess.read(item.picture, name=name)
    pixels = model.preprocess.pixels(picture)
    return OpenedItem(item, pixels, _object_locator(item, picture.size[::-1], is_pixels=False))


def _check_inside(corners: NDArray[np.float64], size: tuple[int, int], name: str) -> None:
    """Refuse boxes outside of their picture, which indicate a picture of another size."""
    height, width = size
    outside = (corners[:, :2] >= (width, height)).any(1) | (corners[:, 2:] < 0).any(1)
    if outside.any():
        raise PictureError(
            f"The box {corners[outside][0].tolist()} of {name} is outside the picture, which is {width}×{height}: "
            "give boxes in pixels of the picture that is passed; resize them with it."
        )


def _object_locator(
    item: Item, size: tuple[int, ...], *, is_pixels: bool
) -> Callable[[VisionModel, int], ObjectLocations | None]:
    """A function from a model and a class index to the locations of the class's objects.

    Masks and boxes belong to the true class; where that is unknown, to the explained class. Without them, the place is
    that which the model is asked about: the box of the detection, or the region.
    """
    truth = item.truth
    if truth is None:
        return place_asked_about
    height, width = size[-2:]
    if isinstance(truth, BoxRegions):
        _check_inside(truth.corners, (height, width), item.name)
    if not isinstance(truth, BoxRegions):
        masks = truth.masks if isinstance(truth, GroundTruth) else truth
        if masks.shape[1:] != size:
            raise PictureError(
                f"The masks of {item.name} are {tuple(masks.shape[1:])}, the picture is {size}: masks have the height "
                "and width of their picture, and of a clip its frames."
            )

    def objects(model: VisionModel, target: int) -> Masks | None:
        if isinstance(truth, GroundTruth):
            return objects_of(truth, model.category(target), model.text)
        if item.label not in (None, target):
            return None
        # Converted on request: the masks of many boxes of a large picture would fill the memory.
        return truth.masks(height, width) if isinstance(truth, BoxRegions) else truth

    def locate(model: VisionModel, target: int) -> ObjectLocations | None:
        if model.finds_boxes and isinstance(truth, GroundTruth):
            # A sample knows the places of classes, and not which of its objects a detection is.
            return place_asked_about(model, target)
        found = objects(model, target)
        if found is None:
            return None
        if not is_pixels:
            return locate_objects(found, model.preprocess)
        drawn = found if len(found) else np.zeros((1, *size), bool)
        return object_locations(drawn.reshape(len(drawn), -1, size[-1]))  # of a clip, strips

    return locate
