"""Inpainting: holes filled from the pixels around them.

Slower than one flat colour, and closer to a picture that never had the evidence in it. Libraries are imported when they
are first needed.
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
    """One way to fill holes.

    Attributes:
        citation: where it is from.
        library: the module that it needs.
        remedy: what to do where that is missing.
        fill: a picture uint8 (H, W, C) and its hole, bool (H, W), to the picture filled, uint8 or floats in [0, 255].
        most: pixels up to which a picture is filled at its own size, so that a hole takes a few seconds at most. A hole
            in a larger one is filled in the picture reduced to that, and enlarged again.
    """

    citation: str
    library: str
    remedy: str
    fill: Callable[[np.ndarray, np.ndarray], np.ndarray]
    most: int

    @property
    def is_installed(self) -> bool:
        """Whether its library is there. It is looked for, not imported."""
        return find_spec(self.library) is not None

    def check(self, name: str) -> None:
        """Import its library.

        Raises:
            CamwidgetError: if that cannot be done.
        """
        try:
            __import__(self.library)
        except ImportError as error:
            why = "" if isinstance(error, ModuleNotFoundError) else f" ({error})"
            raise CamwidgetError(
                f"The baseline {name!r} needs {self.library}, which cannot be imported{why}: {self.remedy}."
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


#: Beside ``baselines.BASELINES``, which do not ask where the holes are.
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
    """A picture with a hole filled from around it, whole 8-bit levels there; elsewhere it is as it was.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        hole: bool (H, W). Where it is the whole picture, nothing is left to fill it from, and it becomes the mean.
        name: of ``INPAINTINGS``.

    Raises:
        CamwidgetError: if its library cannot be imported.
    """
    INPAINTINGS[name].check(name)
    if not bool(hole.any()):
        return pixels
    if bool(hole.all()):
        mean = pixels.mean((-2, -1), keepdim=True).expand_as(pixels)
        return (mean * 255).round() / 255
    kind = INPAINTINGS[name]
    levels, gone = (pixels.cpu() * 255).round(), hole.cpu()
    times = math.ceil(math.sqrt(gone.numel() / kind.most))
    filled = _filled(levels, gone, kind) if times == 1 else _filled_small(levels, gone, kind, times)
    return torch.where(hole, (filled.clamp(0, 255).round() / 255).to(pixels.device), pixels)


def _filled(levels: torch.Tensor, hole: torch.Tensor, kind: Inpainting) -> torch.Tensor:
    """Whole levels (C, H, W) from 0 to 255 with a hole (H, W) filled."""
    picture = np.ascontiguousarray(levels.to(torch.uint8).permute(1, 2, 0).numpy())
    filled = np.asarray(kind.fill(picture, hole.numpy()), dtype=np.float32)
    return torch.from_numpy(filled).permute(2, 0, 1)


def _filled_small(
    levels: torch.Tensor, hole: torch.Tensor, kind: Inpainting, times: int
) -> torch.Tensor:
    """The same with the hole filled in a picture that is smaller by so many times: what fills it is smooth."""
    known = (~hole).float()[None]
    share = nnF.avg_pool2d(known, times, ceil_mode=True)
    # A cell is the mean of what is known in it, and missing only where nothing is.
    cells = nnF.avg_pool2d(levels * known, times, ceil_mode=True) / share.clamp(min=1e-9)
    missing = share[0] == 0
    small = cells.round()
    if bool(missing.any()):
        small = _filled(small, missing, kind)
    height, width = hole.shape
    large = nnF.interpolate(small[None], scale_factor=times, mode="bilinear", align_corners=False)
    return large[0, :, :height, :width]
