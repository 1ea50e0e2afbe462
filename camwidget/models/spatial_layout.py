"""Spatial layout: test whether a layer's output depends on the picture and is laid out like it.

Shapes cannot tell: a table of position biases (heads, 49, 49), an attention matrix, windows of a picture in sequence
and shuffled tokens all have shapes of maps. The test changes the picture's upper right corner, then its lower left one
(which also distinguishes rows from columns). An output that does not change is independent of the picture; an output
that changes elsewhere is not laid out like it.

The test compares sketches: few random sums of the channels, on few cells. The difference of two sketches is the sketch
of the difference, and sketches take little memory for a network of any size.
"""

from __future__ import annotations

import functools
import math

import torch
from torch.nn import functional as nnF

from ..images.film_strip import as_clip, as_strip

__all__ = [
    "CONSTANT",
    "MISPLACED",
    "QUERIES",
    "corner_variants",
    "is_constant",
    "layout_correlation",
    "layout_fault",
    "sketch_maps",
    "sketch_tokens",
]

#: Reasons why an output is no map.
CONSTANT = "its output does not change with the picture"
MISPLACED = "its output is not laid out like the picture: where the picture changes, it does not"

QUERIES = "its tokens are queries: they do not depend on the picture before they read it, and have no places in it"

#: Side of a changed corner as a fraction of the picture's side.
_CORNER = 1 / 4
#: Number of channel sums, and of cells per side, in a sketch.
_SUMS, _CELLS = 16, 32
#: Relative change that may be rounding (the compared passes have the same shapes and order).
_ROUNDING = 5e-7
#: Smallest correlation of a map's change with the expected one. On 3900 layers of 37 networks with random
#: weights, 99 % of the maps had 0.6 or more, and 99 % of random permutations 0.4 or less.
_MIN_CORRELATION = 0.45
#: In maps of so few cells per side, one kernel covers the picture: only a change that is more concentrated
#: than this has a position.
_COARSE, _CONCENTRATED = 4, 0.4


def corner_variants(
    inputs: torch.Tensor, frames: int | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Copies of the input (N, C, H, W) with the upper right and the lower left corner changed; so is each frame's."""
    if frames is not None:
        upper, lower = corner_variants(as_clip(inputs, frames))
        return as_strip(upper), as_strip(lower)
    height, width = inputs.shape[-2:]
    down, across = max(1, round(height * _CORNER)), max(1, round(width * _CORNER))
    upper, lower = inputs.clone(), inputs.clone()
    for variant, rows, columns in (
        (upper, slice(0, down), slice(width - across, width)),
        (lower, slice(height - down, height), slice(0, across)),
    ):
        variant[..., rows, columns] = 1 - 2 * variant[..., rows, columns]
    return upper, lower


def sketch_maps(maps: torch.Tensor) -> torch.Tensor:
    """Sketch maps (1, C, h, w) as (sums, h', w')."""
    height, width = maps.shape[-2:]
    features = maps[0].detach().float().flatten(1)
    sums = (_signs(len(features)).to(features) @ features).reshape(_SUMS, height, width)
    if max(height, width) > _CELLS:
        sums = nnF.adaptive_avg_pool2d(sums, (min(height, _CELLS), min(width, _CELLS)))
    return sums.cpu()


def sketch_tokens(tokens: torch.Tensor) -> torch.Tensor:
    """Sketch tokens (1, T, C) as (1, T, sums); their positions may be found later."""
    features = tokens.detach().float()
    sums: torch.Tensor = features @ _signs(features.shape[-1]).to(features).T
    return sums.cpu()


def layout_fault(sketch: torch.Tensor, upper: torch.Tensor, lower: torch.Tensor) -> str | None:
    """Return why a layer's output is no map of the picture, or None if it is one.

    Args:
        sketch: sketch of the output for a picture.
        upper: sketch for the first of ``corner_variants``.
        lower: sketch for the second.
    """
    if not (sketch.shape == upper.shape == lower.shape):
        return MISPLACED
    if not all(bool(torch.isfinite(s).all()) for s in (sketch, upper, lower)):
        return None  # the caller reports weights that are NaN
    if is_constant(sketch, upper, lower):
        return CONSTANT
    first, second = _strengths(sketch, upper, lower)
    if _correlation(first, second) >= _MIN_CORRELATION:
        return None
    is_coarse = min(sketch.shape[-2:]) <= _COARSE
    if is_coarse and min(_spread(first), _spread(second)) >= _CONCENTRATED:
        return None
    return MISPLACED


def is_constant(sketch: torch.Tensor, upper: torch.Tensor, lower: torch.Tensor) -> bool:
    """Return whether a layer's output is the same for a picture and its ``corner_variants``, up to rounding."""
    most = max(float((upper - sketch).abs().max()), float((lower - sketch).abs().max()))
    return most <= _ROUNDING * float(sketch.abs().max())


def layout_correlation(sketch: torch.Tensor, upper: torch.Tensor, lower: torch.Tensor) -> float:
    """Return the correlation of an output's changes with those of the picture, from sketches (sums, h, w); 0 if it is
    constant, or not finite.
    """
    if not all(bool(torch.isfinite(s).all()) for s in (sketch, upper, lower)):
        return 0.0
    return (
        0.0
        if is_constant(sketch, upper, lower)
        else _correlation(*_strengths(sketch, upper, lower))
    )


def _strengths(
    sketch: torch.Tensor, upper: torch.Tensor, lower: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return how much each cell changed in the two variants."""
    changes = [upper - sketch, lower - sketch]
    most = max(float(c.abs().max()) for c in changes)
    # Normalized in double precision, since squares of small values would underflow.
    first, second = (_strength((c.double() / most).float()) for c in changes)
    return first, second


@functools.cache
def _signs(channels: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(channels)
    signs = torch.randint(0, 2, (_SUMS, channels), generator=generator)
    return (2.0 * signs - 1) / math.sqrt(channels)


def _strength(change: torch.Tensor) -> torch.Tensor:
    """Return how much each cell changed, (h, w), with sum 1 (or 0); a change that all cells share is ignored."""
    shared = change.flatten(1).median(1).values[:, None, None]
    strength = (change - shared).square().sum(0).sqrt()
    total = strength.sum()
    return strength / total if float(total) > 0 else strength


def _spread(strength: torch.Tensor) -> float:
    """Return the fraction of the cells over which a change is spread; 1 if all change equally."""
    squares = float(strength.square().sum()) * strength.numel()
    return 1.0 if squares == 0 else 1 / squares


def _correlation(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the correlation of two changes with those expected from the corners, over several blurs."""
    found = first - second
    found = found - found.mean()
    return max(
        float((found * e).sum() / (found.norm() * e.norm()).clamp(min=1e-30))
        for e in _expected(found.shape[0], found.shape[1])
    )


@functools.lru_cache(maxsize=256)
def _expected(height: int, width: int) -> tuple[torch.Tensor, ...]:
    """Return the expected change of the first corner minus that of the second on a grid, for several blurs; mean 0."""
    side = 64
    corner = round(side * _CORNER)
    signed = torch.zeros(1, 1, side, side)
    signed[..., :corner, side - corner :] = 1
    signed[..., side - corner :, :corner] = -1
    expected = []
    offsets = torch.arange(1 - side, side).float()
    for blur in (0.01, 0.08, 0.16, 0.3):
        kernel = torch.exp(-(offsets**2) / (2 * (blur * side) ** 2))
        blurred = nnF.conv2d(signed, kernel.reshape(1, 1, -1, 1), padding=(side - 1, 0))
        blurred = nnF.conv2d(blurred, kernel.reshape(1, 1, 1, -1), padding=(0, side - 1))
        cells = nnF.adaptive_avg_pool2d(blurred, (height, width))[0, 0]
        expected.append(cells - cells.mean())
    return tuple(expected)
