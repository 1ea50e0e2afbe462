"""Clips: pictures in a sequence, from arrays, lists, animated files and folders of frames."""

from __future__ import annotations

import io
import os
import re
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageSequence, UnidentifiedImageError

from ..errors import PictureError
from .conversion import LazyPicture, is_prepared
from .film_strip import as_strip, frame_numbers
from .folders import picture_suffixes

__all__ = ["Clip", "as_clips", "clip_pixels", "clip_size", "is_strip"]

#: What a clip is, for error messages.
_A_CLIP = (
    "an array (T, H, W, C), a list of frames, an animated file such as a GIF, or a folder of frames in the order of "
    "their names"
)


@dataclass(frozen=True, eq=False)
class Clip(LazyPicture):
    """A clip, whose frames are read when they are needed.

    Attributes:
        source: an array (T, H, W) or (T, H, W, C), an integer tensor (C, T, H, W), a list of pictures, the path of an
            animated file or of a folder of frames, bytes of a file, or an animated PIL image.
    """

    source: Any = field(repr=False)

    def open(self) -> Any:
        """Return the frames in order: pictures that ``read_picture`` reads.

        Raises:
            PictureError: if the clip cannot be read, or has no frame.
        """
        frames = self._frames()
        if not frames:
            raise PictureError(f"The clip has no frame. A clip is {_A_CLIP}.")
        return frames

    def _frames(self) -> list[Any]:
        source = self.source
        if isinstance(source, torch.Tensor):
            if source.ndim != 4:
                raise PictureError(
                    f"The tensor of a clip has shape (C, T, H, W), not {tuple(source.shape)}."
                )
            return list(source.unbind(1))
        if isinstance(source, np.ndarray):
            if source.ndim not in (3, 4):
                raise PictureError(
                    f"The array of a clip has shape (T, H, W, C), or (T, H, W) of gray frames, not {source.shape}."
                )
            return list(source)
        if isinstance(source, (list, tuple)):
            return list(source)
        if isinstance(source, (str, os.PathLike)) and _is_folder(source):
            return list(_files_in(Path(source).expanduser()))
        return _file_frames(source)


def as_clips(images: Any) -> Any:
    """Return one ``Clip``, a list of clips, a mapping of them by name, or a floating-point tensor unchanged.

    One clip is an array (T, H, W, C), a tensor (C, T, H, W), a list of frames, the path of an animated file or of a
    folder whose own files are frames. Several are an array (N, T, H, W, C), a tensor (N, C, T, H, W), a list whose
    elements are clips, or a folder of folders.

    Args:
        images: one clip, or several.

    Raises:
        PictureError: if the argument is a list without elements.
    """
    if isinstance(images, Clip) or is_prepared(images):
        return images
    if isinstance(images, Mapping):
        return {name: as_clips(clip) for name, clip in images.items()}
    if isinstance(images, (np.ndarray, torch.Tensor)) and images.ndim == 5:
        return [Clip(each) for each in images]
    if isinstance(images, (list, tuple)):
        if not images:
            raise PictureError("There is no clip to explain: the list is empty.")
        return [as_clips(each) for each in images] if _has_time(images[0]) else Clip(list(images))
    if isinstance(images, (str, os.PathLike)) and _is_folder(images):
        folder = Path(images).expanduser()
        if not _files_in(folder):
            inside = sorted(path for path in folder.iterdir() if path.is_dir())
            return {path.name: Clip(path) for path in inside if _files_in(path)} or Clip(images)
    return images if hasattr(images, "image") else Clip(images)


def clip_pixels(
    picture: Any,
    frames: int,
    pixels_of_frame: Callable[[Any], torch.Tensor],
    size: tuple[int, int] | None = None,
) -> torch.Tensor:
    """Compute the pixels of a clip that a model gets, before normalization, as a strip.

    Args:
        picture: a clip as in ``as_clips``; a floating-point tensor (C, T, H, W), or the strip (C, T·H, W) of it, holds
            pixels already.
        frames: number of frames that the model takes.
        pixels_of_frame: gives the pixels (C, H, W) of a frame.
        size: height and width of a frame, which a strip is known by; None if they are not known.

    Returns:
        float32 (C, T·H, W) in [0, 1] on the CPU.

    Raises:
        PictureError: if a frame cannot be read, or the frames differ in size.
    """
    if is_prepared(picture):
        return _prepared_pixels(picture, frames, pixels_of_frame, size)
    found = as_clips(getattr(picture, "image", picture))
    if not isinstance(found, Clip):
        raise PictureError(
            f"One clip was expected, not several: pass them one by one. A clip is {_A_CLIP}."
        )
    pictures = found.open()
    numbers = frame_numbers(len(pictures), frames)
    rows = {number: pixels_of_frame(pictures[number]) for number in dict.fromkeys(numbers)}
    sizes = sorted({tuple(row.shape[-2:]) for row in rows.values()})
    if len(sizes) > 1:
        raise PictureError(f"The frames of the clip have sizes {sizes}; a clip's are all alike.")
    return as_strip(torch.stack([rows[number] for number in numbers], 1))


def clip_size(picture: Any, of_frame: Callable[[Any], Any]) -> tuple[int, int, int]:
    """Return the number of frames of a clip, and their height and width, as they are before preprocessing.

    Args:
        picture: a clip as in ``as_clips``, without pixels in floating point.
        of_frame: reads a frame, as something with a size, width and height.

    Raises:
        PictureError: if the clip cannot be read.
    """
    frames = as_clips(getattr(picture, "image", picture)).open()
    width, height = of_frame(frames[0]).size
    return len(frames), height, width


def is_strip(
    tensor: torch.Tensor, channels: int, frames: int, size: tuple[int, int] | None
) -> bool:
    """Return whether a tensor (…, C, rows, W) can be strips of ``frames`` frames, and is no clip (C, T, H, W).

    A picture may have a multiple of ``frames`` rows too: a strip is known by the size of its frames.
    """
    is_clip = tensor.ndim == 4 and tuple(tensor.shape[:2]) == (channels, frames)
    if tensor.ndim not in (3, 4) or is_clip:
        return False
    rows, width = tensor.shape[-2:]
    return rows % frames == 0 if size is None else (rows, width) == (frames * size[0], size[1])


def _prepared_pixels(
    tensor: torch.Tensor,
    frames: int,
    pixels_of_frame: Callable[[Any], torch.Tensor],
    size: tuple[int, int] | None,
) -> torch.Tensor:
    if tensor.ndim == 4 and tensor.shape[1] == frames:
        tensor = as_strip(tensor)
    elif tensor.ndim != 3 or not is_strip(tensor, len(tensor), frames, size):
        hint = (
            f" Of one picture make a clip that stands still: torch.stack([picture] * {frames}, 1)."
            if tensor.ndim == 3
            else ""
        )
        raise PictureError(
            f"The pixels of a clip for this model are a tensor (C, {frames}, H, W), not {tuple(tensor.shape)}.{hint}"
        )
    pixels_of_frame(tensor[..., : tensor.shape[-2] // frames, :])  # which checks a frame's size
    return pixels_of_frame(tensor)


def _has_time(element: Any) -> bool:
    """Return whether an element of a list is a clip itself, and not a frame."""
    if isinstance(element, (Clip, list, tuple)) or hasattr(element, "image"):
        return True
    if isinstance(element, (np.ndarray, torch.Tensor)):
        return element.ndim == 4
    if isinstance(element, Image.Image):
        return getattr(element, "n_frames", 1) > 1
    if isinstance(element, (str, os.PathLike)):
        if _is_folder(element):
            return True
        try:
            with Image.open(Path(element).expanduser()) as image:
                return getattr(image, "n_frames", 1) > 1
        except (OSError, ValueError, SyntaxError, UnidentifiedImageError):
            return False  # reported where the frame is read
    return False


def _is_folder(path: str | os.PathLike[str]) -> bool:
    try:
        return str(path) != "" and Path(path).expanduser().is_dir()
    except (OSError, ValueError):  # the path is too long, or has a zero byte
        return False


def _files_in(folder: Path) -> Sequence[Path]:
    """Return the pictures of a folder itself, in the order of their names; numbers in them count as numbers."""
    suffixes = picture_suffixes()
    files = (p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    return sorted((p for p in files if p.suffix.lower() in suffixes), key=_natural)


def _natural(path: Path) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", path.name)
    return [(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]


def _file_frames(source: Any) -> list[Image.Image]:
    """Return the frames of an animated file, each as it is shown."""
    name = getattr(source, "name", source if isinstance(source, (str, os.PathLike)) else "the clip")
    if isinstance(source, (bytes, bytearray)):
        source, name = io.BytesIO(bytes(source)), "the clip"
    if isinstance(source, (str, os.PathLike)):
        source = Path(source).expanduser()
    elif not isinstance(source, Image.Image) and hasattr(source, "read_bytes"):
        source = io.BytesIO(source.read_bytes())  # in a ZIP archive
    if (
        not isinstance(source, Image.Image)
        and not isinstance(source, Path)
        and not hasattr(source, "read")
    ):
        raise PictureError(f"A clip is {_A_CLIP}, not {type(source).__name__}.")
    if isinstance(source, Image.Image):
        return [frame.copy() for frame in ImageSequence.Iterator(source)]
    try:
        with Image.open(source) as image:
            return [frame.copy() for frame in ImageSequence.Iterator(image)]
    except FileNotFoundError as error:
        raise PictureError(f"There is no file {str(source)!r}. Check the path.") from error
    except (OSError, SyntaxError, ValueError, zipfile.BadZipFile) as error:
        raise PictureError(
            f"{name} is no animated file that Pillow reads ({error}). Read a video with another library, and pass its "
            "frames as an array (T, H, W, 3)."
        ) from error
