"""Users' transforms: their steps, the channels that they give, and their result for a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from PIL import Image
from torch import nn

from ..errors import CamwidgetError, ModelError
from ..execution.random_numbers import PrivateRandomNumbers
from ..execution.random_state import watch_random_draws
from ..runtime.error_reports import error_line

__all__ = ["composed", "output_channels", "transform_steps", "transformed"]


def transform_steps(transform: Any) -> list[Any]:
    """Return the steps of a transform in order, without their containers."""
    if isinstance(transform, (list, tuple)):
        inner = list(transform)
    elif type(transform).__name__ == "Compose":
        inner = list(getattr(transform, "transforms", ()))
    elif isinstance(transform, nn.Sequential):
        inner = list(transform)
    else:
        return [transform]
    return [step for each in inner for step in transform_steps(each)]


def composed(steps: list[Any]) -> Any:
    """Return the transform that runs some steps in order."""
    # Torchvision takes seconds to import: whoever passes its transforms has imported it.
    from torchvision.transforms import Compose

    return Compose(steps)


def output_channels(geometry: Callable[[Image.Image], torch.Tensor], expected: int | None) -> int:
    """Return how many channels a geometry gives; 1 if that is expected and it keeps the number of channels."""

    def channels_of(mode: str) -> int:
        try:
            return int(transformed(geometry, Image.new(mode, (256, 256))).shape[-3])
        except (ModelError, IndexError):  # the next run reports the error
            return 0

    owners = [step for step in (geometry, *transform_steps(geometry)) if hasattr(step, "__dict__")]
    with watch_random_draws(torch.device("cpu"), owners), PrivateRandomNumbers(0):
        count = channels_of("RGB")
        if expected == 1 and count == 3 and channels_of("L") == 1:
            return 1
    return count if count in (1, 3) else 3


def transformed(
    geometry: Callable[[Image.Image], torch.Tensor], image: Image.Image
) -> torch.Tensor:
    """Return the result of a geometry, (C, H, W) or (1, C, H, W).

    Raises:
        ModelError: if it fails, or gives no tensor of one picture.
    """
    try:
        result = geometry(image)
    except (CamwidgetError, MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # a user function may raise anything
        raise ModelError(
            f"preprocess fails on a PIL image of mode {image.mode}, {image.width}×{image.height}: {error_line(error)}. "
            "It takes a PIL image and gives a tensor (C, H, W) in [0, 1], or one that ends in Normalize."
        ) from error
    if isinstance(result, Image.Image):
        from torchvision.transforms.functional import to_tensor

        result = to_tensor(result)
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
            + " Pass an image processor of transformers itself." * isinstance(result, Mapping)
        )
    return result
