"""Image processors of transformers as preprocessing: the processor resizes and crops, and camwidget normalizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image

from ..errors import ModelError
from ..images.preprocess import Preprocess

__all__ = ["read_processor"]


def read_processor(transform: Any) -> Any:
    """Convert an image processor of transformers, or a processor that has one, to a ``Preprocess``.

    Other transforms are returned unchanged.

    Raises:
        ModelError: if the processor does more than resize, crop and normalize, or does not give one picture.
    """
    processor = getattr(transform, "image_processor", transform)
    if not (
        callable(processor)
        and hasattr(processor, "image_mean")
        and hasattr(processor, "do_normalize")
    ):
        return transform
    scale = 255 * float(processor.rescale_factor) if processor.do_rescale else 255.0
    # EfficientNet's pixels range from −1 to 1.
    offset = -1.0 if getattr(processor, "rescale_offset", False) and processor.do_rescale else 0.0
    mean, std = np.zeros(3), np.ones(3)
    if processor.do_normalize:
        mean, std = (np.asarray(v, float) for v in (processor.image_mean, processor.image_std))
    mean, std = (mean - offset) / scale, std / scale
    made = Preprocess(mean=mean.tolist(), std=std.tolist(), geometry=_Geometry(processor))
    noise = np.random.default_rng(0).integers(0, 256, (160, 200, 3), np.uint8)
    image = Image.fromarray(noise)
    expected = processor(images=image, return_tensors="pt")["pixel_values"]
    found = made.normalize(made.pixels(image))[None]
    if found.shape != expected.shape or not torch.allclose(found, expected.float(), atol=1e-4):
        raise ModelError(_more(processor))
    return made


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
