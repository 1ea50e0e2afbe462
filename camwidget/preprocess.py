"""From a picture to the pixels a model gets, and from pixels to its normalised input, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms import functional as F

from .errors import ModelError, PictureError
from .images import MAX_PIXELS, PictureLike, open_picture, tensor_pixels

__all__ = ["IMAGENET_MEAN", "IMAGENET_STD", "Preprocess"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Preprocess:
    """Preprocessing in two steps that are kept apart: geometry, then normalisation.

    A picture becomes *pixels* (C, H, W) in [0, 1] at the model's input size: what is shown,
    masked and blurred. Normalised pixels are what the module receives. Keeping the steps apart
    is what lets the view show exactly what the model gets.

    Args:
        size: the model's input, one side or (height, width).
        resize: the short side before cropping, or (height, width) to stretch to; ``size`` if None.
        mean: one value a channel, taken off the pixels; the length decides between grey (1) and RGB (3).
        std: one value a channel, by which they are divided then.
        interpolation: how resizing interpolates.
        geometry: replaces resize and crop: a callable from an RGB (or L) PIL image to a
            float tensor (C, H, W) in [0, 1].
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
    ) -> None:
        if len(mean) != len(std) or len(mean) not in (1, 3):
            raise ModelError("Preprocess needs mean and std of one length, 1 (grey) or 3 (RGB).")
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

    @classmethod
    def of(cls, transform: Any) -> Preprocess:
        """Read the two steps off a transform.

        Understands torchvision's weight presets (``weights.transforms()``), a ``Compose`` (v1 or v2)
        that ends in ``Normalize``, and any callable from PIL to a tensor in [0, 1].

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
        steps = getattr(transform, "transforms", None)
        if steps and type(steps[-1]).__name__ == "Normalize":
            last, rest = steps[-1], type(transform)(list(steps[:-1]))
            mean, std = (list(np.atleast_1d(np.asarray(v, float))) for v in (last.mean, last.std))
            # "Normalize((0.5,), (0.5,))" is written for RGB pictures too.
            channels = len(_as_tensor(rest, Image.new("RGB", (256, 256)))) if len(mean) == 1 else 1
            return cls(mean=mean * channels, std=std * channels, geometry=rest)
        if callable(transform):
            return cls(geometry=transform)
        raise ModelError(
            "preprocess is a camwidget.Preprocess, a torchvision transform that ends in Normalize, "
            f"or a callable from a PIL image to a tensor in [0, 1], not {type(transform).__name__}."
        )

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return len(self.mean)

    def pixels(self, picture: PictureLike) -> torch.Tensor:
        """The pixels that the model gets, before normalisation.

        Args:
            picture: anything that ``open_picture`` opens. A tensor (C, H, W) is taken to be
                these pixels already, and only checked.

        Returns:
            float32 tensor (C, H, W) in [0, 1] on the CPU.
        """
        if isinstance(picture, torch.Tensor):
            pixels = tensor_pixels(picture)
            if len(pixels) != 1:
                raise PictureError(
                    f"One picture was expected, not a batch of {len(pixels)}. Pass pictures one by one."
                )
            return self._checked(pixels[0]).cpu()
        image = open_picture(picture)
        if self.channels == 1:
            image = image.convert("L")
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
        if result.is_floating_point() and result.min() > -0.25 and result.max() < 1.25:
            result = result.clamp(0, 1)  # bicubic resizing overshoots a little
        try:
            return self._checked(tensor_pixels(result)[0]).cpu()
        except PictureError as error:
            raise ModelError(
                "preprocess must give pixels in [0, 1], so that they can be shown and masked: end it in "
                "torchvision's Normalize, or use camwidget.Preprocess(mean=…, std=…, geometry=…) with the "
                f"normalisation left out of the geometry. ({error})"
            ) from error

    def _checked(self, pixels: torch.Tensor) -> torch.Tensor:
        if pixels.shape[0] == self.channels:
            return pixels
        if self.channels == 3:
            return pixels.expand(3, -1, -1)
        raise PictureError("This model takes grey pictures: pass a tensor of shape (1, H, W).")

    def __repr__(self) -> str:
        steps = "geometry=…" if self.geometry else f"size={self.size}, resize={self.resize}"
        return f"Preprocess({steps}, mean={self.mean}, std={self.std})"


def _as_tensor(geometry: Callable[[Image.Image], torch.Tensor], image: Image.Image) -> torch.Tensor:
    result = geometry(image)
    if not isinstance(result, torch.Tensor):
        raise ModelError(
            f"preprocess returned {type(result).__name__}; it must return a tensor (C, H, W)."
        )
    return result
