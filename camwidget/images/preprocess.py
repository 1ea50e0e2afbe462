"""Preprocessing: picture to pixels at the model's input size, pixels to normalized input, and back."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torchvision import transforms as T
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from ..errors import CamwidgetError, ModelError, PictureError, warn
from ..execution.random_numbers import PrivateDraws
from ..execution.random_state import draws_watched
from ..runtime.error_reports import error_line, log_error
from .array_pictures import ArrayPicture, Levels, check_levels
from .conversion import (
    MAX_PIXELS,
    LazyPicture,
    PictureLike,
    is_prepared,
    read_picture,
    tensor_pixels,
)
from .dataset_rows import read_row, row_of_mapping

__all__ = [
    "IMAGENET_MEAN",
    "IMAGENET_STD",
    "Preprocess",
    "channels_taken",
    "default_preprocess",
    "takes_volumes",
]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

#: Steps that may come after ``Normalize``, and leave the values as they are.
_NO_CHANGE = {"Identity", "ToPureTensor", "ConvertImageDtype", "ToDtype"}


class Preprocess:
    """Preprocessing in two steps that are kept apart: geometry, then normalisation.

    A picture becomes *pixels* (C, H, W) in [0, 1] at the model's input size: what is shown,
    masked and blurred. Normalised pixels are what the module receives. Keeping the steps apart
    is what lets the view show exactly what the model gets.

    Pictures of 8 bits are resized and cropped by PIL at 8 bits. Of deeper ones (files of 12 and 16 bits or of floats,
    and arrays of such types) every channel is, in floating point, by the same filters: their levels reach the model,
    and the screen shows them rounded to 8 bits. What hides pixels of them is of whole 8-bit levels, and so is their
    product with a map. Of a colour file with 16 bits a channel Pillow gives the upper 8: pass an array. A picture on
    the screen has three channels: of a model with others, see ``images.shades``.

    Args:
        size: the model's input, one side or (height, width).
        resize: the short side before cropping, or (height, width) to stretch to; ``size`` if None.
        mean: one value a channel, taken off the pixels; the length is the number of channels: 1 for grey, 3 for RGB.
            For any other number, pictures are arrays (H, W, C) or tensors (C, H, W) of just so many, and for 4 also
            pictures with transparency, their opacity the fourth.
        std: one value a channel, by which they are divided then.
        interpolation: how resizing interpolates.
        geometry: replaces resize and crop: a callable from an RGB (or L) PIL image to a
            float tensor (C, H, W) in [0, 1].
        levels: the values that are black and white in pictures of more than 8 bits a channel; those beyond are clipped.
            (0, 4095) for 12 bits in a file or array of 16, (-160, 240) for a window of Hounsfield units. None: 0 and
            65535 for 16 unsigned bits, 0 and 4095 for a TIFF file that says that it has 12, 0 and 1 for floats; arrays
            of other types are refused. No picture is stretched to its own values; only what is clearly of 8 bits in a
            wider file (32-bit grey up to 255, a float file above 1 and up to 255) is read as that. Floating-point
            tensors are pixels in [0, 1] already.
    """

    def __init__(
        self,
        size: int | tuple[int, int] = 224,
        *,
        resize: int | tuple[int, int] | None = None,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        geometry: Callable[[Image.Image], torch.Tensor] | None = None,
        levels: Levels | None = None,
    ) -> None:
        mean, std = (list(v) if isinstance(v, Iterable) else [] for v in (mean, std))
        if len(mean) != len(std) or not mean:
            raise ModelError(
                "Preprocess needs mean and std of one length, the number of channels: 1 for grey, 3 for RGB."
            )
        if min(std) <= 0:
            raise ModelError(f"Preprocess needs std > 0, not {tuple(std)}.")
        self.size = (
            (int(size[0]), int(size[1])) if isinstance(size, Sequence) else (int(size), int(size))
        )
        resize = min(self.size) if resize is None else resize
        self.resize = tuple(map(int, resize)) if isinstance(resize, Sequence) else int(resize)
        self.mean = tuple(float(m) for m in mean)
        self.std = tuple(float(s) for s in std)
        self.interpolation = interpolation
        self.geometry = geometry
        self.levels = check_levels(levels)

    @classmethod
    def of(cls, transform: Any, channels: int | None = None) -> Preprocess:
        """Read the two steps off a transform.

        Understands torchvision's weight presets (``weights.transforms()``), a ``Compose`` (v1 or v2), a list or an
        ``nn.Sequential`` of steps that ends in ``Normalize``, also where these are in each other, and any callable from
        PIL to a tensor in [0, 1].

        Args:
            transform: one of these.
            channels: how many the model has, where that is known. What a transform gives decides where it is not; and a
                transform that gives as many as it gets, of which 1 are wanted, gets grey pictures.

        Raises:
            ModelError: if ``transform`` is none of these.
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
        steps = _steps(transform)
        named = [type(step).__name__ for step in steps]
        while "Normalize" in named and named[-1] in _NO_CHANGE:
            steps, named = steps[:-1], named[:-1]
        if named[-1:] == ["Normalize"]:
            last, rest = steps[-1], T.Compose(steps[:-1])
            mean, std = (list(np.atleast_1d(np.asarray(v, float))) for v in (last.mean, last.std))
            # "Normalize((0.5,), (0.5,))" is written for RGB pictures too.
            count = _channels_given(rest, channels) if len(mean) == 1 else 1
            return cls(mean=mean * count, std=std * count, geometry=rest)
        if isinstance(transform, (list, tuple)) and steps:
            transform = T.Compose(steps)
        if callable(transform):
            count = _channels_given(transform, channels)
            if (count, channels) == (1, 3):
                count = 3  # grey is repeated
            return cls(mean=[0.0] * count, std=[1.0] * count, geometry=transform)
        raise ModelError(
            "preprocess is a camwidget.Preprocess, a torchvision transform that ends in Normalize, "
            f"or a callable from a PIL image to a tensor in [0, 1], not {type(transform).__name__}."
        )

    @property
    def channels(self) -> int:
        """How many the model takes: 1 for grey, 3 for RGB."""
        return len(self.mean)

    def read(
        self, picture: PictureLike | ArrayPicture, *, name: str | None = None
    ) -> Image.Image | ArrayPicture:
        """A picture at its own size, with the levels and channels that the model takes (see ``images.read_picture``).

        Raises:
            PictureError: if it cannot be read, or its channels are not the model's.
        """
        return read_picture(picture, name=name, levels=self.levels, channels=self.channels)

    def pixels(self, picture: PictureLike | ArrayPicture | LazyPicture) -> torch.Tensor:
        """The pixels that the model gets, before normalisation.

        Args:
            picture: anything that ``open_picture`` opens, an array with as many channels as the model, or a row of a
                data set. A floating-point tensor (C, H, W) is taken to be these pixels already, and only checked:
                nothing resizes or crops it. A tensor (C, H, W) of whole numbers (uint8, as decoders give it) is a
                picture like an array.

        Returns:
            float32 tensor (C, H, W) in [0, 1] on the CPU.
        """
        if isinstance(picture, Mapping):
            picture = _one_of(picture)
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
        """Channel by channel, each by the filters of 8-bit pictures; alike channels once."""
        if self.geometry is not None and self.channels in (1, 3):
            return self._deep_geometry(picture)
        is_grey = (picture.channels, self.channels) == (1, 3)
        planes = (picture if is_grey else picture.to_channels(self.channels)).planes()
        if self.geometry is not None:
            return self._checked(torch.cat([self._plane(self.geometry, p) for p in planes])).cpu()
        rows = [torch.as_tensor(np.array(self._cropped(plane))) for plane in planes]
        pixels = torch.stack(rows).to(torch.float32)
        # Bicubic resizing overshoots a little.
        pixels = pixels.clamp(0, 1) if picture.is_deep else pixels / 255
        return pixels.repeat(self.channels, 1, 1) if is_grey else pixels

    def _deep_geometry(self, picture: ArrayPicture) -> torch.Tensor:
        """A geometry is written for 8-bit pictures: a deeper one goes through it where that gives the same picture."""
        assert self.geometry is not None
        image = picture.shown()
        rounded = self._from_geometry(image.convert("L") if self.channels == 1 else image)
        is_grey = picture.channels == 1
        planes = (picture if is_grey else picture.to_channels(self.channels)).planes()
        try:
            pixels = torch.cat([self._plane(self.geometry, plane) for plane in planes])
        except Exception as error:  # it is somebody's own, and was promised 8 bits
            log_error(error, "The preprocessing refuses a deep picture.", level=logging.INFO)
            pixels = torch.empty(0)
        pixels = pixels.repeat(self.channels, 1, 1) if is_grey and len(pixels) == 1 else pixels
        if pixels.shape == rounded.shape and (pixels - rounded).abs().max() <= 3 / 255:
            return pixels
        warn(
            "The preprocessing takes pictures of 8 bits only, and deeper ones were rounded for it: for all levels pass "
            "a camwidget.Preprocess(size, resize=…, mean=…, std=…)."
        )
        return rounded

    @staticmethod
    def _plane(geometry: Callable[[Image.Image], torch.Tensor], plane: Image.Image) -> torch.Tensor:
        """One channel through a geometry, (1, H, W) in [0, 1]; of one that repeats it, the first."""
        result = _as_tensor(geometry, plane).to(torch.float32)
        return result.reshape(-1, *result.shape[-2:])[:1].clamp(0, 1).cpu()

    def smaller(self, side: int) -> Preprocess:
        """The same for thumbnails: the same part of a picture, with about ``side`` pixels of the shorter side.

        Itself if it is hardly larger, or has a geometry of its own.
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
        """(…, C, H, W) pixels in [0, 1] to the module's input."""
        mean, std = self._constants(pixels)
        return (pixels - mean) / std

    def denormalize(self, inputs: torch.Tensor) -> torch.Tensor:
        """The module's input (…, C, H, W) back to pixels, clamped to [0, 1]."""
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
        if isinstance(self.resize, int):
            short = min(width, height)
            if width * height * (self.resize / short) ** 2 > MAX_PIXELS:
                raise PictureError(
                    f"The picture is {width}×{height}: far too long for its width. Crop it first."
                )
            image = F.resize(image, [self.resize], interpolation=self.interpolation)
        else:
            image = F.resize(image, list(self.resize), interpolation=self.interpolation)
        cropped: Image.Image = F.center_crop(image, list(self.size))
        return cropped

    def _from_geometry(self, image: Image.Image) -> torch.Tensor:
        assert self.geometry is not None
        result = _as_tensor(self.geometry, image)
        if result.ndim == 3 and len(result) not in (1, 3, self.channels) and result.shape[-1] > 4:
            raise ModelError(
                f"preprocess makes {len(result)} channels of a picture, which is grey or RGB: make them in the module, "
                "torch.nn.Sequential(step, module), so that the picture can be shown and masked."
            )
        if result.is_floating_point() and result.min() > -0.25 and result.max() < 1.25:
            result = result.clamp(0, 1)  # bicubic resizing overshoots a little
        try:
            return self._checked(tensor_pixels(result, channels=self.channels)[0]).cpu()
        except PictureError as error:
            raise ModelError(
                "preprocess must give pixels in [0, 1], so that they can be shown and masked: end it in "
                "torchvision's Normalize, or use camwidget.Preprocess(mean=…, std=…, geometry=…) with the "
                f"normalisation left out of the geometry. ({error})"
            ) from error

    def _checked(self, pixels: torch.Tensor) -> torch.Tensor:
        if pixels.shape[0] == self.channels:
            return pixels
        if (len(pixels), self.channels) == (1, 3):
            return pixels.expand(3, -1, -1)
        if self.channels == 1:
            raise PictureError("This model takes grey pictures: pass a tensor of shape (1, H, W).")
        raise PictureError(
            f"This model takes {self.channels} channels: pass a tensor of shape ({self.channels}, H, W), not "
            f"{tuple(pixels.shape)}."
        )

    def __repr__(self) -> str:
        steps = "geometry=…" if self.geometry else f"size={self.size}, resize={self.resize}"
        levels = "" if self.levels is None else f", levels={self.levels}"
        return f"Preprocess({steps}, mean={self.mean}, std={self.std}{levels})"


def channels_taken(module: nn.Module) -> int | None:
    """How many channels the first convolution of a module takes; None if it has none of two dimensions."""
    first = _first_convolution(module)
    return first.in_channels if isinstance(first, nn.Conv2d) else None


def default_preprocess(module: nn.Module) -> Preprocess:
    """Short side to 224, centre crop, no normalisation, and the channels that the first convolution takes."""
    channels = channels_taken(module) or 3
    return Preprocess(mean=(0.0,) * channels, std=(1.0,) * channels)


def takes_volumes(module: nn.Module) -> bool:
    """Whether the first convolution of a module has three dimensions."""
    return isinstance(_first_convolution(module), nn.Conv3d)


def _first_convolution(module: nn.Module) -> nn.Module | None:
    kinds = (nn.Conv2d, nn.Conv3d)
    return next((m for m in module.modules() if isinstance(m, kinds)), None)


def _one_of(pictures: Mapping[Any, Any]) -> Any:
    """The picture of a row of a data set, or of a mapping from one name."""
    row = row_of_mapping(pictures)
    if row is None and len(pictures) != 1:
        raise PictureError(
            f"One picture was expected, not a mapping of {', '.join(map(repr, pictures)) or 'nothing'}. Pass pictures "
            "one by one."
        )
    return read_row(next(iter(pictures.values()))).picture if row is None else row.picture


def _steps(transform: Any) -> list[Any]:
    """The steps of a transform one after the other, without the containers that they are in."""
    if isinstance(transform, (list, tuple)):
        inner = list(transform)
    elif type(transform).__name__ == "Compose":
        inner = list(getattr(transform, "transforms", ()))
    elif isinstance(transform, nn.Sequential):
        inner = list(transform)
    else:
        return [transform]
    return [step for each in inner for step in _steps(each)]


def _channels_given(geometry: Callable[[Image.Image], torch.Tensor], wanted: int | None) -> int:
    """How many channels a geometry gives; of one that gives as many as it gets, 1 where that is wanted."""

    def given(mode: str) -> int:
        try:
            return int(_as_tensor(geometry, Image.new(mode, (256, 256))).shape[-3])
        except (ModelError, IndexError):  # whoever runs it next is told
            return 0

    owners = [step for step in (geometry, *_steps(geometry)) if hasattr(step, "__dict__")]
    with draws_watched(torch.device("cpu"), owners), PrivateDraws(0):
        count = given("RGB")
        if wanted == 1 and count == 3 and given("L") == 1:
            return 1
    return count if count in (1, 3) else 3


def _as_tensor(geometry: Callable[[Image.Image], torch.Tensor], image: Image.Image) -> torch.Tensor:
    """What a geometry makes of a picture, (C, H, W) or (1, C, H, W)."""
    try:
        result = geometry(image)
    except (CamwidgetError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # it is somebody's own
        raise ModelError(
            f"preprocess fails on a PIL image of mode {image.mode}, {image.width}×{image.height}: {error_line(error)}. "
            "It takes a PIL image and gives a tensor (C, H, W) in [0, 1], or one that ends in Normalize."
        ) from error
    if isinstance(result, Image.Image):
        result = F.to_tensor(result)
    several = len(result) if isinstance(result, (list, tuple)) else 1
    if isinstance(result, torch.Tensor) and result.ndim > 3:
        several = len(result)
    if several > 1:
        raise ModelError(
            f"preprocess gives {several} pictures of one, as TenCrop and FiveCrop do, and a map is of one picture: "
            "take one of them, such as by CenterCrop in their place, and explain the others as pictures of their own."
        )
    if not isinstance(result, torch.Tensor):
        raise ModelError(
            f"preprocess returned {type(result).__name__}; it must return a tensor (C, H, W)."
        )
    return result
