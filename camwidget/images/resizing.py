"""Resizing and cropping of PIL images as torchvision does it, without importing torchvision, which takes seconds."""

from __future__ import annotations

from typing import Any

from PIL import Image

from ..errors import ModelError

__all__ = ["center_crop", "check_filter", "resize"]

#: Pillow's filters by the values of torchvision's ``InterpolationMode``.
_FILTERS = {
    "nearest": Image.Resampling.NEAREST,
    "nearest-exact": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "box": Image.Resampling.BOX,
    "hamming": Image.Resampling.HAMMING,
    "lanczos": Image.Resampling.LANCZOS,
}


def check_filter(interpolation: Any) -> str:
    """Return the name of an interpolation.

    Args:
        interpolation: a name, or a member of torchvision's ``InterpolationMode``.

    Raises:
        ModelError: if there is no such interpolation.
    """
    name = getattr(interpolation, "value", interpolation)
    if not isinstance(name, str) or name not in _FILTERS:
        raise ModelError(
            f"There is no interpolation {interpolation!r}: use {', '.join(map(repr, _FILTERS))}."
        )
    return name


def resize(image: Image.Image, size: int | tuple[int, int], interpolation: str) -> Image.Image:
    """Resize an image.

    Args:
        image: any image.
        size: length of the short side, whose ratio to the long one stays as it is; or (height, width).
        interpolation: from ``check_filter``.
    """
    width, height = image.size
    if isinstance(size, int):
        # Torchvision rounds the long side down.
        long = int(size * max(width, height) / min(width, height))
        size = (long, size) if width <= height else (size, long)
    if size == (height, width):
        return image
    return image.resize(size[::-1], _FILTERS[interpolation])


def center_crop(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Return the middle (height, width) of an image; where the image is smaller, zeros surround it."""
    width, height = image.size
    top, left = _start(height, size[0]), _start(width, size[1])
    if (top, left, *size) == (0, 0, height, width):
        return image
    return image.crop((left, top, left + size[1], top + size[0]))


def _start(length: int, crop: int) -> int:
    """Return where the middle of a side begins: rounded to even inside of the image, up beside it."""
    return round((length - crop) / 2) if length >= crop else -((crop - length) // 2)
