"""Preprocessing: a picture to pixels at the model's input size, pixels to normalized input, and back."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from .._validation import is_integer
from ..errors import ModelError, PictureError, warn
from ..runtime.error_reports import log_error
from .array_pictures import ArrayPicture, Levels, check_levels
from .clips import clip_pixels
from .conversion import (
    MAX_PIXELS,
    LazyPicture,
    PictureLike,
    is_prepared,
    read_picture,
    tensor_pixels,
)
from .dataset_rows import picture_of_mapping
from .resizing import center_crop, check_filter, resize
from .user_transforms import composed, output_channels, transform_steps, transformed

if TYPE_CHECKING:
    from torchvision.transforms import InterpolationMode

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Preprocess",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: Steps after ``Normalize`` that do not change values.
_NO_CHANGE = {"Identity", "ToPureTensor", "ConvertImageDtype", "ToDtype"}


class Preprocess:
    """Preprocessing in two separate steps: geometry (resize and crop), then normalization.

    Geometry makes *pixels* (C, H, W) in [0, 1] at the model's input size from a picture; these are displayed, masked
    and blurred. Normalization makes the module's input from pixels. Since the steps are separate, the display shows
    exactly what the model gets.

    PIL resizes and crops 8-bit pictures in 8 bits. Pictures of more bits (files of 12 and 16 bits or of floats, and
    arrays of such types) are processed in floating point, channel by channel with the same filters, so that all levels
    reach the model; the screen shows them rounded to 8 bits. Their baselines have 8-bit
    levels. Pillow reads the upper 8 bits of a color file of 16 bits a channel: pass an array instead. The screen shows
    three channels; for a model with another number of channels see ``images.conversion.shades``.

    Args:
        size: the model's input size in pixels, one side or (height, width).
        resize: length of the short side before cropping, or (height, width) to stretch to, in pixels; ``size`` if None.
        mean: one value a channel that is subtracted from the pixels. Its length is the number of channels: 1 for gray,
            3 for RGB. For any other number, pictures are arrays (H, W, C) or tensors (C, H, W) with as many channels;
            for 4 also pictures with transparency, whose opacity is the fourth channel.
        std: one value > 0 a channel by which the difference is divided.
        interpolation: interpolation of resizing: "bilinear", "bicubic", "lanczos", "box", "hamming" or "nearest", or
            torchvision's name of it, ``InterpolationMode.BILINEAR``, ….
        geometry: replaces resizing and cropping: a callable from an RGB (or L) PIL image to a float tensor (C, H, W) in
            [0, 1].
        levels: values of black and white in pictures of more than 8 bits a channel; values beyond are clipped. (0,
            4095) for 12 bits in a file or array of 16, (-160, 240) for a window of Hounsfield units. If None: 0 and
            65535 for 16 unsigned bits, 0 and 4095 for a TIFF file that declares 12 bits, 0 and 1 for floats; arrays of
            other types are refused. Pictures are never stretched to their own range; a wider file that clearly holds 8
            bits (32-bit gray up to 255, a float file above 1 and up to 255) is read as 8 bits. Floating-point tensors
            are pixels in [0, 1] already.
        frames: number of frames of a clip that a video model takes; None for pictures. ``size``, ``resize`` and
            ``geometry`` are those of a frame.

    Raises:
        ModelError: if ``mean`` and ``std`` have different lengths, a value of ``std`` is not positive, ``frames`` is
            less than 2, or there is no such interpolation.

    Example:
        >>> import camwidget as cw
        >>> preprocess = cw.Preprocess(192, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
        >>> pixels = preprocess.pixels(cw.zoo.samples("zoo/textures")[0].image)
        >>> tuple(pixels.shape), tuple(preprocess.normalize(pixels).shape)
        ((3, 192, 192), (3, 192, 192))
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 224,
        *,
        resize: int | tuple[int, int] | None = None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        interpolation: InterpolationMode | str = "bilinear",
        geometry: Callable[[Image.Image], torch.Tensor] | None = None,
        levels: Levels | None = None,
        frames: int | None = None,
    ) -> None:
        mean, std = (list(v) if isinstance(v, Iterable) else [] for v in (mean, std))
        if len(mean) != len(std) or not mean:
            raise ModelError(
                "Preprocess needs mean and std of one length, the number of channels: 1 for gray, 3 for RGB."
            )
        if min(std) <= 0:
            raise ModelError(f"Preprocess needs std > 0, not {tuple(std)}.")
        side = _checked_size("size", size)
        self.size = side if isinstance(side, tuple) else (side, side)
        self.resize = min(self.size) if resize is None else _checked_size("resize", resize)
        self.mean = tuple(float(m) for m in mean)
        self.std = tuple(float(s) for s in std)
        self.interpolation = check_filter(interpolation)
        self.geometry = geometry
        self.levels = check_levels(levels)
        if frames is not None and not is_integer(frames, 2):
            raise ModelError(f"A clip has at least 2 frames, not {frames!r}.")
        self.frames = frames

    @classmethod
    def of(cls, transform: Any, channels: int | None = None) -> Preprocess:
        """Read the two steps of a transform.

        Args:
            transform: a ``Preprocess``; a weight preset of torchvision (``weights.transforms()``), for classification
                or segmentation; a ``Compose`` (v1 or
                v2), list or ``nn.Sequential`` of steps that ends in ``Normalize``, also nested; or a callable from PIL
                to a tensor in [0, 1].
            channels: number of channels of the model, if known; otherwise the transform's output decides. A transform
                that keeps the number of channels gets gray pictures if this is 1.

        Returns:
            The preprocessing.

        Raises:
            ModelError: if ``transform`` is none of these.

        Example:
            >>> import camwidget as cw
            >>> from torchvision.transforms import v2
            >>> cw.Preprocess.of(v2.Compose([v2.ToTensor(), v2.Normalize([0.5] * 3, [0.25] * 3)])).mean
            (0.5, 0.5, 0.5)
        """
        if isinstance(transform, cls):
            return transform
        if hasattr(transform, "crop_size") and hasattr(transform, "resize_size"):
            crop, short = list(transform.crop_size), list(transform.resize_size)
            return cls(
                (crop[0], crop[-1]),
                resize=short[0] if len(short) == 1 else (short[0], short[1]),
                mean=transform.mean,
                std=transform.std,
                interpolation=transform.interpolation,
            )
        if hasattr(transform, "resize_size") and hasattr(transform, "mean"):  # without a crop
            geometry = copy.copy(transform)
            geometry.mean, geometry.std = [0.0] * 3, [1.0] * 3
            return cls(mean=transform.mean, std=transform.std, geometry=geometry)
        steps = transform_steps(transform)
        named = [type(step).__name__ for step in steps]
        while "Normalize" in named and named[-1] in _NO_CHANGE:
            steps, named = steps[:-1], named[:-1]
        if named[-1:] == ["Normalize"]:
            last, rest = steps[-1], composed(steps[:-1])
            mean, std = (list(np.atleast_1d(np.asarray(v, float))) for v in (last.mean, last.std))
            # Normalize((0.5,), (0.5,)) is also used for RGB pictures.
            count = output_channels(rest, channels) if len(mean) == 1 else 1
            return cls(mean=mean * count, std=std * count, geometry=rest)
        if isinstance(transform, (list, tuple)) and steps:
            transform = composed(steps)
        if callable(transform):
            count = output_channels(transform, channels)
            if (count, channels) == (1, 3):
                count = 3  # gray is repeated
            return cls(mean=[0.0] * count, std=[1.0] * count, geometry=transform)
        raise ModelError(
            "preprocess is a camwidget.Preprocess, a torchvision transform that ends in Normalize, "
            f"or a callable from a PIL image to a tensor in [0, 1], not {type(transform).__name__}."
        )

    @property
    def channels(self) -> int:
        """Number of channels that the model takes: 1 for gray, 3 for RGB."""
        return len(self.mean)

    def of_frames(self, frames: int | None = None) -> Preprocess:
        """Return the same preprocessing for clips of a number of frames; for pictures if None."""
        other = copy.copy(self)
        other.frames = frames
        return other

    def read(
        self, picture: PictureLike | ArrayPicture, *, name: str | None = None
    ) -> Image.Image | ArrayPicture:
        """Read a picture at its own size, with the levels and channels that the model takes.

        Args:
            picture: anything that ``images.conversion.read_picture`` reads.
            name: name of the picture for error messages.

        Returns:
            An 8-bit PIL image, or an array picture of more bits or other channels.

        Raises:
            PictureError: if the picture cannot be read, or has other channels than the model.

        Example:
            >>> import camwidget as cw
            >>> cw.Preprocess(64).read(cw.zoo.samples("zoo/textures")[0].image).size
            (192, 192)
        """
        return read_picture(picture, name=name, levels=self.levels, channels=self.channels)

    def pixels(self, picture: PictureLike | ArrayPicture | LazyPicture) -> torch.Tensor:
        """Compute the pixels that the model gets, before normalization.

        Args:
            picture: path, bytes of a file, PIL image, array with as many channels as the model, or a row of a data set.
                An integer tensor (C, H, W) is a picture like an array. A floating-point tensor (C, H, W) holds pixels
                already: it is checked, and neither resized nor cropped. With ``frames``, a clip as in
                ``images.clips.as_clips``.

        Returns:
            float32 tensor (C, H, W) in [0, 1] on the CPU; of a clip (C, T·H, W), its frames one below the other.

        Raises:
            PictureError: if the picture cannot be read, or has other channels than the model.
            ModelError: if ``geometry`` fails, or does not give pixels in [0, 1].

        Example:
            >>> import camwidget as cw
            >>> tuple(cw.Preprocess(64).pixels(cw.zoo.samples("zoo/textures")[0].image).shape)
            (3, 64, 64)
        """
        if isinstance(picture, Mapping):
            picture = picture_of_mapping(picture)
        if self.frames is not None:
            return clip_pixels(picture, self.frames, self.of_frames().pixels)
        if isinstance(picture, LazyPicture):
            picture = picture.open()
        if is_prepared(picture):
            pixels = tensor_pixels(picture, levels=self.levels, channels=self.channels)
            if len(pixels) != 1:
                raise PictureError(
                    f"One picture was expected, not a batch of {len(pixels)}. Pass pictures one by one."
                )
            return self._checked(pixels[0]).cpu()
        opened = self.read(picture)
        if isinstance(opened, ArrayPicture):
            return self._of_array(opened)
        image = opened.convert("L") if self.channels == 1 else opened
        if self.geometry is not None:
            return self._from_geometry(image)
        return (
            torch.as_tensor(np.array(self._cropped(image)))
            .reshape(*self.size, self.channels)
            .permute(2, 0, 1)
            .contiguous()
            .to(torch.float32)
            / 255
        )

    def _of_array(self, picture: ArrayPicture) -> torch.Tensor:
        """Compute the pixels of an array picture, channel by channel with the filters of 8-bit pictures."""
        if self.geometry is not None and self.channels in (1, 3):
            return self._deep_geometry(picture)
        is_gray = (picture.channels, self.channels) == (1, 3)
        planes = (picture if is_gray else picture.to_channels(self.channels)).planes()
        if self.geometry is not None:
            return self._checked(torch.cat([self._plane(self.geometry, p) for p in planes])).cpu()
        rows = [torch.as_tensor(np.array(self._cropped(plane))) for plane in planes]
        pixels = torch.stack(rows).to(torch.float32)
        # Bicubic resizing slightly exceeds the range.
        pixels = pixels.clamp(0, 1) if picture.is_deep else pixels / 255
        return pixels.repeat(self.channels, 1, 1) if is_gray else pixels

    def _deep_geometry(self, picture: ArrayPicture) -> torch.Tensor:
        """Apply a custom geometry, written for 8-bit pictures, to a deeper one; round the picture if results differ."""
        assert self.geometry is not None
        image = picture.shown()
        rounded = self._from_geometry(image.convert("L") if self.channels == 1 else image)
        is_gray = picture.channels == 1
        planes = (picture if is_gray else picture.to_channels(self.channels)).planes()
        try:
            pixels = torch.cat([self._plane(self.geometry, plane) for plane in planes])
        except Exception as error:  # a user's function, written for 8 bits, may raise anything
            log_error(error, "The preprocessing refuses a deep picture.", level=logging.INFO)
            pixels = torch.empty(0)
        pixels = pixels.repeat(self.channels, 1, 1) if is_gray and len(pixels) == 1 else pixels
        if pixels.shape == rounded.shape and (pixels - rounded).abs().max() <= 3 / 255:
            return pixels
        warn(
            "The preprocessing takes pictures of 8 bits only, and deeper ones were rounded for it: for all levels pass "
            "a camwidget.Preprocess(size, resize=…, mean=…, std=…)."
        )
        return rounded

    @staticmethod
    def _plane(geometry: Callable[[Image.Image], torch.Tensor], plane: Image.Image) -> torch.Tensor:
        """Apply a geometry to one channel: (1, H, W) in [0, 1], the first channel of the result."""
        result = transformed(geometry, plane).to(torch.float32)
        return result.reshape(-1, *result.shape[-2:])[:1].clamp(0, 1).cpu()

    def smaller(self, side: int) -> Preprocess:
        """Return a preprocessing for thumbnails: the same part of a picture at a smaller size.

        Args:
            side: length of the shorter side in pixels, approximately.

        Returns:
            A smaller preprocessing; the same one if it is less than twice as large, or has a custom geometry.

        Example:
            >>> import camwidget as cw
            >>> cw.Preprocess(192).smaller(48).size
            (48, 48)
        """
        times = min(self.size) // max(1, side)
        if times < 2 or self.geometry is not None:
            return self
        small = copy.copy(self)
        small.size = (self.size[0] // times, self.size[1] // times)
        resize = self.resize
        small.resize = (
            max(1, resize // times)
            if isinstance(resize, int)
            else (max(1, resize[0] // times), max(1, resize[1] // times))
        )
        return small

    def normalize(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalize pixels: subtract the mean and divide by the standard deviation.

        Args:
            pixels: pixels (…, C, H, W) in [0, 1].

        Returns:
            The module's input, of the same shape.

        Example:
            >>> import torch
            >>> import camwidget as cw
            >>> preprocess = cw.Preprocess(8, mean=[0.5], std=[0.25])
            >>> float(preprocess.normalize(torch.ones(1, 8, 8)).max())
            2.0
        """
        mean, std = self._constants(pixels)
        return (pixels - mean) / std

    def denormalize(self, inputs: torch.Tensor) -> torch.Tensor:
        """Convert the module's input back to pixels.

        Args:
            inputs: input (…, C, H, W) of the module.

        Returns:
            Pixels of the same shape, clamped to [0, 1].

        Example:
            >>> import torch
            >>> import camwidget as cw
            >>> preprocess = cw.Preprocess(8, mean=[0.5], std=[0.25])
            >>> float(preprocess.denormalize(torch.zeros(1, 8, 8)).max())
            0.5
        """
        mean, std = self._constants(inputs)
        return (inputs * std + mean).clamp(0, 1)

    def _constants(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shape = (self.channels, 1, 1)
        return (
            torch.tensor(self.mean, dtype=like.dtype, device=like.device).reshape(shape),
            torch.tensor(self.std, dtype=like.dtype, device=like.device).reshape(shape),
        )

    def _cropped(self, image: Image.Image) -> Image.Image:
        width, height = image.size
        short = min(width, height)
        if (
            isinstance(self.resize, int)
            and width * height * (self.resize / short) ** 2 > MAX_PIXELS
        ):
            raise PictureError(
                f"The picture is {width}×{height}: far too long for its width. Crop it first."
            )
        return center_crop(resize(image, self.resize, self.interpolation), self.size)

    def _from_geometry(self, image: Image.Image) -> torch.Tensor:
        assert self.geometry is not None
        result = transformed(self.geometry, image)
        if result.ndim == 3 and len(result) not in (1, 3, self.channels) and result.shape[-1] > 4:
            raise ModelError(
                f"preprocess makes {len(result)} channels of a picture, which is gray or RGB: make them in the module, "
                "torch.nn.Sequential(step, module), so that the picture can be shown and masked."
            )
        if result.is_floating_point() and result.min() > -0.25 and result.max() < 1.25:
            result = result.clamp(0, 1)  # bicubic resizing slightly exceeds the range
        try:
            return self._checked(tensor_pixels(result, channels=self.channels)[0]).cpu()
        except PictureError as error:
            raise ModelError(
                "preprocess must give pixels in [0, 1], so that they can be shown and masked: end it in "
                "torchvision's Normalize, or use camwidget.Preprocess(mean=…, std=…, geometry=…) with the "
                "normalization left out of the geometry; an image processor of transformers is passed itself, not in "
                f"a function. ({error})"
            ) from error

    def _checked(self, pixels: torch.Tensor) -> torch.Tensor:
        if pixels.shape[0] == self.channels:
            return pixels
        if (len(pixels), self.channels) == (1, 3):
            return pixels.expand(3, -1, -1)
        if self.channels == 1:
            raise PictureError("This model takes gray pictures: pass a tensor of shape (1, H, W).")
        raise PictureError(
            f"This model takes {self.channels} channels: pass a tensor of shape ({self.channels}, H, W), not "
            f"{tuple(pixels.shape)}."
        )

    def __repr__(self) -> str:
        steps = "geometry=…" if self.geometry else f"size={self.size}, resize={self.resize}"
        steps += "" if self.levels is None else f", levels={self.levels}"
        steps += "" if self.frames is None else f", frames={self.frames}"
        return f"Preprocess({steps}, mean={self.mean}, std={self.std})"


def _checked_size(name: str, size: Any) -> int | tuple[int, int]:
    """Return a side, or a height and width, as plain numbers.

    Raises:
        ModelError: if it is neither.
    """
    sides = [*size] if isinstance(size, Iterable) else [size]
    is_pair = isinstance(size, Iterable) and len(sides) == 2
    if not (is_pair or len(sides) == 1) or not all(
        isinstance(side, Real) and float(side) >= 1 and float(side).is_integer() for side in sides
    ):
        raise ModelError(f"{name} is a number of pixels or (height, width), not {size!r}.")
    return (int(sides[0]), int(sides[1])) if is_pair else int(sides[0])
