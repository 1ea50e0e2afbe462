"""Inpainting: baselines computed from the pixels around the hidden ones.

Inpainting is slower than a single color, and its result is closer to a picture without the evidence. Its libraries are
imported when they are first needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch
from torch.nn import functional as nnF

from ..errors import CamwidgetError

__all__ = ["INPAINTINGS", "Inpainting", "inpaint_pixels"]


@dataclass(frozen=True)
class Inpainting:
    """An inpainting algorithm.

    Attributes:
        citation: authors, year and title.
        library: name of the Python module that it needs.
        remedy: how to install the library.
        fill: function of a picture, uint8 (H, W, C), and its hole, bool (H, W), to the filled picture, uint8 or float
            in [0, 255].
        max_pixels: number of pixels up to which a picture is filled at its own size, which bounds the time to a few
            seconds. A larger picture is reduced to this size, filled and enlarged.
    """

    citation: str
    library: str
    remedy: str
    fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
    max_pixels: int

    @property
    def is_installed(self) -> bool:
        """Whether the library is installed; the library is not imported."""
        return find_spec(self.library) is not None

    def check(self, name: str) -> None:
        """Import the library.

        Args:
            name: name of the baseline, for the error message.

        Raises:
            CamwidgetError: if the library cannot be imported.
        """
        try:
            __import__(self.library)
        except ImportError as error:
            reason = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
            raise CamwidgetError(
                f"The baseline {name!r} needs {self.library}, which cannot be imported{reason}: {self.remedy}."
            ) from error


def _biharmonic(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    from skimage.restoration import inpaint_biharmonic

    return np.asarray(255 * inpaint_biharmonic(picture / 255, hole, channel_axis=-1))


def _telea(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    import cv2

    flags = hole.astype(np.uint8)
    if picture.shape[-1] == 3:
        return cv2.inpaint(picture, flags, 3, cv2.INPAINT_TELEA)
    filled = [
        cv2.inpaint(np.ascontiguousarray(picture[..., n]), flags, 3, cv2.INPAINT_TELEA)
        for n in range(picture.shape[-1])
    ]
    return np.stack(filled, axis=-1)


#: The baselines that depend on which pixels are hidden; the others are in ``baselines.BASELINES``.
INPAINTINGS: dict[str, Inpainting] = {
    "inpaint": Inpainting(
        "Damelin & Hoang 2018, On surface completion and image inpainting by biharmonic functions, arXiv:1707.06567",
        "skimage",
        "python -m pip install scikit-image",
        _biharmonic,
        320**2,
    ),
    "telea": Inpainting(
        "Telea 2004, An image inpainting technique based on the fast marching method",
        "cv2",
        'pip install "camwidget[opencv]"',
        _telea,
        1024**2,
    ),
}


def inpaint_pixels(pixels: torch.Tensor, hole: torch.Tensor, name: str) -> torch.Tensor:
    """Fill a hole in a picture from the pixels around it.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        hole: bool (H, W). A hole that covers the whole picture becomes the mean of the picture.
        name: name of the algorithm in ``INPAINTINGS``.

    Returns:
        float32 (C, H, W) in [0, 1]: rounded to 8-bit levels inside the hole, unchanged elsewhere.

    Raises:
        CamwidgetError: if the library cannot be imported.
    """
    INPAINTINGS[name].check(name)
    if not bool(hole.any()):
        return pixels
    if bool(hole.all()):
        mean = pixels.mean((-2, -1), keepdim=True).expand_as(pixels)
        return (mean * 255).round() / 255
    kind = INPAINTINGS[name]
    levels, missing = (pixels.cpu() * 255).round(), hole.cpu()
    factor = math.ceil(math.sqrt(missing.numel() / kind.max_pixels))
    filled = (
        _inpaint(levels, missing, kind)
        if factor == 1
        else _inpaint_reduced(levels, missing, kind, factor)
    )
    return torch.where(hole, (filled.clamp(0, 255).round() / 255).to(pixels.device), pixels)


def _inpaint(levels: torch.Tensor, hole: torch.Tensor, kind: Inpainting) -> torch.Tensor:
    """Return 8-bit levels (C, H, W), float32 in [0, 255], with a hole (H, W) filled."""
    picture = np.ascontiguousarray(levels.to(torch.uint8).permute(1, 2, 0).numpy())
    filled = np.asarray(kind.fill(picture, hole.numpy()), dtype=np.float32)
    return torch.from_numpy(filled).permute(2, 0, 1)


def _inpaint_reduced(
    levels: torch.Tensor, hole: torch.Tensor, kind: Inpainting, factor: int
) -> torch.Tensor:
    """Fill the hole in the picture reduced by a factor, and enlarge the result; the filling is smooth anyway."""
    visible = (~hole).float()[None]
    visible_fraction = nnF.avg_pool2d(visible, factor, ceil_mode=True)
    # A cell of the reduced picture is the mean of its visible pixels, and missing only if it has none.
    cells = nnF.avg_pool2d(levels * visible, factor, ceil_mode=True)
    cells = cells / visible_fraction.clamp(min=1e-9)
    missing = visible_fraction[0] == 0
    small = cells.round()
    if bool(missing.any()):
        small = _inpaint(small, missing, kind)
    height, width = hole.shape
    large = nnF.interpolate(small[None], scale_factor=factor, mode="bilinear", align_corners=False)
    return large[0, :, :height, :width]
