"""The radar chart's geometry."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["radar_outline", "rank_scores"]


def radar_outline(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Closed polygons of values (methods, metrics) in [0, 1]: x and y, each (methods, metrics + 1).

    The first metric is on top, the others follow clockwise.
    """
    closed = np.concatenate([values, values[:, :1]], axis=1)
    angles = 2 * np.pi * np.arange(closed.shape[1]) / values.shape[1]
    return closed * np.sin(angles), closed * np.cos(angles)


def rank_scores(ranks: pd.DataFrame) -> np.ndarray:
    """How far out each rank lies, float64 (methods, metrics) in [0, 1]; 0 without a rank."""
    values = ranks.to_numpy(dtype=np.float64)
    return np.nan_to_num(1 - (values - 1) / max(len(values), 1), nan=0.0)
