"""What is true of a mask by itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["tight_box"]


def tight_box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Left, top, right and bottom of what is true in a mask (H, W), the last two exclusive; None of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
