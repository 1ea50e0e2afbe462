"""Geometry of a radar chart."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["radar_outline", "rank_scores"]


def rank_scores(ranks: pd.DataFrame) -> np.ndarray:
    """How far out each rank lies, float64 (methods, metrics) in [0, 1].

    The best of n is at 1, the last at 1/n, so that a polygon never shrinks to a point; what has no rank is at 0.

    Args:
        ranks: 1 is best, one row a method, one column a metric; NaN where there is no rank.
    """
    values = ranks.to_numpy(dtype=np.float64)
    return np.asarray(np.nan_to_num(1 - (values - 1) / max(len(values), 1), nan=0.0))


def radar_outline(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The corners of a polygon for each row, the first one again at the end.

    The first spoke points up, the others follow clockwise.

    Args:
        values: (methods, metrics) in [0, 1], how far out each corner lies.

    Returns:
        x and y, float64 (methods, metrics + 1) in [-1, 1].
    """
    values = np.asarray(values, dtype=np.float64)
    angles = 2 * np.pi * np.arange(values.shape[1]) / max(values.shape[1], 1)
    x, y = values * np.sin(angles), values * np.cos(angles)
    return np.concatenate([x, x[:, :1]], axis=1), np.concatenate([y, y[:, :1]], axis=1)
