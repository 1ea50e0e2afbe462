"""Baselines: the pixels that replace hidden pixels.

The baselines of ``BASELINES`` do not depend on which pixels are hidden; those of ``inpainting`` are computed from the
pixels around the hidden ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from weakref import ReferenceType, ref

import torch
from torch.nn import functional as nnF

from ..errors import CamwidgetError
from ..images.film_strip import by_frame
from ..runtime.caches import BoundedCache, size_of
from .inpainting import INPAINTINGS, inpaint_pixels

__all__ = [
    "BASELINES",
    "BaselineCache",
    "baseline_names",
    "baseline_pixels",
    "check_baseline",
    "fill_pixels",
    "uniform_baseline",
]


#: Length of the shorter side, in pixels, up to which the blur is a direct convolution. Larger pictures, whose kernel is
#: hundreds of pixels long, are convolved by Fourier transforms; the results differ by rounding only.
_DIRECT_BLUR_LIMIT = 512


def _black(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.new_zeros(()).expand_as(pixels)


def _mean(pixels: torch.Tensor) -> torch.Tensor:
    return pixels.mean((-2, -1), keepdim=True).expand_as(pixels)


def _blur(pixels: torch.Tensor) -> torch.Tensor:
    height, width = pixels.shape[-2:]
    # Strong enough to remove a texture or an outline: sigma is 1/20 of the shorter side, 11 at 224.
    sigma = max(min(height, width) / 20, 1.0)
    # The kernel ends at three sigmas, or where reflection padding would need pixels beyond the picture.
    reach = min(math.ceil(3 * sigma), min(height, width) - 2)
    # The Gaussian is separable: two one-dimensional passes give the same blur for a fraction of the work.
    blurred = _blur_long_rows if min(height, width) > _DIRECT_BLUR_LIMIT else _blur_rows
    return blurred(blurred(pixels, reach, sigma).mT, reach, sigma).mT


def _gaussian(pixels: torch.Tensor, reach: int, sigma: float) -> torch.Tensor:
    """Return the weights (2 × reach + 1,) of a Gaussian, whose sum is 1."""
    offsets = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    kernel = torch.exp(-0.5 * (offsets / sigma) ** 2)
    return kernel / kernel.sum()


def _blur_rows(pixels: torch.Tensor, reach: int, sigma: float) -> torch.Tensor:
    """Blur the rows of (C, H, W) by a Gaussian cut off at ``reach`` pixels, with reflection at the edges."""
    kernel = _gaussian(pixels, max(reach, 1), sigma)
    edge = len(kernel) // 2
    padded = nnF.pad(pixels[:, None], (edge, edge, 0, 0), mode="reflect")
    return nnF.conv2d(padded, kernel.reshape(1, 1, 1, -1))[:, 0]


def _blur_long_rows(pixels: torch.Tensor, reach: int, sigma: float) -> torch.Tensor:
    """Do the same by Fourier transforms, which take less time than a long kernel."""
    from scipy.fft import next_fast_len  # not at the top: small pictures do not need it

    kernel = _gaussian(pixels, reach, sigma)
    width = pixels.shape[-1]
    length = next_fast_len(width + 2 * reach, real=True)
    response = torch.fft.rfft(kernel, length)
    blurred = []
    # A few rows at a time fit in a processor's cache.
    for rows in pixels.reshape(-1, width).split(64):
        padded = nnF.pad(rows[None], (reach, reach), mode="reflect")[0]
        product = torch.fft.rfft(padded, length) * response
        blurred.append(torch.fft.irfft(product, length)[:, 2 * reach : 2 * reach + width])
    return torch.cat(blurred).reshape(pixels.shape).clamp(0, 1)


#: Baselines that do not depend on the mask: functions of pixels (C, H, W) to pixels of the same shape. The others are
#: in ``INPAINTINGS``.
BASELINES: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "blur": _blur,
    "mean": _mean,
    "black": _black,
}


def baseline_names() -> tuple[str, ...]:
    """Return the names of the baselines that are installed; those of ``BASELINES`` come first."""
    return (*BASELINES, *(name for name, kind in INPAINTINGS.items() if kind.is_installed))


def check_baseline(baseline: str) -> str:
    """Return the name of a baseline if it can be used.

    Args:
        baseline: the name.

    Returns:
        The same name.

    Raises:
        CamwidgetError: if there is no such baseline, or its library cannot be imported.
    """
    if baseline in INPAINTINGS:
        INPAINTINGS[baseline].check(baseline)
    elif baseline not in BASELINES:
        raise CamwidgetError(
            f"There is no baseline {baseline!r}: use {', '.join(map(repr, baseline_names()))}."
        )
    return baseline


def baseline_pixels(
    pixels: torch.Tensor, baseline: str = "blur", frames: int | None = None
) -> torch.Tensor:
    """Compute a baseline that does not depend on which pixels are hidden.

    The values are rounded to 8-bit levels, so that a screen shows exactly what the model gets. This also holds for a
    picture of more than 8 bits, whose visible pixels are not rounded.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        baseline: "blur" (Gaussian, sigma 1/20 of the shorter side), "mean" (mean of each channel of this picture) or
            "black".
        frames: number of frames if the pixels are the strip of a clip, whose frames are blurred one by one; the mean is
            that of the clip. None for a picture.

    Returns:
        The pixels that replace hidden ones, float32 (C, H, W) in [0, 1].

    Raises:
        CamwidgetError: if there is no such baseline, or it depends on which pixels are hidden (use ``fill_pixels``).
    """
    check_baseline(baseline)
    if baseline in INPAINTINGS:
        raise CamwidgetError(
            f"The baseline {baseline!r} depends on which pixels are hidden: use fill_pixels(pixels, hidden, "
            f"{baseline!r})."
        )
    by = frames if baseline == "blur" else None
    return (by_frame(BASELINES[baseline], pixels, by) * 255).round() / 255


class BaselineCache:
    """Cache of the last few baselines, for pictures that are not modified in place.

    A slider needs the same baseline at every step. An entry is removed when its picture is garbage collected.
    """

    def __init__(self) -> None:
        self._entries: BoundedCache[tuple[ReferenceType[torch.Tensor], torch.Tensor]]
        self._entries = BoundedCache(4, lambda entry: size_of(entry[1]))

    def get(self, pixels: torch.Tensor, baseline: str, frames: int | None = None) -> torch.Tensor:
        """Return ``baseline_pixels(pixels, baseline, frames)``; the frames of given pixels are always the same."""
        key = (id(pixels), baseline)
        entry = self._entries.peek(key)
        if entry is not None and entry[0]() is pixels:
            return entry[1]
        fill = baseline_pixels(pixels, baseline, frames)
        self._entries.put(key, (ref(pixels, lambda _: self._drop_dead_entries()), fill))
        return fill

    def _drop_dead_entries(self) -> None:
        self._entries.drop(lambda entry: entry[0]() is None)


def uniform_baseline(pixels: torch.Tensor, baseline: str) -> torch.Tensor | None:
    """Return the single color (C, 1, 1) of ``baseline_pixels``; None for a baseline of several colors."""
    if baseline not in ("mean", "black"):
        return None
    return (BASELINES[baseline](pixels)[:, :1, :1] * 255).round() / 255


def fill_pixels(
    pixels: torch.Tensor,
    hidden: torch.Tensor,
    baseline: str = "blur",
    frames: int | None = None,
) -> torch.Tensor:
    """Compute the pixels that replace hidden ones, for any baseline.

    Args:
        pixels: float32 (C, H, W) in [0, 1].
        hidden: n masks, bool (n, H, W).
        baseline: as in ``baseline_pixels``; or "inpaint" (biharmonic continuation of the surroundings, Damelin & Hoang
            2018) or "telea" (Telea 2004). These two use the mean if the mask covers the whole picture.
        frames: as in ``baseline_pixels``; a hole in a frame is filled from the same frame.

    Returns:
        float32 (n, C, H, W) in [0, 1], or (1, C, H, W) if the baseline does not depend on the mask; hidden pixels are
        rounded to 8-bit levels.

    Raises:
        CamwidgetError: if there is no such baseline, or its library cannot be imported.
    """
    if baseline not in INPAINTINGS:
        return baseline_pixels(pixels, baseline, frames)[None]
    return torch.stack([_inpainted(pixels, hole, baseline, frames or 1) for hole in hidden])


def _inpainted(
    pixels: torch.Tensor, hole: torch.Tensor, baseline: str, frames: int
) -> torch.Tensor:
    """Inpaint each of the frames by itself; a picture is one frame."""
    each = zip(pixels.chunk(frames, -2), hole.chunk(frames, -2), strict=True)
    return torch.cat([inpaint_pixels(frame, part, baseline) for frame, part in each], -2)
