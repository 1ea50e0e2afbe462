"""Tone mapping for display: make maps visible that a few pixels dominate. Nothing that is measured uses it.

Drawing is all that it is for. What is measured, localized, multiplied, ranked and saved is the saliency itself, which
is linear in the positive part of the raw map.
"""

from __future__ import annotations

import numpy as np

__all__ = ["tone_knee", "tone_mapped", "tone_note"]

#: The share of the pixels, those with the least saliency, that gets most of the colors ...
PIXELS = 0.99
#: ... namely so much of the color scale. Smilkov et al. 2017 (SmoothGrad, arXiv:1706.03825, section 3) cap at the 99th
#: percentile; here the pixels above it keep their order and share what is left.
COLORS = 0.9


def tone_knee(saliency: np.ndarray) -> float | None:
    """The saliency that is drawn at 0.9 of the color scale: the 99th percentile.

    Args:
        saliency: (H, W) in [0, 1].

    Returns:
        A number in [0, 0.9); None where in proportion as much is seen, or nothing at all.
    """
    flat = np.asarray(saliency, np.float32).ravel()
    rank = max(1, round(PIXELS * flat.size)) - 1
    knee = float(np.partition(flat, rank)[rank])
    return knee if knee < COLORS and flat.max() > 0 else None


def tone_mapped(saliency: np.ndarray, knee: float | None) -> np.ndarray:
    """Saliency as it is drawn: two straight lines that meet at (``knee``, 0.9).

    Args:
        saliency: float (H, W) in [0, 1]; or any values in [0, 1].
        knee: from ``tone_knee``; None draws in proportion.

    Returns:
        float32 of the same shape in [0, 1], in the same order.
    """
    values = np.asarray(saliency, np.float32)
    if knee is None:
        return values
    above = COLORS + (1 - COLORS) * (values - knee) / (1 - knee)
    # Where the knee is 0 nothing lies between 0 and it.
    below = COLORS * values / knee if knee > 0 else np.zeros_like(values)
    return np.asarray(np.where(values > knee, above, below), np.float32)


def tone_note(knee: float | None) -> str:
    """What a color scale says of a tone-mapped map; empty for one that is drawn in proportion."""
    if knee is None:
        return ""
    return f"{round(100 * COLORS)} % of the colors show the values up to {100 * knee:.2g} % of the maximum"
