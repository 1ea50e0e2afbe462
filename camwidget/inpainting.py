"""Holes in a picture filled from what is around them, so that hardly a trace of them is left.

Slower than one flat colour, and closer to a picture that never had the evidence in it. Libraries are imported when they
are first needed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch

from .errors import CamwidgetError
from .images import shades

__all__ = ["INPAINTINGS", "Inpainting", "inpaint_pixels"]


@dataclass(frozen=True)
class Inpainting:
    """One way to fill holes.

    Attributes:
        citation: where it is from.
        library: the module that it needs.
        remedy: what to do where that is missing.
        fill: a picture uint8 (H, W, 3) and its hole, bool (H, W), to the picture filled, uint8 or floats in [0, 255].
    """

    citation: str
    library: str
    remedy: str
    fill: Callable[[np.ndarray, np.ndarray], np.ndarray]

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

    return cv2.inpaint(picture, hole.astype(np.uint8), 3, cv2.INPAINT_TELEA)


#: Beside ``perturb.BASELINES``, which do not ask where the holes are.
INPAINTINGS: dict[str, Inpainting] = {
    "inpaint": Inpainting(
        "Damelin & Hoang 2018, On surface completion and image inpainting by biharmonic functions, arXiv:1707.06567",
        "skimage",
        "python -m pip install scikit-image",
        _biharmonic,
    ),
    "telea": Inpainting(
        "Telea 2004, An image inpainting technique based on the fast marching method",
        "cv2",
        'pip install "camwidget[opencv]"',
        _telea,
    ),
}


def inpaint_pixels(pixels: torch.Tensor, hole: torch.Tensor, name: str) -> torch.Tensor:
    """A picture with a hole filled from around it, whole 8-bit levels there; elsewhere it is as it was.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        hole: bool (H, W). Where it is the whole picture nothing is left to fill it from, and it becomes the mean.
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
    picture = shades(pixels)
    filled = np.asarray(INPAINTINGS[name].fill(picture, hole.cpu().numpy()), dtype=np.float64)
    levels = torch.from_numpy(np.clip(np.round(filled), 0, 255).astype(np.float32)) / 255
    # Of a grey picture the three channels are the same.
    channels = levels.permute(2, 0, 1)[: len(pixels)].to(pixels.device)
    return torch.where(hole, channels, pixels)
