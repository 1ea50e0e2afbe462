"""Image processors of transformers as preprocessing: the processor resizes and crops, and camwidget normalizes."""

from __future__ import annotations

import functools
import types
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError
from ..images.preprocess import Preprocess
from ..runtime.error_reports import error_line

__all__ = ["read_processor"]


def read_processor(transform: Any, channels: int | None = None) -> Any:
    """Convert an image processor of transformers, or a processor that has one, to a ``Preprocess``.

    Other transforms are returned unchanged.

    Args:
        transform: the processor.
        channels: number of channels of the model, if known.

    Raises:
        ModelError: if the processor does more than resize, crop and normalize, or does not give one picture.
    """
    processor, options = _processor_in(transform)
    if processor is None:
        return transform
    if options - {"return_tensors"}:
        raise ModelError(
            f"preprocess calls {type(processor).__name__} with {', '.join(sorted(options))}: give these to the "
            "processor where it is made, and pass it itself."
        )
    scale = 255 * float(processor.rescale_factor) if processor.do_rescale else 255.0
    # EfficientNet's pixels range from −1 to 1.
    offset = -1.0 if getattr(processor, "rescale_offset", False) and processor.do_rescale else 0.0
    mean, std = np.zeros(1), np.ones(1)
    if processor.do_normalize:
        mean, std = (
            np.atleast_1d(np.asarray(v, float)) for v in (processor.image_mean, processor.image_std)
        )
    if len(mean) == len(std) == 1:  # for all channels
        mean, std = (v.repeat(1 if channels == 1 else 3) for v in (mean, std))
    mean, std = (mean - offset) / scale, std / scale
    made = Preprocess(mean=mean.tolist(), std=std.tolist(), geometry=_Geometry(processor))
    noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    image = Image.fromarray(noise).convert("L" if made.channels == 1 else "RGB")
    try:
        expected = processor(images=image, return_tensors="pt")["pixel_values"]
    except Exception as error:  # a processor of any library may raise anything
        raise ModelError(
            f"{type(processor).__name__} fails on a picture of {made.channels} channels: {error_line(error)}. Use "
            "camwidget.Preprocess(size, mean=…, std=…)."
        ) from error
    found = made.normalize(made.pixels(image))[None]
    if found.shape != expected.shape or not torch.allclose(found, expected.float(), atol=1e-4):
        raise ModelError(_more(processor))
    return made


def _processor_in(transform: Any) -> tuple[Any, frozenset[str]]:
    """Return the image processor that a transform is or calls, or None, and the options of the call.

    A transform that calls one is ``functools.partial(processor, return_tensors="pt")``, or a method of it.
    """
    options: frozenset[str] = frozenset()
    while isinstance(transform, functools.partial):
        options |= transform.keywords.keys()
        transform = transform.func
    if isinstance(transform, types.MethodType):
        transform = transform.__self__
    processor = getattr(transform, "image_processor", transform)
    needed = ("image_mean", "do_normalize")
    is_processor = callable(processor) and all(hasattr(processor, name) for name in needed)
    return (processor, options) if is_processor else (None, options)


@dataclass(frozen=True)
class _Geometry:
    """What an image processor does before it rescales and normalizes."""

    processor: Any

    def __call__(self, image: Image.Image) -> torch.Tensor:
        try:
            made = self.processor(
                images=image, return_tensors="pt", do_rescale=False, do_normalize=False
            )
        except (TypeError, ValueError) as error:
            raise ModelError(_more(self.processor)) from error
        pixels = made["pixel_values"]
        if pixels.ndim != 4 or len(pixels) != 1:
            raise ModelError(
                f"{type(self.processor).__name__} makes {tuple(pixels.shape)} of a picture, where one picture "
                "(1, C, H, W) is needed. Use camwidget.Preprocess(size, mean=…, std=…)."
            )
        values: torch.Tensor = pixels[0].float() / 255
        return values


def _more(processor: Any) -> str:
    return (
        f"{type(processor).__name__} does more than resize, crop and normalize, so that what is shown would not be "
        "what the model gets. Use camwidget.Preprocess(size, mean=…, std=…)."
    )
