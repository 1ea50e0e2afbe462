"""Data set rows: the picture in a tuple, ``{'image': …, 'label': …}`` or ``{'bytes': …, 'path': …}``."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import PictureError
from .folders import picture_suffixes

__all__ = [
    "ROW_KEYS",
    "Row",
    "as_mapping",
    "class_names_of",
    "columns_of_batch",
    "images_of_batch",
    "read_row",
    "row_of_mapping",
    "table_rows",
]

#: Keys of a row's picture, of its file's path, of its class, and of masks, which are no further pictures.
_PICTURE_KEYS = ("image", "img", "pixel_values")
_PATH_KEYS = ("path", "file", "filename", "file_name", "filepath", "file_path", "image_path")
_CLASS_KEYS = ("label", "labels", "class", "class_name", "target", "category")
_MASK_KEYS = ("mask", "annotation", *_CLASS_KEYS)

#: Part of the error message for rows without a picture.
ROW_KEYS = (
    f"a picture is under {', '.join(map(repr, _PICTURE_KEYS))}, or its file's path under "
    f"{', '.join(map(repr, _PATH_KEYS))}, and its class under {', '.join(map(repr, _CLASS_KEYS))}"
)


@dataclass(frozen=True)
class Row:
    """Content of a row.

    Attributes:
        picture: the picture as stored: an image, an array, a path or bytes.
        name: name of its file; empty if unknown.
        label: its class; None if the row has none.
        truth: what follows the class in (picture, class, truth), such as masks or boxes; None without.
    """

    picture: Any
    name: str = ""
    label: Any = None
    truth: Any = None


def read_row(element: Any) -> Row:
    """Return the picture of a row (picture, class, …), of a mapping that has one, or of a single picture.

    Raises:
        PictureError: if there is no picture, or there are several.
    """
    element = as_mapping(element)
    label = truth = None
    if isinstance(element, (tuple, list)) and element:
        if len(element) > 1 and _is_surely_picture(element[1]):
            raise PictureError(
                "A list of lists of pictures: pass them as one list. Of a pair, the first is the picture and the "
                "second its class."
            )
        label = element[1] if len(element) > 1 else None
        truth = element[2] if len(element) == 3 else None
        element = as_mapping(element[0])
    if isinstance(element, Mapping) and not _is_undecoded(element):
        key = _picture_key(element)
        if key is None:
            raise PictureError(
                f"The elements of the data are mappings without a picture that is known by its name: {ROW_KEYS}. There "
                f"are {', '.join(map(repr, element))}: rename them, or pass a list of the pictures."
            )
        if label is None:
            label = next((element[k] for k in _CLASS_KEYS if k in element), None)
        element = element[key]
    if isinstance(element, Mapping) and _is_undecoded(element):
        path, content = element.get("path"), element.get("bytes")
        name = Path(path).name if path else ""
        return Row(path if content is None else content, name, label, truth)
    if element is None or isinstance(element, (bool, int, float, complex)):
        raise PictureError(
            f"{element!r} is no picture. Of a picture with its class pass the picture alone, or a list of such pairs."
        )
    is_path = isinstance(element, (str, os.PathLike))
    return Row(element, Path(element).name if is_path else "", label, truth)


def row_of_mapping(images: Mapping[Any, Any]) -> Row | None:
    """Return the row of a mapping that is one; None for a mapping from names to pictures."""
    if _is_undecoded(images):
        return read_row(images)
    key = _picture_key(images)
    if key is None:
        return None
    is_path = isinstance(images[key], (str, os.PathLike))

    def is_another(name: Any, value: Any) -> bool:
        if isinstance(value, str) and not is_path:
            return False  # a caption, or the file that the image came from
        # A vector is another input of a model, which must not be dropped silently.
        is_input = isinstance(value, torch.Tensor) and value.ndim == 1
        return name not in _MASK_KEYS and (is_input or _is_surely_picture(value))

    others = any(is_another(name, value) for name, value in images.items() if name != key)
    return None if others else read_row(images)


def class_names_of(features: Any) -> list[str] | None:
    """Return the class names that a data set's ``features`` declare, as Hugging Face's do; None if they do not."""
    if not isinstance(features, Mapping):
        return None
    declared = next((features[k] for k in _CLASS_KEYS if k in features), None)
    names = getattr(declared, "names", None)
    return list(names) if isinstance(names, (list, tuple)) else None


def as_mapping(element: Any) -> Any:
    """Return a named tuple with a picture, or a row of a pandas table, as a mapping; any other value unchanged."""
    fields = getattr(element, "_fields", None)
    if isinstance(element, tuple) and fields:
        row = dict(zip(fields, element, strict=True))
        return element if _picture_key(row) is None else row
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(element, pandas.Series):
        return element.to_dict()
    return element


def table_rows(table: Any) -> list[dict[Any, Any]] | None:
    """Return the rows of a pandas DataFrame with a column of pictures; None for one without."""
    if not len(table) or _picture_key(dict(table.iloc[0])) is None:
        return None
    rows: list[dict[Any, Any]] = table.to_dict("records")
    return rows


def _picture_key(row: Mapping[Any, Any]) -> Any:
    """Return the key of a row's picture; None if no known key is present."""
    key = next((k for k in _PICTURE_KEYS if k in row), None)
    if key is None:
        key = next((k for k in _PATH_KEYS if isinstance(row.get(k), (str, os.PathLike))), None)
    return key


def images_of_batch(batch: Any) -> Any:
    """Return the images of a DataLoader's batch: (images, classes, …) or a mapping that has them."""
    if isinstance(batch, (tuple, list)) and batch:
        return batch[0]
    key = next((k for k in _PICTURE_KEYS if isinstance(batch, Mapping) and k in batch), None)
    return batch if key is None else batch[key]


def columns_of_batch(batch: Mapping[Any, Any]) -> list[Any] | None:
    """Return the images, and classes if present, of a DataLoader's batch that is a mapping; None without images."""
    images = images_of_batch(batch)
    if images is batch:
        return None
    label = next((batch[k] for k in _CLASS_KEYS if k in batch), None)
    return [images] if label is None else [images, label]


def _is_undecoded(value: Mapping[Any, Any]) -> bool:
    """Return whether a mapping is an undecoded picture of Hugging Face's datasets: its bytes, its path, or both."""
    return {*value} <= {"bytes", "path"} and any(v is not None for v in value.values())


def _is_surely_picture(value: Any) -> bool:
    """Return whether a value is certainly a picture: an image, an array of at least two dimensions, or a path."""
    if isinstance(value, (str, os.PathLike)):
        return Path(value).suffix.lower() in picture_suffixes()
    if isinstance(value, Mapping):
        return _is_undecoded(value)
    if isinstance(value, (np.ndarray, torch.Tensor)):
        return value.ndim >= 2
    return isinstance(value, Image.Image)


def picture_of_mapping(pictures: Mapping[Any, Any]) -> Any:
    """Return the picture of a row of a data set, or of a mapping from one name."""
    row = row_of_mapping(pictures)
    if row is None and len(pictures) != 1:
        raise PictureError(
            f"One picture was expected, not a mapping of {', '.join(map(repr, pictures)) or 'nothing'}. Pass pictures "
            "one by one."
        )
    return read_row(next(iter(pictures.values()))).picture if row is None else row.picture
