"""Pictures that no 8-bit RGB image can hold: more than 8 bits a channel, or another number of channels."""

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

#: The values that are black and white: those between them are spread over [0, 1], those beyond are clipped.
Levels: TypeAlias = "tuple[float, float]"

#: How far beyond [0, 1] a floating-point pixel may be, and is clipped: a quarter of a level of 8 bits, which rounding
#: in whatever precision stays below.
ROUNDING = 1e-3

#: The greatest value of 12 bits. Scanners and detectors write them into files and arrays of 16.
_TWELVE_BITS = 4095


@dataclass(frozen=True, eq=False)
class ArrayPicture:
    """A picture as an array.

    Attributes:
        values: uint8, or float32 in [0, 1]; (H, W, C), C of any number.
    """

    values: np.ndarray = field(repr=False)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, as PIL has them."""
        return self.values.shape[1], self.values.shape[0]

    @property
    def channels(self) -> int:
        """How many there are."""
        return int(self.values.shape[2])

    @property
    def is_deep(self) -> bool:
        """Whether its values are finer than 8 bits."""
        return self.values.dtype != np.uint8

    def planes(self) -> list[Image.Image]:
        """Each channel as a PIL image: of mode L, or F if the values are finer than 8 bits."""
        return [
            Image.fromarray(np.ascontiguousarray(self.values[..., n])) for n in range(self.channels)
        ]

    def to_channels(self, count: int) -> ArrayPicture:
        """The same picture for a model of so many channels: grey repeated for RGB, RGB weighted to grey.

        Raises:
            PictureError: for any other numbers that differ.
        """
        if self.channels == count:
            return self
        if (self.channels, count) == (1, 3):
            return ArrayPicture(np.repeat(self.values, 3, axis=2))
        if (self.channels, count) == (3, 1):
            # ITU-R 601, as PIL weighs 8-bit colours.
            grey = self.values.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
            grey = grey if self.is_deep else np.round(grey).astype(np.uint8)
            return ArrayPicture(grey[..., None])
        raise PictureError(
            f"The picture has {self.channels} channel{'s' * (self.channels != 1)}, and this model takes {count}: pass "
            f"an array of shape (H, W, {count}) or a tensor ({count}, H, W)."
        )

    def shown(self) -> Image.Image:
        """As an 8-bit RGB image, by the rule of ``shades``."""
        values = torch.from_numpy(np.ascontiguousarray(self.values)).movedim(-1, 0)
        return Image.fromarray(shades(values if self.is_deep else values.float() / 255))


def shades(pixels: torch.Tensor) -> np.ndarray:
    """Pixels (C, H, W) in [0, 1] as uint8 (H, W, 3), for the screen.

    One channel is shown as grey. Of more, the first three are shown as red, green and blue; where there are two, blue
    is 0. Values of more than 8 bits are rounded to 8.
    """
    planes = (pixels[:3] * 255).round_().to(torch.uint8).cpu().numpy()
    # Plane by plane: several times faster than to copy the transposed array.
    array = np.zeros((*planes.shape[1:], 3), np.uint8)
    for color in range(3):
        if color < len(planes) or len(planes) == 1:
            array[..., color] = planes[color if len(planes) > 1 else 0]
    return array


def channels_shown(count: int) -> str:
    """What to say beside a picture of so many channels; empty where they are all shown as anybody expects."""
    if count == 2:
        return "channels 1 and 2 shown as red and green"
    return f"channels 1 to 3 of {count} shown" if count > 3 else ""


def check_levels(levels: object) -> Levels | None:
    """The values that are black and white, as two floats.

    Raises:
        PictureError: if they are no two finite numbers of which the first is the smaller.
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


def _scaled(values: np.ndarray, levels: Levels) -> np.ndarray:
    """Values as float32 in [0, 1], 0 at the first level and 1 at the second, clipped beyond them.

    Raises:
        PictureError: if there is NaN among them.
    """
    low, high = levels
    # Whole numbers of 32 bits have more digits than float32.
    wide = np.float64 if values.dtype.itemsize > 2 else np.float32
    exact: np.ndarray = values.astype(wide)
    scaled: np.ndarray = np.clip((exact - low) / (high - low), 0, 1).astype(np.float32)
    if np.isnan(scaled).any():
        raise PictureError("The picture array contains NaN. Use np.nan_to_num first.")
    return scaled


def read_array(
    array: np.ndarray, *, levels: Levels | None = None, channels: int | None = None
) -> Image.Image | ArrayPicture:
    """An array as a picture for a model.

    Args:
        array: from ``shaped_array``: (H, W, C), C = 1, 3 or 4, whose fourth channel is transparency; or (H, W, C) for a
            model of C channels, which are taken as they are.
        levels: see ``Preprocess``.
        channels: how many the model has; None for one that takes grey or RGB.

    Returns:
        A PIL image, of which the mode is L, RGB or RGBA, if that can hold it exactly; else an ``ArrayPicture``, whose
        transparency is laid on white.

    Raises:
        PictureError: for values that do not say what black and white are.
    """
    values = _values(array, levels)
    if values.dtype != np.uint8:
        whole = np.round(values * 255)
        if np.abs(values * 255 - whole).max(initial=0) < 1e-3:
            values = whole.astype(np.uint8)  # 8 bits in a wider container
    if channels not in (None, 1, 3):
        return ArrayPicture(values)
    if values.dtype == np.uint8:
        image = values[..., 0] if values.shape[-1] == 1 else values
        return Image.fromarray(np.ascontiguousarray(image))
    if values.shape[-1] == 4:
        colours, opacity = values[..., :3], values[..., 3:]
        values = colours * opacity + (1 - opacity)
    return ArrayPicture(values)


def shaped_array(array: np.ndarray, channels: int | None = None) -> np.ndarray:
    """An array as (H, W, C), with a number of channels that the model takes.

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
        wanted = (
            "(H, W), (H, W, 3) or (H, W, 4)"
            if channels in (None, 1, 3)
            else f"(H, W, {channels}) for this model"
        )
        raise PictureError(f"A picture array has shape {wanted}, not {shape}.{hint}")
    return array


def _values(array: np.ndarray, levels: Levels | None) -> np.ndarray:
    """Values as uint8, or as float32 in [0, 1]."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * 255
    if array.dtype == np.uint8:
        return np.asarray(array)
    is_float = np.issubdtype(array.dtype, np.floating)
    if is_float and not np.isfinite(array).all():
        raise PictureError(
            "The picture array contains NaN or infinity: say what stands in their place, such as np.nan_to_num(array)."
        )
    if levels is not None and (is_float or np.issubdtype(array.dtype, np.integer)):
        return _scaled(array, levels)
    if array.dtype == np.uint16:
        warn_if_few_levels(int(array.max(initial=0)))
        return _scaled(array, (0, 65535))
    low, high = _range(array)
    if is_float:
        if found := beyond_pixels(low, high):
            raise PictureError(
                f"A float picture array lies in [0, 1]; this one {found}. Divide values from 0 to 255 by 255, clip "
                "what interpolation has left beyond, np.clip(array, 0, 1), or say what is black and what is white: "
                "Preprocess(…, levels=(black, white))."
            )
        return np.clip(array.astype(np.float32), 0, 1)
    if np.issubdtype(array.dtype, np.integer):
        raise PictureError(
            f"A picture array is uint8, uint16, bool or float in [0, 1]; of {array.dtype}, here from {low:.0f} to "
            f"{high:.0f}, it is not known what is black and what is white: say Preprocess(…, levels=(black, white)), "
            "or use array.astype(np.uint8) for values from 0 to 255."
        )
    raise PictureError(
        f"A picture array is uint8, uint16, bool or float in [0, 1], not {array.dtype}. "
        "Use array.astype(np.uint8) for values from 0 to 255."
    )


def warn_if_few_levels(highest: int) -> None:
    """Warn of a picture of 16 bits whose values look like those of 12 or 8: it is dark, since 65535 is white."""
    bits = 8 if highest <= 255 else 12
    if 1 < highest <= _TWELVE_BITS:
        most = 2**bits - 1
        warn(
            f"A picture of 16 bits has no value above {most}, as if it were of {bits} bits, and 65535 is taken for "
            f"white: for {bits} bits pass a Preprocess with levels=(0, {most})."
        )


def check_tensor(tensor: torch.Tensor, name: str = "picture tensor") -> None:
    """Refuse a tensor that has no plain values.

    Args:
        tensor: of a picture, or of something beside it.
        name: what to call it in the message.

    Raises:
        PictureError: names the remedy.
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
    """What to say of the range of floating-point pixels that are not in [0, 1]; empty if only rounding has left it."""
    if low >= -ROUNDING and high <= 1 + ROUNDING:
        return ""
    return f"ranges from {low:.6g} to {high:.6g}"


def transformed_beyond(picture: Any) -> str:
    """What to say of a picture that the transform of a data set has left beyond [0, 1]; empty of any other.

    NaN and infinity are that picture's own, and not the transform's.
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


def _range(array: np.ndarray) -> tuple[float, float]:
    if array.dtype.kind not in "fiu" or not array.size:
        return 0.0, 0.0
    return float(array.min()), float(array.max())
