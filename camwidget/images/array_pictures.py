"""Array pictures: pictures of more than 8 bits a channel, or with another number of channels than RGB."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from PIL import Image

from ..errors import PictureError, warn

__all__ = [
    "ArrayPicture",
    "Levels",
    "beyond_pixels",
    "channels_shown",
    "check_levels",
    "check_tensor",
    "read_array",
    "shades",
    "shaped_array",
    "transformed_beyond",
]

#: Values of black and white, which are mapped to 0 and 1; values beyond are clipped.
Levels: TypeAlias = "tuple[float, float]"

#: Distance from [0, 1] up to which floating-point pixels are clipped: a quarter of an 8-bit level, above any rounding
#: error.
ROUNDING = 1e-3

#: Largest 12-bit value; scanners and detectors store 12 bits in 16.
_TWELVE_BITS = 4095


@dataclass(frozen=True, eq=False)
class ArrayPicture:
    """Picture as an array.

    Attributes:
        values: uint8, or float32 in [0, 1], of shape (H, W, C) with any C.
    """

    values: np.ndarray = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, as in PIL."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.values.shape[2])

    @property
    def is_deep(self) -> bool:
        """Whether the values have more than 8 bits."""
        return self.values.dtype != np.uint8

    def planes(self) -> list[Image.Image]:
        """Return each channel as a PIL image of mode L, or F if the values have more than 8 bits."""
        return [
            Image.fromarray(np.ascontiguousarray(self.values[..., n])) for n in range(self.channels)
        ]

    def to_channels(self, count: int) -> ArrayPicture:
        """Convert the picture for a model of ``count`` channels: gray is repeated for RGB, RGB is weighted to gray.

        Raises:
            PictureError: for any other numbers of channels that differ.
        """
        if self.channels == count:
            return self
        if (self.channels, count) == (1, 3):
            return ArrayPicture(np.repeat(self.values, 3, axis=2))
        if (self.channels, count) == (3, 1):
            # ITU-R 601, the weights that PIL uses for 8-bit colors.
            gray = self.values.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
            gray = gray if self.is_deep else np.round(gray).astype(np.uint8)
            return ArrayPicture(gray[..., None])
        raise PictureError(
            f"The picture has {self.channels} channel{'s' * (self.channels != 1)}, and this model takes {count}: pass "
            f"an array of shape (H, W, {count}) or a tensor ({count}, H, W)."
        )

    def shown(self) -> Image.Image:
        """Return the picture as an 8-bit RGB image, by the rule of ``shades``."""
        values = torch.from_numpy(np.ascontiguousarray(self.values)).movedim(-1, 0)
        return Image.fromarray(shades(values if self.is_deep else values.float() / 255))


def shades(pixels: torch.Tensor) -> np.ndarray:
    """Convert pixels (C, H, W) in [0, 1] to uint8 (H, W, 3) for the screen.

    One channel is shown as gray. Of several, the first three are shown as red, green and blue; with two channels, blue
    is 0. Values of more than 8 bits are rounded to 8.
    """
    planes = (pixels[:3] * 255).round_().to(torch.uint8).cpu().numpy()
    # Plane by plane, which is several times faster than copying the transposed array.
    array = np.zeros((*planes.shape[1:], 3), np.uint8)
    for color in range(3):
        if color < len(planes) or len(planes) == 1:
            array[..., color] = planes[color if len(planes) > 1 else 0]
    return array


def channels_shown(count: int) -> str:
    """Return a note on which of the channels are shown; empty for 1 and 3 channels."""
    if count == 2:
        return "channels 1 and 2 shown as red and green"
    return f"channels 1 to 3 of {count} shown" if count > 3 else ""


def check_levels(levels: object) -> Levels | None:
    """Check the values of black and white, and return them as floats.

    Raises:
        PictureError: if they are not two finite numbers in increasing order.
    """
    if levels is None:
        return None
    try:
        low, high = map(float, levels)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        low, high = 0.0, 0.0
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise PictureError(
            f"levels is (black, white), two numbers, the smaller first, such as (0, 4095), not {levels!r}."
        )
    return low, high


def _scale_levels(values: np.ndarray, levels: Levels) -> np.ndarray:
    """Scale values to float32 in [0, 1]: 0 at the first level, 1 at the second, clipped beyond them.

    Raises:
        PictureError: if there is NaN among them.
    """
    low, high = levels
    # 32-bit integers have more digits than float32.
    wide = np.float64 if values.dtype.itemsize > 2 else np.float32
    exact: np.ndarray = values.astype(wide)
    scaled: np.ndarray = np.clip((exact - low) / (high - low), 0, 1).astype(np.float32)
    if np.isnan(scaled).any():
        raise PictureError("The picture array contains NaN. Use np.nan_to_num first.")
    return scaled


def read_array(
    array: np.ndarray, *, levels: Levels | None = None, channels: int | None = None
) -> Image.Image | ArrayPicture:
    """Convert an array to a picture for a model.

    Args:
        array: array (H, W, C) from ``shaped_array``, with C = 1, 3 or 4, whose fourth channel is transparency; or with
            the model's number of channels, which are kept.
        levels: see ``Preprocess``.
        channels: number of channels of the model; None for gray or RGB.

    Returns:
        A PIL image of mode L, RGB or RGBA if that holds the values exactly; otherwise an ``ArrayPicture`` with
        transparency
        composed on white.

    Raises:
        PictureError: if it is not clear which values are black and white.
    """
    values = _to_values(array, levels)
    if values.dtype != np.uint8:
        levels_8bit = np.round(values * 255)
        if np.abs(values * 255 - levels_8bit).max(initial=0) < 1e-3:
            values = levels_8bit.astype(np.uint8)  # 8 bits in a wider container
    if channels not in (None, 1, 3):
        return ArrayPicture(values)
    if values.dtype == np.uint8:
        image = values[..., 0] if values.shape[-1] == 1 else values
        return Image.fromarray(np.ascontiguousarray(image))
    if values.shape[-1] == 4:
        colors, opacity = values[..., :3], values[..., 3:]
        values = colors * opacity + (1 - opacity)
    return ArrayPicture(values)


def shaped_array(array: np.ndarray, channels: int | None = None) -> np.ndarray:
    """Return an array as (H, W, C), with a number of channels that the model takes.

    Raises:
        PictureError: if it has another shape.
    """
    taken = (1, 3, 4) if channels in (None, 1, 3) else (channels,)
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[-1] not in taken:
        hint = ""
        if array.ndim == 3 and array.shape[0] in taken:
            hint = " It looks channels-first: use np.moveaxis(array, 0, -1)."
        elif array.ndim == 4:
            hint = " It looks like a batch: pass its pictures one by one, or as a list."
        shape = array.shape[:-1] if array.ndim == 3 and array.shape[-1] == 1 else array.shape
        expected = (
            "(H, W), (H, W, 3) or (H, W, 4)"
            if channels in (None, 1, 3)
            else f"(H, W, {channels}) for this model"
        )
        raise PictureError(f"A picture array has shape {expected}, not {shape}.{hint}")
    return array


def _to_values(array: np.ndarray, levels: Levels | None) -> np.ndarray:
    """Convert an array to uint8, or to float32 in [0, 1]."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint8:
        return np.asarray(array)
    is_float = np.issubdtype(array.dtype, np.floating)
    if is_float and not np.isfinite(array).all():
        raise PictureError(
            "The picture array contains NaN or infinity: replace them, for instance with np.nan_to_num(array)."
        )
    if levels is not None and (is_float or np.issubdtype(array.dtype, np.integer)):
        return _scale_levels(array, levels)
    if array.dtype == np.uint16:
        warn_if_few_levels(int(array.max(initial=0)))
        return _scale_levels(array, (0, 65535))
    low, high = _value_range(array)
    if is_float:
        if found := beyond_pixels(low, high):
            raise PictureError(
                f"A float picture array lies in [0, 1]; this one {found}. Divide values from 0 to 255 by 255, clip "
                "what interpolation has left beyond, np.clip(array, 0, 1), or define black and white: Preprocess(…, "
                "levels=(black, white))."
            )
        return np.clip(array.astype(np.float32), 0, 1)
    if np.issubdtype(array.dtype, np.integer):
        raise PictureError(
            f"A picture array is uint8, uint16, bool or float in [0, 1]; for {array.dtype}, here from {low:.0f} to "
            f"{high:.0f}, black and white are not defined: pass Preprocess(…, levels=(black, white)), or use "
            "array.astype(np.uint8) for values from 0 to 255."
        )
    raise PictureError(
        f"A picture array is uint8, uint16, bool or float in [0, 1], not {array.dtype}. "
        "Use array.astype(np.uint8) for values from 0 to 255."
    )


def warn_if_few_levels(highest: int) -> None:
    """Warn about a 16-bit picture whose values look like 12 or 8 bits; it is dark, since 65535 is white."""
    bits = 8 if highest <= 255 else 12
    if 1 < highest <= _TWELVE_BITS:
        most = 2**bits - 1
        warn(
            f"A picture of 16 bits has no value above {most}, as if it were of {bits} bits, and 65535 is taken for "
            f"white: for {bits} bits pass a Preprocess with levels=(0, {most})."
        )


def check_tensor(tensor: torch.Tensor, name: str = "picture tensor") -> None:
    """Check that a tensor has plain values.

    Args:
        tensor: tensor of a picture, or of another input.
        name: name for the error message.

    Raises:
        PictureError: for nested, sparse, meta, quantized and complex tensors, with the remedy.
    """
    remedy = None
    if tensor.is_nested:
        remedy = "nested: pass the list of its pictures, list(tensor.unbind())"
    elif tensor.layout != torch.strided:
        remedy = "sparse: pass tensor.to_dense()"
    elif tensor.is_meta:
        remedy = 'on the device "meta", where it has a shape and no values: make it on the CPU'
    elif tensor.is_quantized:
        remedy = "quantized: pass tensor.dequantize()"
    elif tensor.is_complex():
        remedy = "complex: pass tensor.abs(), scaled to [0, 1]"
    if remedy is not None:
        raise PictureError(f"The {name} is {remedy}.")


def beyond_pixels(low: float, high: float) -> str:
    """Describe the range of floating-point pixels outside [0, 1]; empty if only rounding exceeds it."""
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return ""
    return f"ranges from {low:.6g} to {high:.6g}"


def transformed_beyond(picture: Any) -> str:
    """Describe a picture that a data set's transform has left outside [0, 1]; empty for any other.

    NaN and infinity are not reported, since they come from the picture and not from the transform.
    """
    if not isinstance(picture, torch.Tensor) or not picture.is_floating_point():
        return ""
    if picture.layout != torch.strided or picture.is_meta or not picture.numel():
        return ""
    low, high = (float(v) for v in torch.aminmax(picture.detach()))
    found = beyond_pixels(low, high)
    if not found or not np.isfinite([low, high]).all():
        return ""
    remedy = "Leave Normalize out of the data's transform: the model's own preprocessing does it."
    if low >= 0 and 2 < high <= 255:
        remedy = "Divide by 255 in the data's transform, or leave the tensors uint8."
    return f"{found}; pixels lie in [0, 1]. {remedy}"


def _value_range(array: np.ndarray) -> tuple[float, float]:
    if array.dtype.kind not in "fiu" or not array.size:
        return 0.0, 0.0
    return float(array.min()), float(array.max())
