"""Tone mapping for display: brighten maps that a few pixels dominate.

Only drawing uses it. Metrics, localization, masks and saved files use the saliency itself, which is linear in the
positive part of the raw map.
"""

from __future__ import annotations

import numpy as np

__all__ = ["tone_knee", "tone_mapped", "tone_note"]

#: Fraction of the pixels, those with the lowest saliency, that share the fraction ``COLORS`` of the color scale.
PIXELS = 0.99
#: Fraction of the color scale for these pixels. Smilkov et al. 2017 (SmoothGrad, arXiv:1706.03825, section 3) cap at
#: the 99th percentile; here the pixels above it keep their order and share the rest of the scale.
COLORS = 0.9


def tone_knee(saliency: np.ndarray) -> float | None:
    """Return the saliency that is drawn at 0.9 of the color scale: the 99th percentile.

    Args:
        saliency: map (H, W) in [0, 1].

    Returns:
        A number in [0, 0.9); None if the map needs no tone mapping, or is all zero.
    """
    flat = np.asarray(saliency, np.float32).ravel()
    rank = max(1, round(PIXELS * flat.size)) - 1
    knee = float(np.partition(flat, rank)[rank])
    return knee if knee < COLORS and flat.max() > 0 else None


def tone_mapped(saliency: np.ndarray, knee: float | None) -> np.ndarray:
    """Map saliency to the color scale by two linear pieces that meet at (``knee``, 0.9).

    Args:
        saliency: float of any shape, in [0, 1].
        knee: from ``tone_knee``; None leaves the saliency as it is.

    Returns:
        float32 of the same shape, in [0, 1]; the order of values is preserved.
    """
    values = np.asarray(saliency, np.float32)
    if knee is None:
        return values
    above = COLORS + (1 - COLORS) * (values - knee) / (1 - knee)
    # If the knee is 0, no value is below it, and the division would fail.
    below = COLORS * values / knee if knee > 0 else np.zeros_like(values)
    return np.asarray(np.where(values > knee, above, below), np.float32)


def tone_note(knee: float | None) -> str:
    """Return the note on the color scale of a tone-mapped map; empty for a map drawn in proportion."""
    if knee is None:
        return ""
    return f"{round(100 * COLORS)} % of the colors show the values up to {100 * knee:.2g} % of the maximum"
