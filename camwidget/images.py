"""Any picture a person may have, as an upright 8-bit RGB image or as a tensor of pixels."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from .errors import PictureError

__all__ = ["MAX_PIXELS", "MIN_SIDE", "PictureLike", "open_picture", "shades", "tensor_pixels"]

PictureLike: TypeAlias = (
    "str | os.PathLike[str] | bytes | IO[bytes] | Image.Image | np.ndarray | torch.Tensor"
)

#: Pictures above this many pixels are refused before they are decoded (a small file can
#: claim to be gigantic).
MAX_PIXELS = 100_000_000
#: Below this many pixels a side there is nothing to point at.
MIN_SIDE = 8


def open_picture(picture: PictureLike, *, name: str | None = None) -> Image.Image:
    """Open, decode, turn upright and convert a picture to 8-bit RGB.

    Args:
        picture: a path, encoded bytes, a binary file, a PIL image, or an array of shape
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) with uint8, uint16, bool or float values in [0, 1].
        name: what to call the picture in error messages.

    Returns:
        A PIL image of mode ``RGB``. EXIF orientation is applied, transparency is laid on white,
        16-bit values are scaled to 8 bits, and of an animated file the first frame is taken (of an
        opened PIL image, the frame it stands at).

    Raises:
        PictureError: if it cannot be read, is too small or too large, or has an odd shape or range.
    """
    if isinstance(picture, np.ndarray):
        return _from_array(picture)
    if isinstance(picture, Image.Image):
        return _to_rgb(picture, name or "the picture")
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return _decode(io.BytesIO(bytes(picture)), name or "the picture")
    if isinstance(picture, (str, os.PathLike)):
        path = Path(picture).expanduser()
        if str(picture).startswith(("http://", "https://")):
            raise PictureError(
                "Nothing is fetched from the network: download the picture, and pass its path."
            )
        if not _is_file(path):
            raise PictureError(
                f"There is no file {str(path)!r} (looked in {Path.cwd()}). Check the path."
            )
        return _decode(path, name or path.name)
    if hasattr(picture, "read"):
        return _decode(picture, name or "the picture")
    raise PictureError(
        f"A picture is a path, bytes, a PIL image, an array or a tensor, not {type(picture).__name__}."
    )


def tensor_pixels(tensor: torch.Tensor) -> torch.Tensor:
    """Check a tensor of pixels, ready for the model but for normalisation.

    Args:
        tensor: shape (C, H, W) or (N, C, H, W), C = 1 or 3, uint8 or floating point in [0, 1].

    Returns:
        float32 tensor of shape (N, C, H, W) in [0, 1], detached, on its own device.

    Raises:
        PictureError: for another shape, range, or values that are not finite.
    """
    if tensor.ndim == 3:
        tensor = tensor[None]
    if tensor.ndim != 4 or tensor.shape[1] not in (1, 3):
        hint = ""
        if tensor.ndim == 4 and tensor.shape[-1] in (1, 3, 4):
            hint = " It looks channels-last: use tensor.movedim(-1, -3)."
        raise PictureError(
            f"A picture tensor has shape (C, H, W) or (N, C, H, W) with C = 1 or 3, "
            f"not {tuple(tensor.shape)}.{hint}"
        )
    if 0 in tensor.shape or min(tensor.shape[-2:]) < MIN_SIDE:
        raise PictureError(
            f"The picture tensor is {tensor.shape[-1]}×{tensor.shape[-2]} pixels; "
            f"at least {MIN_SIDE}×{MIN_SIDE} are needed."
        )
    tensor = tensor.detach()
    if tensor.dtype == torch.uint8:
        return tensor.to(torch.float32) / 255
    if not tensor.is_floating_point():
        raise PictureError(
            f"A picture tensor is uint8 or floating point in [0, 1], not {tensor.dtype}. "
            "Use tensor.to(torch.uint8) for values from 0 to 255."
        )
    tensor = tensor.to(torch.float32)
    low, high = (float(v) for v in torch.aminmax(tensor))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PictureError(
            "The picture tensor contains NaN or infinity. Use torch.nan_to_num first."
        )
    if low < 0 or high > 1:
        remedy = (
            "divide it by 255"
            if low >= 0 and high <= 255
            else "undo the normalisation with model.preprocess.denormalize(tensor)"
        )
        raise PictureError(
            f"The picture tensor ranges from {low:.3g} to {high:.3g}; pixels lie in [0, 1], "
            f"before normalisation: {remedy}."
        )
    return tensor


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # too long, or with a zero byte
        return False


def _decode(source: Any, name: str) -> Image.Image:
    try:
        with Image.open(source) as image:
            _check_size(image.size, name)
            image.load()
            return _to_rgb(image, name)
    except Image.DecompressionBombError as error:
        raise PictureError(
            f"{name} claims more pixels than can be decoded safely; shrink it first."
        ) from error
    except UnidentifiedImageError as error:
        raise PictureError(
            f"{name} is not a picture that Pillow can read. Save it as PNG or JPEG."
        ) from error
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
        raise PictureError(
            f"{name} is damaged or incomplete ({error}). Download or export it again."
        ) from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if min(width, height) < MIN_SIDE:
        raise PictureError(
            f"{name} is {width}×{height} pixels; at least {MIN_SIDE}×{MIN_SIDE} are needed."
        )
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} has {width * height / 1e6:.0f} megapixels; the limit is "
            f"{MAX_PIXELS / 1e6:.0f}. Shrink it first."
        )


def _to_rgb(image: Image.Image, name: str) -> Image.Image:
    _check_size(image.size, name)
    try:
        image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            return _from_array(_wide_values(image))
        if image.has_transparency_data:
            image = image.convert("RGBA")
            ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
            image = Image.alpha_composite(ground, image)
        return image.convert("RGB")
    except PictureError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise PictureError(
            f"{name} is damaged or incomplete ({error}). Download or export it again."
        ) from error


def _wide_values(image: Image.Image) -> np.ndarray:
    """Grey values of more than 8 bits as uint16, or float in [0, 1]."""
    values = np.asarray(image)
    if image.mode == "F":
        # Float files come in either convention; _from_array refuses anything else.
        return values / 255 if values.size and 1 < np.nanmax(values) <= 255 else values
    if values.min() < 0 or values.max() > 65535:
        raise PictureError(
            f"The picture's grey values range from {values.min()} to {values.max()}; "
            "scale them to 0 … 65535 first."
        )
    if image.mode == "I" and values.max() <= 255:
        return values.astype(np.uint8)  # 32-bit grey made from 8 bits
    return values.astype(np.uint16)


def _from_array(array: np.ndarray) -> Image.Image:
    if array.ndim == 3 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (3, 4)):
        hint = ""
        if array.ndim == 3 and array.shape[0] in (1, 3, 4):
            hint = " It looks channels-first: use np.moveaxis(array, 0, -1)."
        raise PictureError(
            f"A picture array has shape (H, W), (H, W, 3) or (H, W, 4), not {array.shape}.{hint}"
        )
    _check_size((array.shape[1], array.shape[0]), "the picture array")
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * 255
    elif array.dtype == np.uint16:
        array = np.round(array / 257).astype(np.uint8)
    elif np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):  # also false for NaN
            raise PictureError(
                f"A float picture array lies in [0, 1]; this one ranges from {low:.3g} to {high:.3g}. "
                "Divide values from 0 to 255 by 255, and replace NaN."
            )
        array = np.round(array * 255).astype(np.uint8)
    elif array.dtype != np.uint8:
        raise PictureError(
            f"A picture array is uint8, uint16, bool or float in [0, 1], not {array.dtype}. "
            "Use array.astype(np.uint8) for values from 0 to 255."
        )
    return _to_rgb(Image.fromarray(np.ascontiguousarray(array)), "the picture array")


def shades(pixels: torch.Tensor) -> np.ndarray:
    """Pixels (C, H, W) in [0, 1] as uint8 (H, W, 3), for the screen."""
    array = (pixels * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(array.repeat(3, axis=-1) if array.shape[-1] == 1 else array)
