"""Conversion of pictures of any type to an upright 8-bit RGB image, an array of more levels, or a tensor."""

from __future__ import annotations

import io
import os
import re
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import IO, Any, TypeAlias, TypeGuard

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from .._validation import check_no_masked_values
from ..errors import PictureError
from .array_pictures import (
    ArrayPicture,
    Levels,
    beyond_pixels,
    check_tensor,
    read_array,
    shades,
    shaped_array,
    warn_if_few_levels,
)
from .unsupported_files import AN_ARRAY, check_binary, first_bytes, unread_reason

__all__ = [
    "MAX_PIXELS",
    "MIN_SIDE",
    "LazyPicture",
    "PictureLike",
    "is_file",
    "is_prepared",
    "is_traversable",
    "open_picture",
    "read_picture",
    "shades",
    "tensor_pixels",
]

PictureLike: TypeAlias = (
    "str | os.PathLike[str] | Traversable | bytes | IO[bytes] | "
    "Image.Image | np.ndarray | torch.Tensor"
)

#: Pictures above this many pixels are refused before they are decoded (a small file can
#: claim to be gigantic).
MAX_PIXELS = 100_000_000
#: URLs: a scheme of more than one letter (Windows drives have one).
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+:/|data:)", re.IGNORECASE)
#: Smallest side in pixels.
MIN_SIDE = 8


class LazyPicture(ABC):
    """Picture that is read when it is needed."""

    @abstractmethod
    def open(self) -> PictureLike:
        """Return the picture: something that ``open_picture`` opens, or a tensor of pixels."""


def open_picture(picture: PictureLike, *, name: str | None = None) -> Image.Image:
    """Open, decode and rotate a picture upright, and convert it to 8-bit RGB for display.

    Args:
        picture: a path (also in a ZIP archive, a ``zipfile.Path``), encoded bytes, a binary file, a PIL image, an array
            (H, W), (H, W, 1), (H, W, 3) or (H, W, 4) of uint8, uint16, bool or float values in [0, 1], or a tensor of
            such values of shape (1, H, W), (3, H, W) or (4, H, W). Floats that exceed [0, 1] by at most 0.001, as by
            rounding, are clipped.
        name: name of the picture for error messages.

    Returns:
        A PIL image of mode ``RGB``. EXIF orientation is applied, transparency is composed on white, values of more than
        8
        bits are scaled to 8, and the first frame of an animated file is taken (the current frame of a PIL image).

    Raises:
        PictureError: if the picture cannot be read, is too small or too large, or has an invalid shape or range.
    """
    opened = read_picture(picture, name=name)
    return opened.shown() if isinstance(opened, ArrayPicture) else opened


def read_picture(
    picture: PictureLike | ArrayPicture,
    *,
    name: str | None = None,
    levels: Levels | None = None,
    channels: int | None = None,
) -> Image.Image | ArrayPicture:
    """Open, decode and rotate a picture upright, with all levels and channels that a model can take.

    Args:
        picture: as in ``open_picture``; a result of this function is returned unchanged.
        name: name of the picture for error messages.
        levels: values of black and white in pictures of more than 8 bits; see ``Preprocess``.
        channels: number of channels of the model. For 1, 3 or None, the picture is gray or RGB, with transparency
            composed on white. For any other number, an array (H, W, channels) is kept; for 4, a picture with
            transparency, and for 2, a gray one, whose last channel is the opacity; or a file of as many gray pages.

    Returns:
        A PIL image of mode ``RGB`` if that holds the picture exactly; otherwise an ``ArrayPicture``.

    Raises:
        PictureError: as in ``open_picture``; or if the number of channels is not the model's.
    """
    if isinstance(picture, ArrayPicture):
        return picture
    reader = _PictureReader(levels, channels)
    if isinstance(picture, torch.Tensor):
        picture = _tensor_array(picture, levels, channels)
    if isinstance(picture, np.ndarray):
        return reader.array(picture)
    if isinstance(picture, Image.Image):
        return reader.image(picture, name or "the picture")
    if isinstance(picture, (bytes, bytearray, memoryview)):
        return reader.decode(io.BytesIO(bytes(picture)), name or "the picture")
    if isinstance(picture, (str, os.PathLike)):
        path = Path(picture).expanduser()
        if _ADDRESS.match(str(picture)):
            raise PictureError(
                "An address of a file is no path: pass the path alone, without file://."
                if str(picture).lower().startswith("file:")
                else "Nothing is fetched from the network: download the picture, and pass its path."
            )
        if not is_file(path):
            raise PictureError(
                f"There is no file {str(path)!r} (looked in {Path.cwd()}). Check the path."
            )
        return reader.decode(path, name or path.name)
    if isinstance(picture, zipfile.ZipFile):
        raise PictureError(
            "A ZIP archive holds several files: pass one of them, zipfile.Path(archive, name), or the archive itself "
            "where several pictures are taken."
        )
    if hasattr(picture, "read"):
        refusal = check_binary(picture)
        if refusal is not None:
            raise PictureError(f"The file {name or 'of the picture'} {refusal}")
        return reader.decode(picture, name or "the picture")
    if is_traversable(picture):
        return reader.decode(_file_content(picture), name or picture.name)
    hint = " Of several, pass one at a time." if hasattr(picture, "__iter__") else ""
    if hasattr(picture, "__array__"):
        hint = " Pass numpy.asarray(…) of it."
    raise PictureError(
        f"A picture is a path, bytes, a PIL image, an array or a tensor, not {type(picture).__name__}.{hint}"
    )


def is_prepared(picture: Any) -> TypeGuard[torch.Tensor]:
    """Return whether a picture is a floating-point tensor: pixels at the model's size, neither resized nor cropped.

    An integer tensor is a picture as a decoder gives it, and goes through the model's preprocessing.
    """
    return isinstance(picture, torch.Tensor) and picture.is_floating_point()


def tensor_pixels(
    tensor: torch.Tensor, *, levels: Levels | None = None, channels: int | None = None
) -> torch.Tensor:
    """Convert a tensor to pixels before normalization.

    Args:
        tensor: (C, H, W) or (N, C, H, W) with C = 1, 3 or ``channels``; floating point in [0, 1], uint8, uint16 or
            bool, of which the largest value is white; or, with ``levels``, any integers.
        levels: values of black and white for integers of more than 8 bits; see ``Preprocess``.
        channels: number of channels of the model; None for gray or RGB.

    Returns:
        float32 (N, C, H, W) in [0, 1], detached, on the tensor's device.

    Raises:
        PictureError: for another shape or range, or values that are not finite.
    """
    tensor = _batch_of(tensor, (1, 3) if channels in (None, 1, 3) else (1, 3, channels), channels)
    if 0 in tensor.shape or min(tensor.shape[-2:]) < MIN_SIDE:
        raise PictureError(
            f"The picture tensor is {tensor.shape[-1]}×{tensor.shape[-2]} pixels; "
            f"at least {MIN_SIDE}×{MIN_SIDE} are needed."
        )
    tensor = tensor.detach()
    if tensor.dtype == torch.uint8:
        return tensor.to(torch.float32) / 255
    if tensor.dtype == torch.bool:
        return tensor.to(torch.float32)
    if not tensor.is_floating_point():
        _check_integer(tensor, levels)
        low, high = (0.0, 65535.0) if levels is None else levels
        if levels is None:
            warn_if_few_levels(int(tensor.to(torch.int32).max()))
        # Not in double precision, which some devices lack; float32's 24 bits are enough for pictures.
        return ((tensor.to(torch.float32) - low) / (high - low)).clamp(0, 1)
    tensor = tensor.to(torch.float32)
    low, high = (float(v) for v in torch.aminmax(tensor))
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PictureError(
            "The picture tensor contains NaN or infinity. Use torch.nan_to_num first."
        )
    if found := beyond_pixels(low, high):
        remedy = "undo the normalization with model.preprocess.denormalize(tensor)"
        if low > -0.25 and high < 1.25:
            remedy = "clip what interpolation has left beyond, tensor.clamp(0, 1)"
        elif low >= 0 and high <= 255:
            remedy = "divide it by 255"
        raise PictureError(
            f"The picture tensor {found}; pixels lie in [0, 1], before normalization: {remedy}."
        )
    return tensor if low >= 0 and high <= 1 else tensor.clamp(0, 1)


def _batch_of(
    tensor: torch.Tensor, taken: tuple[int | None, ...], channels: int | None
) -> torch.Tensor:
    """Return a tensor (C, H, W) or (N, C, H, W) as (N, C, H, W), and check its number of channels."""
    check_tensor(tensor)
    if tensor.ndim == 3:
        tensor = tensor[None]
    if tensor.ndim != 4 or tensor.shape[1] not in taken:
        hint = ""
        if tensor.ndim == 4 and tensor.shape[-1] in (*taken, 4):
            hint = " It looks channels-last: use tensor.movedim(-1, -3)."
        expected = "1 or 3" if channels in (None, 1, 3) else f"{channels} for this model"
        raise PictureError(
            f"A picture tensor has shape (C, H, W) or (N, C, H, W) with C = {expected}, "
            f"not {tuple(tensor.shape)}.{hint}"
        )
    return tensor


def _check_integer(tensor: torch.Tensor, levels: Levels | None) -> None:
    if levels is None and tensor.dtype not in (torch.uint8, torch.uint16, torch.bool):
        raise PictureError(
            f"A picture tensor is uint8, uint16, bool or floating point in [0, 1], not {tensor.dtype}. Use "
            "tensor.to(torch.uint8) for values from 0 to 255, or define black and white: Preprocess(…, "
            "levels=(black, white))."
        )


def _tensor_array(tensor: torch.Tensor, levels: Levels | None, channels: int | None) -> np.ndarray:
    """Return a tensor of one picture as an array (H, W, C)."""
    tensor = _batch_of(tensor, (1, 3, 4) if channels in (None, 1, 3) else (channels,), channels)
    if len(tensor) != 1:
        raise PictureError(
            f"One picture was expected, not a batch of {len(tensor)}. Pass pictures one by one."
        )
    if is_prepared(tensor):
        tensor = tensor.to(torch.float32)  # NumPy has no bfloat16
    else:
        _check_integer(tensor, levels)
    array: np.ndarray = tensor[0].movedim(0, -1).numpy(force=True)
    return array


def is_traversable(value: Any) -> TypeGuard[Traversable]:
    """Return whether a value is a path outside the file system: in a ZIP archive, or of a package's resource."""
    return not isinstance(value, (str, os.PathLike)) and isinstance(value, Traversable)


def _file_content(path: Traversable) -> io.BytesIO:
    """Return the bytes of a path's file."""
    if _ADDRESS.match(str(path)):
        raise PictureError(
            "Nothing is fetched from the network: download the picture, and pass its path."
        )
    try:
        return io.BytesIO(path.read_bytes())
    except (OSError, KeyError, ValueError) as error:  # a folder, or a missing name
        raise PictureError(f"There is no file {str(path)!r} ({error}). Check the path.") from error


def is_file(path: Path) -> bool:
    """Return whether there is a file at a path, for any characters in the path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # the path is too long, or has a zero byte
        return False


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


def _is_gray(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "F") or image.mode.startswith("I")


def _damaged_error(name: str, error: BaseException) -> PictureError:
    if "closed" in str(error):  # as PIL says of a closed image
        return PictureError(f"{name} is closed: open it again, or pass its path.")
    return PictureError(
        f"{name} is damaged or incomplete ({error}). Download or export it again; or, if another library reads it, "
        f"{AN_ARRAY}."
    )


class _PictureReader:
    """Reader of pictures for a model with a number of channels and levels."""

    def __init__(self, levels: Levels | None, channels: int | None) -> None:
        self._levels, self._channels = levels, channels

    def array(
        self, array: np.ndarray, name: str = "the picture array"
    ) -> Image.Image | ArrayPicture:
        check_no_masked_values(array, "the picture array")
        array = shaped_array(np.asarray(array), self._channels)
        _check_size((array.shape[1], array.shape[0]), name)
        found = read_array(array, levels=self._levels, channels=self._channels)
        return found if isinstance(found, ArrayPicture) else self.image(found, name)

    def decode(self, source: Any, name: str) -> Image.Image | ArrayPicture:
        try:
            with Image.open(source) as image:
                _check_size(image.size, name)
                image.load()
                return self.image(image, name)
        except Image.DecompressionBombError as error:
            raise PictureError(
                f"{name} claims more pixels than can be decoded safely; shrink it first."
            ) from error
        except UnidentifiedImageError as error:
            raise PictureError(f"{name} {unread_reason(first_bytes(source), name)}") from error
        except PictureError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:
            raise _damaged_error(name, error) from error

    def image(self, image: Image.Image, name: str) -> Image.Image | ArrayPicture:
        _check_size(image.size, name)
        try:
            pages = getattr(image, "n_frames", 1)
            if self._channels not in (None, 1, 3) and pages > 1 and _is_gray(image):
                return self._pages(image, pages, name)
            written_in = image.format, _TiffTags.of(image)
            image = ImageOps.exif_transpose(image)
            if image.mode.startswith("I") or image.mode == "F":
                return self._deep_gray(image, *written_in)
            if self._channels not in (None, 1, 3):
                return self._every_channel(image, name)
            if image.has_transparency_data:
                image = image.convert("RGBA")
                ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
                image = Image.alpha_composite(ground, image)
            return image.convert("RGB")
        except PictureError:
            raise
        except (OSError, SyntaxError, ValueError, EOFError) as error:
            raise _damaged_error(name, error) from error

    def _pages(self, image: Image.Image, pages: int, name: str) -> ArrayPicture:
        """Return gray pages as channels, for a model that takes neither gray nor RGB; the image stays at its page."""
        if pages != self._channels:
            raise PictureError(
                f"{name} has {pages} gray pages, and this model takes {self._channels} channels: pass an array of "
                f"shape (H, W, {self._channels}), or a file of so many pages."
            )
        present, planes = image.tell(), []
        one = _PictureReader(self._levels, 1)
        try:
            for page in range(pages):
                image.seek(page)
                if not _is_gray(image):
                    raise PictureError(
                        f"Page {page + 1} of {name} is of mode {image.mode}, and the first is gray: pass an array of "
                        f"shape (H, W, {pages})."
                    )
                opened = one.image(image, name)
                planes.append(
                    opened.values[..., 0]
                    if isinstance(opened, ArrayPicture)
                    else np.asarray(opened.convert("L"))
                )
        finally:
            image.seek(present)
        sizes = sorted({plane.shape for plane in planes})
        if len(sizes) > 1:
            raise PictureError(
                f"The pages of {name} have several sizes, {sizes[0][::-1]} and {sizes[-1][::-1]}, and cannot be the "
                "channels of one picture."
            )
        if any(plane.dtype != np.uint8 for plane in planes):
            planes = [p if p.dtype != np.uint8 else p.astype(np.float32) / 255 for p in planes]
        return ArrayPicture(np.stack(planes, axis=2))

    def _every_channel(self, image: Image.Image, name: str) -> ArrayPicture:
        """Return all channels of a picture, for a model that takes neither gray nor RGB."""
        mode = image.mode
        if image.has_transparency_data:
            is_gray = mode in ("L", "LA", "La") and self._channels == 2
            image = image.convert("LA" if is_gray else "RGBA")
        bands = image.getbands()
        if len(bands) != self._channels or bands[-1] != "A":
            also = {
                2: ", or a gray picture with transparency",
                4: ", or a picture with transparency",
            }
            remedies = also.get(self._channels or 0, "")
            if len(bands) == self._channels:
                remedies += f"; numpy.asarray(image) has its own {', '.join(bands)}"
            raise PictureError(
                f"{name} is of mode {mode}, and this model takes {self._channels} channels: pass an array of shape "
                f"(H, W, {self._channels}) or a tensor ({self._channels}, H, W){remedies}."
            )
        return ArrayPicture(np.asarray(image))

    def _deep_gray(
        self, image: Image.Image, written_as: str | None, tags: _TiffTags
    ) -> Image.Image | ArrayPicture:
        """Return a gray picture of more than 8 bits."""
        values = np.asarray(image)
        if tags.is_unsigned and values.dtype == np.int32:
            values = values.view(np.uint32)  # Pillow has no mode for uint32
        if tags.is_white_zero and values.dtype == np.uint16:
            # Pillow inverts 8-bit pictures only.
            values = np.uint16(4095 if tags.bits == 12 else 65535) - values
        levels = self._levels
        if levels is None and image.mode != "F":
            low, high = int(values.min()), int(values.max())
            if low < 0 or high > 65535:
                raise PictureError(
                    f"The picture's gray values range from {low} to {high}, and black and white are not defined: "
                    "pass Preprocess(…, levels=(black, white)), or scale them to 0 … 65535."
                )
            if tags.bits == 12:
                levels = (0, 4095)
            elif image.mode == "I" and high <= 255 and written_as not in _SIXTEEN_BITS:
                levels = (0, 255)  # 32-bit gray made from 8 bits
        elif levels is None and 1 < np.nanmax(values) <= 255 and np.nanmin(values) >= 0:
            levels = (0, 255)  # float files use either convention
        clear = image.info.get("transparency")
        gray = values.astype(np.uint16) if levels is None and image.mode != "F" else values
        found = read_array(shaped_array(gray), levels=levels)
        if isinstance(clear, int):  # the single transparent value of a PNG, composed on white
            shown = found.values if isinstance(found, ArrayPicture) else np.array(found)[..., None]
            white = 1.0 if isinstance(found, ArrayPicture) else 255
            found = read_array(
                np.where((values == clear)[..., None], white, shown).astype(shown.dtype)
            )
        if isinstance(found, ArrayPicture):
            return found
        return self.image(found, "the picture")


#: Formats whose 32-bit images in Pillow hold 16 bits.
_SIXTEEN_BITS = ("PNG", "PPM", "JPEG2000", "SGI")


@dataclass(frozen=True)
class _TiffTags:
    """Properties of gray values that a TIFF file declares."""

    bits: int | None = None
    is_unsigned: bool = False
    is_white_zero: bool = False

    @classmethod
    def of(cls, image: Image.Image) -> _TiffTags:
        """Return the tags of an opened file; empty for other kinds of files."""
        tags = getattr(image, "tag_v2", {})
        if not tags:
            return cls()

        def single(number: int, otherwise: int) -> int | None:
            value = tags.get(number, otherwise)
            values = value if isinstance(value, tuple) else (value,)
            return int(values[0]) if len(values) == 1 else None

        # BitsPerSample, SampleFormat (1: unsigned), PhotometricInterpretation (0: zero is white).
        bits, is_gray = single(258, 1), single(277, 1) == 1
        return cls(bits, single(339, 1) == 1 and is_gray, single(262, 1) == 0 and is_gray)
