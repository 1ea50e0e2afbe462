"""Geometry of a radar chart of ranks."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["radar_outline", "rank_scores"]


def rank_scores(ranks: pd.DataFrame) -> np.ndarray:
    """Convert ranks to radii of a radar chart.

    The best of n methods has the radius 1 and the last 1/n, so that no polygon shrinks to a point.

    Args:
        ranks: data frame with one row per method and one column per metric; 1 is best, NaN without a rank.

    Returns:
        float64 (methods, metrics) in [0, 1]; 0 without a rank.

    Example:
        >>> import pandas as pd
        >>> from camwidget.evaluation import rank_scores
        >>> rank_scores(pd.DataFrame({"drop": [1, 2], "iou": [2, float("nan")]})).tolist()
        [[1.0, 0.5], [0.5, 0.0]]
    """
    values = ranks.to_numpy(dtype=np.float64)
    return np.asarray(np.nan_to_num(1 - (values - 1) / max(len(values), 1), nan=0.0))


def radar_outline(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the polygons of a radar chart.

    The first spoke points up; the others follow clockwise.

    Args:
        values: (methods, metrics) in [0, 1], the radius of each corner.

    Returns:
        x and y, float64 (methods, metrics + 1) in [-1, 1]; each polygon ends at its first corner.

    Example:
        >>> import numpy as np
        >>> from camwidget.evaluation import radar_outline
        >>> x, y = radar_outline(np.ones((1, 4)))
        >>> x.round(2).tolist(), y.round(2).tolist()
        ([[0.0, 1.0, 0.0, -1.0, 0.0]], [[1.0, 0.0, -1.0, -0.0, 1.0]])
    """
    values = np.asarray(values, dtype=np.float64)
    angles = 2 * np.pi * np.arange(values.shape[1]) / max(values.shape[1], 1)
    x, y = values * np.sin(angles), values * np.cos(angles)
    return np.concatenate([x, x[:, :1]], axis=1), np.concatenate([y, y[:, :1]], axis=1)
