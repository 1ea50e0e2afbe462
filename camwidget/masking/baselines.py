"""Baselines: what replaces hidden pixels.

One kind is a picture of its own, wherever pixels are missing (``BASELINES``); the other is made of what is around the
hole (``inpainting``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from weakref import ReferenceType, ref

import torch
from scipy.fft import next_fast_len
from torch.nn import functional as nnF
from torchvision.transforms import functional as F

from ..errors import CamwidgetError
from ..runtime.caches import BoundedCache, size_of
from .inpainting import INPAINTINGS, inpaint_pixels

__all__ = [
    "BASELINES",
    "RecentFills",
    "baseline_names",
    "baseline_pixels",
    "check_baseline",
    "fill_pixels",
    "flat_fill",
]


#: Pixels of the shorter side up to which a picture is blurred by the sum over the kernel; beyond, where the kernel is
#: hundreds of pixels long, by the product of Fourier transforms, which is the same but for rounding.
_DIRECT = 512


def _black(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.new_zeros(()).expand_as(pixels)


def _mean(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.mean((-2, -1), keepdim=True).expand_as(pixels)


def _blur(pixels: torch.Tensor) -> torch.Tensor:
    height, width = pixels.shape[-2:]
    # Strong enough to take a texture or an outline away: sigma is 1/20 of the shorter side, 11 at 224.
    sigma = max(min(height, width) / 20, 1.0)
    # Three sigmas, but reflection cannot reach further than the picture.
    reach = min(math.ceil(3 * sigma), min(height, width) - 2)
    size = 2 * max(reach, 1) + 1
    if min(height, width) > _DIRECT:
        return _convolved(_convolved(pixels, reach, sigma).mT, reach, sigma).mT
    # Two passes of one dimension each: the same blur for a fraction of the work.
    across = F.gaussian_blur(pixels, [size, 1], [sigma, sigma])
    both: torch.Tensor = F.gaussian_blur(across, [1, size], [sigma, sigma])
    return both


def _convolved(pixels: torch.Tensor, reach: int, sigma: float) -> torch.Tensor:
    """The rows of (C, H, W) blurred by a Gaussian that ends at ``reach``, reflected at the edges."""
    places = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    kernel = torch.exp(-0.5 * (places / sigma) ** 2)
    width = pixels.shape[-1]
    length = next_fast_len(width + 2 * reach, real=True)
    response = torch.fft.rfft(kernel / kernel.sum(), length)
    blurred = []
    # A few rows at a time, which a processor's cache can hold.
    for rows in pixels.reshape(-1, width).split(64):
        padded = nnF.pad(rows[None], (reach, reach), mode="reflect")[0]
        product = torch.fft.rfft(padded, length) * response
        blurred.append(torch.fft.irfft(product, length)[:, 2 * reach : 2 * reach + width])
    return torch.cat(blurred).reshape(pixels.shape).clamp(0, 1)


#: What a removed pixel becomes, wherever it is: (C, H, W) pixels to pixels of the same shape. What depends on which
#: pixels are removed is in ``INPAINTINGS``.
BASELINES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "blur": _blur,
    "mean": _mean,
    "black": _black,
}


def baseline_names() -> tuple[str, ...]:
    """All that removed pixels can become here, those first that are made without asking which pixels are removed."""
    return (*BASELINES, *(name for name, kind in INPAINTINGS.items() if kind.is_installed))


def check_baseline(baseline: str) -> str:
    """The name of a baseline.

    Raises:
        CamwidgetError: if there is none of this name, or its library cannot be imported.
    """
    if baseline in INPAINTINGS:
        INPAINTINGS[baseline].check(baseline)
    elif baseline not in BASELINES:
        raise CamwidgetError(
            f"There is no baseline {baseline!r}: use {', '.join(map(repr, baseline_names()))}."
        )
    return baseline


def baseline_pixels(pixels: torch.Tensor, baseline: str = "blur") -> torch.Tensor:
    """The picture that shows where pixels are removed, float32 (C, H, W) in [0, 1].

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        baseline: "blur" (Gaussian, sigma 1/20 of the shorter side), "mean" (of each
            channel of this picture) or "black".

    The values are whole 8-bit levels, so that a screen can show exactly what the model gets; also of a picture with
    more than 8 bits, whose other pixels keep their levels.

    Raises:
        CamwidgetError: if there is no such baseline, or it depends on which pixels are removed: ``fill_pixels`` is
            told.
    """
    check_baseline(baseline)
    if baseline in INPAINTINGS:
        raise CamwidgetError(
            f"The baseline {baseline!r} depends on which pixels are removed: fills.fill_pixels(pixels, hidden, "
            f"{baseline!r}) is told."
        )
    return (BASELINES[baseline](pixels) * 255).round() / 255


class RecentFills:
    """The last few baselines of pictures that nobody changes, as an explorer's are: a slider asks at each step."""

    def __init__(self) -> None:
        self._made: BoundedCache[tuple[ReferenceType[torch.Tensor], torch.Tensor]]
        self._made = BoundedCache(4, lambda made: size_of(made[1]))

    def get(self, pixels: torch.Tensor, baseline: str) -> torch.Tensor:
        """As ``baseline_pixels``."""
        key = (id(pixels), baseline)
        known = self._made.peek(key)
        if known is not None and known[0]() is pixels:
            return known[1]
        fill = baseline_pixels(pixels, baseline)
        self._made.put(key, (ref(pixels, lambda _: self._forget_gone()), fill))
        return fill

    def _forget_gone(self) -> None:
        """A picture is held by nobody any more: its baselines go too."""
        self._made.drop(lambda made: made[0]() is None)


def flat_fill(pixels: torch.Tensor, baseline: str) -> torch.Tensor | None:
    """What ``baseline_pixels`` has in every place, (C, 1, 1); None if its places differ."""
    if baseline not in ("mean", "black"):
        return None
    return (BASELINES[baseline](pixels)[:, :1, :1] * 255).round() / 255


def fill_pixels(pixels: torch.Tensor, hidden: torch.Tensor, baseline: str = "blur") -> torch.Tensor:
    """What shows where pixels are hidden, float32 (n or 1, C, H, W) in [0, 1], of whole 8-bit levels where hidden.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        hidden: bool (n, H, W).
        baseline: as in ``baseline_pixels``; or "inpaint" (what is around the hole, continued smoothly: biharmonic,
            Damelin & Hoang 2018) or "telea" (Telea 2004), for which a hidden whole picture is the mean.
    """
    if baseline not in INPAINTINGS:
        return baseline_pixels(pixels, baseline)[None]
    return torch.stack([inpaint_pixels(pixels, hole, baseline) for hole in hidden])
